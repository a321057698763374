#!/usr/bin/env bash
# Recompiles every hash-locked requirements file from its source: all packages with the newest versions allowed there, or
# those that are named and what they need.
#   scripts/lock.sh [PACKAGE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

newest=(--upgrade)
if [ $# -gt 0 ]; then newest=("${@/#/--upgrade-package=}"); fi

uv=$(find_uv)
compile() { # SOURCE LOCK [OPTION...]
    say "locking $2"
    "$uv" pip compile --quiet "${newest[@]}" --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-header "${@:3}" "$1" --output-file "$2"
}

compile pyproject.toml requirements/dev.txt --extra dev
compile requirements/target_app.in requirements/target_app.txt
for source in requirements/*.in; do
    case $source in
        requirements/target_app.in) ;;
        # They go into images of their own, and none of their versions depends on the app's.
        requirements/audit.in | requirements/generator.in | requirements/pip.in | requirements/uv.in) compile "$source" "${source%.in}.txt" ;;
        # Recipes are installed beside the app, whose versions stay.
        *) compile "$source" "${source%.in}.txt" --constraint requirements/target_app.txt ;;
    esac
done

say "writing the recipes' stages into Dockerfile.variants"
.venv/bin/python scripts/dockerfile.py
