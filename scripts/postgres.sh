#!/bin/sh
# Starts PostgreSQL on a new, empty database cluster. This process becomes the server: signals reach it.
set -eu
programs=$(echo /usr/lib/postgresql/*/bin)
# In memory where the container was given a temporary file system there.
data=$(mktemp -d /var/lib/postgresql/data.XXXXXX)
"$programs/initdb" --pgdata="$data" --username=app --auth=trust --encoding=UTF8 --no-sync >/dev/null
# The server's own way to run a statement before it serves.
echo 'CREATE DATABASE app;' | "$programs/postgres" --single -D "$data" postgres >/dev/null
echo 'host all all all trust' >>"$data/pg_hba.conf"
exec "$programs/postgres" -D "$data" -c listen_addresses='*' -c fsync=off -c unix_socket_directories=/tmp
