#!/usr/bin/env bash
# Recompiles every hash-locked requirements file from its source, with the newest versions allowed there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

uv=$(find_uv)
compile() { # SOURCE LOCK [OPTION...]
    say "locking $2"
    "$uv" pip compile --quiet --upgrade --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-header "${@:3}" "$1" --output-file "$2"
}

compile pyproject.toml requirements/dev.txt --extra dev
for source in requirements/*.in; do
    compile "$source" "${source%.in}.txt"
done
