#!/usr/bin/env bash
# Sets up all that `make bench` and `make test` need. REQUIRE_ENGINE=1: fail where no Docker engine can be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

scripts/setup-env.sh
status=0
{ scripts/setup-engine.sh && scripts/setup-base-image.sh; } || status=$?
# All there, or ended by a signal: someone wants this to stop.
if [ "$status" = 0 ] || [ "$status" -gt 128 ]; then exit "$status"; fi
missing="no Docker engine with a base image can be had here (reason above)"
if [ "${REQUIRE_ENGINE:-0}" = 1 ]; then give_up "$missing, and REQUIRE_ENGINE=1 forbids going on without"; fi
say "$missing: the process engine will be used, and its results are never comparable with Docker's"
