#!/usr/bin/env bash
# Makes .venv hold exactly the locked dependencies and this checkout. Does nothing when that is so already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

readonly LOCK=requirements/dev.txt STAMP=.venv/.set-up-from

# The stamp names everything the environment was made from, and where: an editable install does not move.
wanted="$(sha256sum "$LOCK" pyproject.toml) $PWD"

up_to_date() { [ -x .venv/bin/python ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$wanted" ]; }

if up_to_date; then
    say "the environment in .venv matches $LOCK"
    exit
fi
only_one_at_a_time .harness/setup-env.lock
if up_to_date; then exit; fi

uv=$(find_uv)
say "installing $LOCK into .venv, so that every machine runs the same versions"
rm -f "$STAMP"
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    rm -rf .venv
    "$uv" venv --quiet --python '>=3.11' .venv ||
        give_up "no Python 3.11 or newer to make .venv with; install one, then run again"
fi
"$uv" pip sync --quiet --python .venv/bin/python --require-hashes "$LOCK"
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
printf '%s\n' "$wanted" >"$STAMP"
