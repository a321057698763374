#!/usr/bin/env bash
# Machines for the load, made of network namespaces: each with an address and a Docker engine of its own.
#   scripts/load-hosts.sh up 2      # prints what to give to `harness run`
#   scripts/load-hosts.sh cut 2     # takes the second one off the network; join 2 puts it back
#   scripts/load-hosts.sh down
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

readonly BRIDGE=harness-lh NETWORK=10.77.0 PORT=2375 ROOT=$PWD/.harness/load-hosts START_TIMEOUT_S=30

name_of() { printf 'harness-lh%d' "$1"; }
address_of() { printf '%s.%d' "$NETWORK" "$(($1 + 1))"; }

up() { # COUNT
    [ "$(id -u)" = 0 ] || give_up "network namespaces are root's: run this as root"
    down
    ip link add "$BRIDGE" type bridge
    ip address add "$NETWORK.1/24" dev "$BRIDGE"
    ip link set "$BRIDGE" up
    local number arguments=
    for ((number = 1; number <= $1; number++)); do
        start "$number"
        arguments+=" --load-context tcp://$(address_of "$number"):$PORT=0"
    done
    for ((number = 1; number <= $1; number++)); do wait_for "$number"; done
    say "the load hosts are up; give harness run:" >&2
    printf -- '--address %s%s\n' "$NETWORK.1" "$arguments"
}

start() { # NUMBER
    local name directory=$ROOT/$1
    name=$(name_of "$1")
    mkdir -p "$directory"
    ip netns add "$name"
    ip link add "$name" type veth peer name eth0 netns "$name"
    ip link set "$name" master "$BRIDGE" up
    ip -n "$name" address add "$(address_of "$1")/24" dev eth0
    ip -n "$name" link set lo up
    ip -n "$name" link set eth0 up
    # Its agents use the namespace's own network: no bridge is needed in there, and no rule of a firewall.
    # Not `ip netns exec`: it mounts another /sys, without the control groups.
    setsid nsenter --net="/run/netns/$name" dockerd --host "tcp://$(address_of "$1"):$PORT" --tls=false \
        --host "unix://$directory/docker.sock" --data-root "$directory/data" --exec-root "$directory/exec" \
        --pidfile "$directory/dockerd.pid" --bridge none --iptables=false --ip-forward=false \
        >"$directory/log" 2>&1 </dev/null &
}

wait_for() { # NUMBER
    local deadline=$((SECONDS + START_TIMEOUT_S))
    until curl --silent --fail --max-time 2 "http://$(address_of "$1"):$PORT/_ping" >/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 20 "$ROOT/$1/log" >&2
            give_up "the engine of load host $1 does not come up (its last log lines are above)"
        fi
        sleep 0.1
    done
}

cut() { # NUMBER
    ip link set "$(name_of "$1")" down
}

down() {
    local pid_file name mount
    for pid_file in "$ROOT"/*/dockerd.pid; do
        [ -e "$pid_file" ] || continue
        if [ "$(cat "/proc/$(cat "$pid_file")/comm" 2>/dev/null)" = dockerd ]; then
            kill "$(cat "$pid_file")"
            while [ -d "/proc/$(cat "$pid_file" 2>/dev/null || echo 0)" ]; do sleep 0.1; done
        fi
    done
    for name in $(ip netns list | cut_first | grep '^harness-lh' || true); do ip netns delete "$name"; done
    ip link delete "$BRIDGE" 2>/dev/null || true
    for mount in "$ROOT"/*/exec/netns/*; do umount "$mount" 2>/dev/null || true; done
    rm -rf "$ROOT"
}

cut_first() { awk '{ print $1 }'; }

case ${1:-} in
up) up "${2:-1}" ;;
cut) cut "$2" ;;
join) ip link set "$(name_of "$2")" up ;;
down) down ;;
*) give_up "usage: scripts/load-hosts.sh up [COUNT] | cut NUMBER | join NUMBER | down" ;;
esac
