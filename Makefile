PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := .venv-peers
LOADER_PEERS := .venv-peers-load

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow soak check format bench bench-peers docs clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with vdata, its extras and the tools of the tests.

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# A second motion engine and the tests' oracle. --no-deps: it asks for opencv-python with GUI, which would
	@# overwrite the headless contrib build that serves it as well.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps motion-vector-extractor==2.0.0
	@touch $@

demo: setup ## Build the sample dataset, verify it, bench it, train SimCLR on it (about 5 minutes on 2 cores).
	$(BIN)/vdata demo

test: setup ## Run the tests (no GPU needed).
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow and not soak'

test-slow: setup ## Run the long tests too.
	$(BIN)/python -m pytest -m 'not soak'

soak: setup ## Kill builds at random moments and feed them 500 hostile files (long; as root it tests a full disk too).
	$(BIN)/python -m pytest -m soak tests/soak

check: setup ## Lint, types, import order.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code in place.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## Run every bench case on the demo's shards (make demo first) and keep the figures.
	$(BIN)/vdata bench --shards demo/shards/train --json bench/results/latest.json

bench-peers: $(PEERS)/.installed $(LOADER_PEERS)/.installed ## Install video2dataset (1.6 GB), TorchCodec and decord for `vdata bench --peers`.

$(PEERS)/.installed: bench/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r bench/peers.txt
	@# --no-deps: it asks for torch 2.1.2 and for packages of stages that are not run (see bench/peers.txt).
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps video2dataset==1.3.0
	@touch $@

$(LOADER_PEERS)/.installed: $(STAMP) bench/peers-load.txt
	@# A folder, not an environment: it goes on the path of the peers' processes beside .venv, whose torch they use. --no-deps: they
	@# would bring another.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(LOADER_PEERS) -r bench/peers-load.txt
	@touch $@

docs: setup ## Write the generated parts of the documentation anew.
	$(BIN)/python -m vdata.cli._docs

clean: ## Remove what the demo and the tools made (not .venv).
	rm -rf demo runs .mypy_cache .ruff_cache .pytest_cache dist build
