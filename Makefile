# Needs python3 (3.11 or later) and make. Another Python: PYTHON=python3.12 make run
PYTHON ?= python3
BIN := .venv/bin
OPTIONS ?=

.DEFAULT_GOAL := help
# Two processes, each with a PostgreSQL and a pair of its own; a file's tests stay together.
IN_TWO = --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: help run demo test test-long check protos reset lock bench bench-growth bench-memory bench-peers set-up set-up-gateway set-up-dev set-up-bench set-up-peers

help: ## list the targets
	@awk -F ' *## ' '/^[a-z-]+:.*## / { split($$1, name, ":"); printf "make %-12s %s\n", name[1], $$2 }' Makefile

run: $(if $(filter-out 0,$(GATEWAY)),set-up-gateway,set-up) ## start both services on a PostgreSQL of their own, until Ctrl-C; GATEWAY=1: and Envoy
	@$(BIN)/tenantry up

demo: set-up ## the whole story in one screen, every answer checked
	@$(BIN)/tenantry demo

test: set-up-dev ## run all tests; some of them: make test OPTIONS="-k revoked"
	@$(BIN)/pytest $(IN_TWO) $(OPTIONS)

test-long: set-up-dev ## the same, with 300 rounds of every race and 200 runs of the model of tenancy
	@HYPOTHESIS_PROFILE=full $(BIN)/pytest $(IN_TWO) --timeout 1800 $(OPTIONS)

check: set-up-dev ## format, lint, types, import rules, contracts, generated code, house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	rm -rf build/generated && mkdir -p build/generated
	$(BIN)/python protos/generate.py build/generated
	diff -r -x '*.proto' -x __init__.py -x __pycache__ -x generate.py build/generated/protos protos
	$(BIN)/buf lint build/api.binpb --path identity --path tenancy
	$(BIN)/buf format -d --exit-code protos
	$(BIN)/pytest -q tests/architecture

protos: set-up-dev ## generate the Python code of the contracts, and what shows them over HTTP
	$(BIN)/python protos/generate.py
	$(BIN)/python -m tenantry.gateway.openapi
	$(BIN)/python -m tenantry.gateway.bruno

reset: set-up ## delete all local data
	@$(BIN)/tenantry reset --yes

lock: set-up-dev ## pin the newest allowed packages, with hashes
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --upgrade -q requirements/runtime.in -o requirements/runtime.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --upgrade -q requirements/gateway.in -o requirements/gateway.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --upgrade -q -c requirements/runtime.txt requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --upgrade -q -c requirements/dev.txt requirements/bench.in -o requirements/bench.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --upgrade -q -c requirements/dev.txt requirements/peers.in -o requirements/peers.txt

bench: set-up-bench ## measure every kind of call beside an empty one, 8 minutes; OPTIONS="--size large", "--help"
	@$(BIN)/python -m benchmarks $(OPTIONS)

bench-growth: set-up-bench ## the same calls on 1,000 and on 1,000,000 memberships, 6 minutes; 4 more at first
	@$(BIN)/python -m benchmarks.growth $(OPTIONS)

bench-memory: set-up-bench ## the memory of the processes over 1,000,000 checks, 5 minutes
	@$(BIN)/python -m benchmarks.memory $(OPTIONS)

bench-peers: set-up-peers ## checks beside those of SpiceDB, every answer compared, 4 minutes; needs npm
	@cd benchmarks/peers && npm ci --ignore-scripts --silent
	@$(BIN)/python -m benchmarks.peers $(OPTIONS)

set-up:
	@$(PYTHON) requirements/set_up.py

set-up-gateway:
	@$(PYTHON) requirements/set_up.py gateway

set-up-dev:
	@$(PYTHON) requirements/set_up.py dev

set-up-bench:
	@$(PYTHON) requirements/set_up.py bench

set-up-peers:
	@$(PYTHON) requirements/set_up.py peers
