#!/usr/bin/env bash
# Makes the engine hold a base image with Python 3.13: the official one, else one made here from Debian packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

readonly OFFICIAL=python:3.13-slim TAG=${HARNESS_BASE_TAG:-harness-base:py313}
readonly SUITE=trixie # The Debian release whose python3 is 3.13.
readonly CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
readonly PULL_TIMEOUT_S=300 # For a slow line; where no registry answers, docker itself gives up in seconds.
readonly LOG=.harness/debootstrap.log

stop_here_if_present() {
    for image in "$OFFICIAL" "$TAG"; do
        if docker image inspect "$image" >/dev/null 2>&1; then
            say "the base image $image is there"
            exit 0
        fi
    done
}

remove_root() { # debootstrap mounts these two inside, and an interrupt may leave them there
    umount --lazy "$1/proc" "$1/sys" 2>/dev/null || true
    rm -rf --one-file-system "$1"
}

make_image() {
    local root
    root=$(mktemp --directory --tmpdir harness-base.XXXXXX)
    trap "remove_root '$root'" EXIT
    trap 'exit 130' INT TERM
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$SUITE" "$root" \
        >"$LOG" 2>&1 || give_up "debootstrap failed; read $LOG"
    # The host's bundle may hold the certificate of a proxy that everything here goes through.
    if [ -r "$CA_BUNDLE" ]; then install --mode=644 "$CA_BUNDLE" "$root$CA_BUNDLE"; fi
    # Images run as an ordinary user, who must be able to enter /.
    chmod 755 "$root"
    tar --directory "$root" --create --one-file-system \
        --exclude='./var/cache/apt/archives/*.deb' --exclude='./var/lib/apt/lists/*' . |
        docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
            --change "ENV SSL_CERT_FILE=$CA_BUNDLE" --change 'CMD ["python3"]' - "$TAG" >/dev/null
}

command -v docker >/dev/null || give_up "there is no docker client on PATH; install the package docker-cli"
stop_here_if_present
only_one_at_a_time .harness/setup-base-image.lock
stop_here_if_present
say "pulling $OFFICIAL, the base of every image measured here"
if timeout "$PULL_TIMEOUT_S" docker pull --quiet "$OFFICIAL" >/dev/null 2>&1; then exit; fi

can_install_packages || give_up "$OFFICIAL cannot be pulled, and making a base image needs root on Debian;" \
    "as root: scripts/setup-base-image.sh"
command -v debootstrap >/dev/null || install_packages debootstrap debian-archive-keyring
say "no image registry answers: making $TAG from Debian $SUITE packages (about a minute)"
make_image
say "made $TAG"
