# Shared by the set-up scripts; sourced, never run.

shopt -s inherit_errexit # or a failure inside $(...) would go unseen

readonly EXIT_ENVIRONMENT=3 # The same code as harness.errors.ExitCode.ENVIRONMENT.

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*"; }

give_up() {
    say "$*" >&2
    exit "$EXIT_ENVIRONMENT"
}

can_install_packages() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# A package may start its service, which must not inherit the lock on descriptor 9 and hold it for ever.
install_packages() {
    apt-get update -qq 9>&-
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 9>&-
}

# Holds the lock FILE, on descriptor 9, until the script ends.
only_one_at_a_time() {
    mkdir -p "$(dirname "$1")"
    exec 9>"$1"
    flock --timeout 600 9 || give_up "another set-up has held $1 for ten minutes; end it, then run again"
}

# Prints the path of uv: the one on PATH, else the project's own, installed from its hash-locked requirement.
find_uv() {
    if command -v uv; then return; fi
    local home=.harness/uv
    if ! [ -x "$home/bin/uv" ]; then
        say "uv is not on PATH, installing it into $home" >&2
        make_python_venv "$home"
        "$home/bin/python" -m pip install --quiet --require-hashes -r requirements/uv.txt
    fi
    printf '%s\n' "$home/bin/uv"
}

make_python_venv() {
    command -v python3 >/dev/null || give_up "there is no python3; install Python 3.11 or newer"
    # Debian's python3 has venv but not the ensurepip it needs: that is in the package python3-venv.
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        can_install_packages || give_up "python3 cannot make virtual environments;" \
            "install the package python3-venv (apt-get install python3-venv), then run again"
        say "installing the package python3-venv, which python3 needs to make environments" >&2
        install_packages python3-venv >&2
    fi
    python3 -m venv --clear "$1"
}
