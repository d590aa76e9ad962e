# One word per chore; `make help` lists them. Needs Python 3.11 or newer, make and git.
# Another interpreter: make run PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE := tests/node
CONFORMANCE := tests/conformance
UV_COMPILE = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --extra ai --generate-hashes --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help run setup test coverage mutate check lint-api conformance bundle format bench eval schemas lock clean

help: ## list the chores
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /	/' | expand -t 13

run: $(VENV)/.runtime ## start the REST gateway on 127.0.0.1:8000 (sets everything up the first time)
	@exec $(BIN)/orchestrator-api

setup: $(VENV)/.dev ## install everything, tools included; commands are in .venv/bin
	@echo "Ready: $(BIN)/orchestrator, $(BIN)/orchestrator-api, $(BIN)/orchestrator-mcp"

test: $(VENV)/.dev ## run all tests; those of PostgreSQL and of the browser are skipped where there is none
	$(BIN)/python -m pytest -n 2 --dist worksteal

coverage: $(VENV)/.dev ## every branch that validates, applies and reverts patch sets has its example test, or it fails
	$(BIN)/coverage run -m pytest -q -n 0 -m "not hypothesis" tests/core/patches tests/core/services tests/core/test_*.py
	$(BIN)/coverage report

mutate: $(VENV)/.dev ## plant faults in the same code and list those no test finds (hours; see scripts/mutate.py for a sample)
	$(BIN)/python -m scripts.mutate

check: $(VENV)/.dev ## formatter, linter, strict types, import contracts, drift of generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m scripts.generate --check

lint-api: $(NODE)/node_modules/.package-lock.json ## OpenAPI and OWASP rules, the generated client, no break since the last release (needs Node 20)
	cd $(NODE) && npm run --silent lint-api

conformance: $(VENV)/.dev $(CONFORMANCE)/node_modules/.package-lock.json ## MCP against its official suite and the inspector (needs Node to install its own)
	$(BIN)/python -m pytest -q -n 0 $(CONFORMANCE)/official.py

bundle: $(VENV)/.dev $(CONFORMANCE)/node_modules/.package-lock.json ## write dist/: the wheel, and the bundle that MCP clients install with one click
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist .
	$(BIN)/python -m scripts.bundle dist/orchestrator.mcpb

format: $(VENV)/.dev ## format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## measure against the budgets; writes .bench/results.json
	$(BIN)/python -m tests.benchmarks

eval: $(VENV)/.dev ## compare the plans of the model in AI_PROVIDER with written ones; without one a stand-in recites them
	$(BIN)/python -m evaluation

schemas: $(VENV)/.dev ## regenerate JSON Schemas, OpenAPI, the tools snapshot and docs/errors.md
	$(BIN)/python -m scripts.generate

lock: $(VENV)/.dev ## resolve the newest allowed versions into both lock files
	$(UV_COMPILE) --upgrade --group build -o requirements.lock
	$(UV_COMPILE) --upgrade --group dev -c requirements.lock -o requirements-dev.lock

clean: ## remove the environment and every cache (no data)
	rm -rf $(VENV) .bench .mutate .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: an install is repeated only when its lock or pyproject.toml is newer. --no-deps keeps the
# second step from resolving anything that the lock did not name.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install -qq --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@$(BIN)/python -m pip install -qq --require-hashes -r requirements-dev.lock
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found. Install Python 3.11 or newer, or name it: make run PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make run PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Creating $(VENV) and installing the locked packages; this happens once."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

%/node_modules/.package-lock.json: %/package-lock.json
	@cd $* && npm ci --silent --no-fund --no-audit
	@touch $@
