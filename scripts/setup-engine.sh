#!/usr/bin/env bash
# Makes a Docker engine answer: the one that runs, else one installed and started where we may. Exit 3: none to be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

readonly VAR=${HARNESS_VAR_DIR:-/var} START_TIMEOUT_S=30
readonly SOCKET=$VAR/run/docker.sock PID_FILE=$VAR/run/docker.pid LOG=$VAR/log/harness-dockerd.log
readonly CONTAINERD_PID_FILE=$VAR/run/docker/containerd/containerd.pid
readonly MEND="apt-get install docker.io iptables, then start it"

started_pid=

engine_version() {
    if command -v docker >/dev/null; then
        timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null
    else
        curl --silent --fail --max-time 10 --unix-socket "$SOCKET" http://localhost/_ping 2>/dev/null
    fi
}

stop_here_if_it_answers() {
    local version
    if version=$(engine_version); then
        say "a Docker engine answers ($version)"
        exit 0
    fi
}

is_running() { # FILE NAME: the process whose pid FILE holds lives and is a NAME
    [ "$(cat "/proc/$(cat "$1" 2>/dev/null)/comm" 2>/dev/null)" = "$2" ]
}

# An engine that was killed leaves its pid file, and the next one refuses to start if that pid is in use again.
remove_if_stale() { # FILE NAME
    if [ -e "$1" ] && ! is_running "$1" "$2"; then
        say "removing $1, left behind by a dead $2"
        rm -f "$1"
    fi
}

install_engine() {
    say "installing docker.io and iptables, because containers are what is measured here"
    install_packages docker.io iptables
    # Newer Debian ships the client apart from the engine.
    if ! command -v docker >/dev/null; then install_packages docker-cli; fi
}

start_engine() {
    if [ -d "$VAR/run/systemd/system" ]; then
        say "starting the installed Docker engine with systemctl"
        systemctl start docker
        return
    fi
    remove_if_stale "$PID_FILE" dockerd
    remove_if_stale "$CONTAINERD_PID_FILE" containerd
    if is_running "$PID_FILE" dockerd; then
        say "an engine is starting already, waiting for it"
        return
    fi
    say "starting the installed Docker engine in the background (log: $LOG)"
    setsid dockerd >"$LOG" 2>&1 </dev/null 9>&- &
    started_pid=$!
}

has_died() { # another engine, started by its package, may have been quicker than ours
    [ -n "$started_pid" ] && ! kill -0 "$started_pid" 2>/dev/null && ! is_running "$PID_FILE" dockerd
}

wait_for_engine() {
    local deadline=$((SECONDS + START_TIMEOUT_S))
    while [ "$SECONDS" -lt "$deadline" ]; do
        stop_here_if_it_answers
        if has_died; then break; fi
        sleep 0.1
    done
    tail -n 20 "$LOG" >&2 2>/dev/null || true
    give_up "the Docker engine does not come up (its last log lines are above);" \
        "mend what they say, or run on a machine that lets root start one"
}

stop_here_if_it_answers
[ "$(id -u)" = 0 ] || give_up "no Docker engine answers and only root may start one; as root: $MEND"
mkdir -p "$VAR/run" "$VAR/log"
only_one_at_a_time "$VAR/run/harness-engine.lock"
stop_here_if_it_answers # the set-up that held the lock may have brought it up
if ! command -v dockerd >/dev/null || ! command -v iptables >/dev/null; then
    can_install_packages || give_up "no Docker engine answers and this is no Debian-like system;" \
        "install Docker by its own instructions, then run again"
    install_engine
fi
start_engine
wait_for_engine
