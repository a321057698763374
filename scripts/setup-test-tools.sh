#!/usr/bin/env bash
# Installs what the tests look at exports and reports with: docker-compose and a browser. Does nothing where both are there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

missing=()
if ! command -v docker-compose >/dev/null; then missing+=(docker-compose); fi
if ! command -v chromium >/dev/null; then missing+=(chromium); fi
if [ "${#missing[@]}" = 0 ]; then
    say "docker-compose and chromium are there"
    exit
fi
if ! can_install_packages; then
    say "${missing[*]} cannot be installed here: the tests that need them are left out"
    exit
fi
only_one_at_a_time .harness/setup-test-tools.lock
say "installing ${missing[*]}, because exported files are started and reports are looked at in the tests"
install_packages "${missing[@]}"
