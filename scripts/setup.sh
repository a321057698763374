#!/usr/bin/env bash
# Sets up all that `make bench` and `make test` need. REQUIRE_ENGINE=1: fail where no Docker engine can be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

scripts/setup-env.sh
if scripts/setup-engine.sh; then
    scripts/setup-base-image.sh
elif [ "${REQUIRE_ENGINE:-0}" = 1 ]; then
    give_up "no Docker engine can be had here (reason above), and REQUIRE_ENGINE=1 forbids going on without"
else
    say "no Docker engine can be had here (reason above): the process engine will be used," \
        "and its results are never comparable with Docker's"
fi
