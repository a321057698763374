# Tests on containers may only be left out where no engine can be had at all.
REQUIRE_ENGINE ?= $(if $(CI)$(shell [ "$$(id -u)" = 0 ] && command -v apt-get),1,0)
BIN := .venv/bin
# One more than there are CPUs: some always wait for a container.
SIDE_BY_SIDE := --numprocesses=$(shell expr $$(nproc) + 1) --dist=worksteal

.DEFAULT_GOAL := help
.PHONY: help bench claims test test-fast test-apps promises test-engines check lock upgrade audit env clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

bench: ## Set up everything, then measure matrices/quick.toml
	@scripts/setup.sh
	$(BIN)/harness run --matrix matrices/quick.toml

claims: ## Set up everything, measure the whole catalogue, keep what the claims are judged by, write docs/claims.md
	@scripts/setup.sh
	$(BIN)/harness study catalogue
	rm -rf results/claims && mkdir results/claims
	tar -C results/catalogue --exclude=trials --exclude=report -cf - . | tar -C results/claims -xf -
	$(BIN)/harness study claims --markdown docs/claims.md

test: ## Set up everything, then run every test, real containers included
	@REQUIRE_ENGINE=$(REQUIRE_ENGINE) scripts/setup.sh
	@scripts/setup-test-tools.sh
	# Side by side first: containers apart, which would starve the servers and clients of other tests. Then what
	# measures, one after the other.
	REQUIRE_ENGINE=$(REQUIRE_ENGINE) $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not engine and not alone and not long"
	REQUIRE_ENGINE=$(REQUIRE_ENGINE) $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "engine and not alone and not long"
	REQUIRE_ENGINE=$(REQUIRE_ENGINE) $(BIN)/python -m pytest -m "alone and not long"

test-fast: env ## Run the tests that need neither an engine, nor processes, nor patience
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not engine and not process and not slow and not long"

test-apps: ## Set up everything, then run the long tests: each app of examples/ measured once, kills in more phases (30 minutes, 4 GB of images)
	@REQUIRE_ENGINE=$(REQUIRE_ENGINE) scripts/setup.sh
	REQUIRE_ENGINE=$(REQUIRE_ENGINE) $(BIN)/python -m pytest -m long

promises: ## Set up everything, inject every fault of the promises, write docs/promises.md
	@REQUIRE_ENGINE=$(REQUIRE_ENGINE) scripts/setup.sh
	REQUIRE_ENGINE=$(REQUIRE_ENGINE) $(BIN)/python -m pytest -m "promise and not long" --promises=docs/promises.md

test-engines: ## Run the tests of engines in a virtual machine with cgroup v2, on Docker and Podman (an hour)
	scripts/vm-engine.sh run scripts/test-engines.sh; status=$$?; $(BIN)/python scripts/engines.py .harness/vm/share && exit $$status

check: env ## Lint, format, types, the import order, and plain words
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/words.py

lock: ## Recompile every file in requirements/ with the newest versions
	@scripts/lock.sh

upgrade: ## Lock the newest version of PACKAGE=name, then measure matrices/quick.toml with it
	@scripts/lock.sh $(PACKAGE)
	@scripts/setup.sh
	$(BIN)/harness run --matrix matrices/quick.toml

audit: ## Look every locked version up among known vulnerabilities, and write a bill of materials of each lock
	@scripts/audit.sh

env:
	@scripts/setup-env.sh

clean: ## Remove what this project made here: environments and caches, never results
	@if [ -x $(BIN)/harness ]; then $(BIN)/harness clean; fi
	rm -rf .venv .harness .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
