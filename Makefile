# Everything runs from .venv, which `make` fills from requirements.lock when it is missing or outdated.
PYTHON ?= $(shell for name in python3.11 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo up down test screenshots guarantees mutations lint contracts bench lock

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(READY) ## Start everything and play two true stories through it
	@$(BIN)/portico demo

up: $(READY) ## Start everything and keep it running until Ctrl-C
	@$(BIN)/portico up

down: $(READY) ## Stop what runs elsewhere
	@$(BIN)/portico down

test: lint ## Check everything: style, types, imports, and all tests on real PostgreSQL and Kafka
	@$(BIN)/python -m pytest

screenshots: $(READY) ## Photograph every page and state of the gateway into build/screenshots
	@$(BIN)/python -m tests.gateway.gallery

guarantees: $(READY) ## Break everything at random for some ten minutes (docs/guarantees.md); PORTICO_SEED=... repeats a run
	@PORTICO_GUARANTEES=long $(BIN)/python -m pytest tests/guarantees

mutations: $(READY) ## Take away one mechanism at a time and see that its guarantee notices
	@$(BIN)/python -m tests.guarantees.mutations

lint: $(READY) ## Check style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	@$(BIN)/hadolint deploy/Dockerfile
	@$(BIN)/yamllint -d '{extends: default, rules: {line-length: {max: 120}}}' docker-compose.yml contracts/asyncapi.yaml

contracts: $(READY) ## Write JSON Schemas and the AsyncAPI document from the contracts
	@$(BIN)/python -m contracts.generate

bench: $(READY) ## Measure, beside its peers; ARGS='--only command', --quick, --json FILE, see bench/README.md
	@$(BIN)/python -m bench $(ARGS)

lock: $(READY) ## Resolve all dependencies anew into requirements.lock
	@$(BIN)/python -m venv build/lock
	@build/lock/bin/python -m pip install --quiet uv
	@build/lock/bin/uv pip compile --quiet --upgrade --all-extras --generate-hashes --no-header --no-annotate \
		--python-version 3.11 pyproject.toml -o requirements.lock
	@build/lock/bin/uv pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11 \
		--python-platform linux -c requirements.lock pyproject.toml -o deploy/requirements.lock

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Portico needs Python 3.11 or newer: install it, or name one with make PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ echo "$(PYTHON) cannot make a virtual environment: install its venv module (Debian: python3.11-venv)" >&2; exit 1; }
	$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@
