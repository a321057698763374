#!/usr/bin/env bash
# The tests of engines, one engine after the other: for the virtual machine of scripts/vm-engine.sh, as root in a copy
# of the checkout. Results go to /host: a JUnit file and what the engine says of itself, for each.
set -uo pipefail
readonly OUT=${1:-/host}
readonly TESTS=(tests/contract/test_engines.py tests/adapters/test_docker_engine.py
    tests/adapters/test_cgroup_files.py
    tests/test_end_to_end.py::test_a_run_on_containers_ends_in_a_report
    tests/test_end_to_end.py::test_a_variant_without_enough_memory_is_infeasible_and_the_others_go_on)

export HARNESS_PATIENCE=${HARNESS_PATIENCE:-20}
python -m pip install --quiet --no-deps --no-build-isolation --editable .
status=0
for engine in ${HARNESS_ENGINES:-docker podman}; do
    case $engine in
    docker) systemctl start docker && export DOCKER_HOST=unix:///run/docker.sock ;;
    podman) systemctl start podman.socket && export DOCKER_HOST=unix:///run/podman/podman.sock ;;
    esac
    docker version --format '{{json .}}' >"$OUT/$engine.version.json"
    docker info --format '{{json .}}' >"$OUT/$engine.info.json"
    # Podman knows what came from an archive by another name.
    docker image inspect harness-base:py313 >/dev/null 2>&1 ||
        docker image inspect localhost/harness-base:py313 >/dev/null 2>&1 || docker load --input /host/base.tar
    printf '== %s\n' "$engine"
    REQUIRE_ENGINE=1 python -m pytest -p no:cacheprovider -m "engine and not long" -q --timeout 1800 \
        --junit-xml "$OUT/$engine.xml" ${HARNESS_TESTS:-"${TESTS[@]}"} || status=1
done
exit "$status"
