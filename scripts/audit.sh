#!/usr/bin/env bash
# Looks every locked version up among known vulnerabilities, and writes a bill of materials of each lock (CycloneDX JSON)
# into .harness/sbom. Ends with 1 where something was found or could not be looked up.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

readonly TOOLS=.harness/audit BILLS=.harness/sbom

uv=$(find_uv)
"$uv" venv --quiet --allow-existing --python '>=3.11' "$TOOLS"
"$uv" pip sync --quiet --python "$TOOLS/bin/python" --require-hashes requirements/audit.txt
mkdir -p "$BILLS"
status=0
for lock in requirements/*.txt; do
    name=$(basename "$lock" .txt)
    "$TOOLS/bin/cyclonedx-py" requirements "$lock" --output-file "$BILLS/$name.cdx.json" 2>/dev/null
    # --strict: a version that could not be looked up is no clean one.
    if "$TOOLS/bin/pip-audit" --strict --disable-pip --require-hashes --requirement "$lock" \
        >"$BILLS/$name.audit" 2>&1; then
        say "$lock: nothing is known against its versions"
    else
        say "$lock: $(tail -n 1 "$BILLS/$name.audit") (all of it: $BILLS/$name.audit)"
        status=1
    fi
done
say "bills of materials: $BILLS"
exit "$status"
