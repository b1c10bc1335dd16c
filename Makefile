# Every target creates what it needs, such as a virtual environment with the pins of constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PINS := build/pins
INSTALLED := $(VENV)/installed
READY := $(VENV)/ready
PIP := $(BIN)/pip install --disable-pip-version-check --constraint constraints.txt
# An index of CPU builds of torch, which PyTorch's site names. Without it, pip takes the build of the
# usual index, which on Linux depends on gigabytes of CUDA libraries.
TORCH_INDEX_URL ?=
CLIENTS := tests/clients/node_modules/.package-lock.json
FUZZ_OPERATIONS ?= 10000
# Tests start many processes, each of which would compile all modules.
unexport PYTHONDONTWRITEBYTECODE
# tests/conftest.py chooses the number of workers, and starts the slowest files first.
PARALLEL := --numprocesses=auto --dist=loadfile --no-loadscope-reorder

.PHONY: help install demo serve test test-clients test-browser test-crash test-kills soak fuzz screenshots check format bench bench-docs bench-gpu graphiql pins train-postcards eval-postcards clean

help:  ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

install: $(INSTALLED) graphiql  ## Install the command pictograph into .venv, without the tools of developers.
	@echo "Installed. $(BIN)/pictograph demo starts a server with 600 postcards; $(BIN)/pictograph --help lists all commands."

demo: $(INSTALLED) graphiql  ## Start a server without configuration, with the bundled model and 600 postcards.
	$(BIN)/pictograph demo

serve: $(INSTALLED) graphiql  ## Start the server with the settings of the environment (PICTOGRAPH_...).
	$(BIN)/pictograph serve

test: $(READY)  ## Run all tests in parallel, and check the coverage.
	$(BIN)/pytest $(PARALLEL) --cov --cov-report=term $(PYTEST_FLAGS)

test-clients: $(READY) $(CLIENTS)  ## Run the tests with Apollo, urql, Relay and other clients. Needs Node.js.
	$(BIN)/pytest --numprocesses=2 --dist=load tests/clients $(PYTEST_FLAGS)

test-browser: $(READY) graphiql  ## Run the tests of the pages in Chromium. Needs npm for axe-core.
	$(BIN)/python -m tests.browser.prepare
	$(BIN)/pytest --numprocesses=3 --dist=loadfile tests/browser $(PYTEST_FLAGS)

test-crash: $(READY)  ## Kill Pictograph at failpoints and at random moments, and check that nothing is lost.
	$(BIN)/python -m tests.crash $(CRASH_FLAGS)

soak: $(READY)  ## Let a server work under random faults for 30 minutes, and check that nothing grows.
	$(BIN)/python -m tests.crash.soak $(SOAK_FLAGS)

test-kills: $(READY)  ## Kill the embedded PostgreSQL 100 times under load, and count what is lost.
	$(BIN)/python -m tests.kill_postgres $(KILLS)

screenshots: $(READY)  ## Take the README's screenshots of the gallery, in the font Inter if it is installed.
	$(BIN)/python -m tests.browser.prepare
	FONTCONFIG_FILE=$(CURDIR)/tests/browser/fonts.conf $(BIN)/pytest tests/browser/screenshots.py

check: $(READY)  ## Check format, lint, types, the direction of imports, container files and the workflow.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.check_words
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	$(BIN)/check-jsonschema --schemafile tests/infra/schemas/kubernetes.json docs/kubernetes/*.yaml docs/kubernetes/examples/*.yaml

format: $(READY)  ## Format the code and fix lint errors.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: $(READY)  ## Decode 1,000 mutated photos (FUZZ_FLAGS="--mutations 3000"), and send 10,000 generated operations (FUZZ_OPERATIONS=500).
	$(BIN)/python -m tests.fuzz.pictures $(FUZZ_FLAGS)
	$(BIN)/python -m tests.fuzz.operations --operations $(FUZZ_OPERATIONS)

bench: $(READY)  ## Measure the speed beside a plain pipeline, in ten minutes at most (BENCH=quick: two).
	$(BIN)/python -m benchmarks

bench-docs: $(READY)  ## Run the benchmarks, and write table and chart into docs/. Needs a quiet machine.
	$(BIN)/python -m benchmarks --json docs/performance.json --svg docs/performance.svg --into docs/performance.md

bench-gpu: $(READY)  ## Measure the model on a GPU with CUDA.
	$(BIN)/python -m benchmarks.gpu

graphiql: $(INSTALLED)  ## Fetch the files of GraphiQL with npm. Without npm the page uses a CDN.
	@$(BIN)/python -m graph.http.fetch_graphiql

# Resolves in a fresh environment without the current pins. Fails if a package came from a file or a
# URL, since its pin would not install elsewhere. torch's local version (+cpu) names a build, not a
# release.
pins:  ## Write the newest releases that pyproject.toml allows into constraints.txt.
	rm -rf $(PINS)
	$(PYTHON) -m venv $(PINS)
	$(PINS)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(PINS)/bin/pip freeze --all --exclude pip --exclude-editable > $(PINS)/frozen.txt
	@! grep -Ev '^[A-Za-z0-9._-]+==[A-Za-z0-9.+]+$$' $(PINS)/frozen.txt || { echo "These packages have no pin that installs elsewhere: install them from a package index."; exit 1; }
	sed 's/+.*//' $(PINS)/frozen.txt > constraints.txt
	rm -rf $(PINS)

train-postcards: $(READY)  ## Train the bundled model into postcards/model. A stopped run resumes.
	$(BIN)/python -m postcards.train

eval-postcards: $(READY)  ## Evaluate the bundled model, and write the metrics into docs/figures.md and its card.
	$(BIN)/python -m postcards.evaluate --into docs/figures.md postcards/model/README.md

clean:  ## Delete the virtual environment and all caches, but not the data.
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pictograph needs Python 3.11 or newer. Choose one with: make PYTHON=python3.12 ...")'
	@echo "Installing into $(VENV): 1.5 GB with a CPU build of torch, which TORCH_INDEX_URL names; on Linux some 6 GB without it. It takes some minutes."
	$(PYTHON) -m venv $(VENV)
ifneq ($(TORCH_INDEX_URL),)
	$(PIP) --no-deps --index-url "$(TORCH_INDEX_URL)" torch
endif
	$(PIP) --editable .
	@touch $@

$(READY): $(INSTALLED)
	$(PIP) --quiet --editable '.[dev]'
	@touch $@

$(CLIENTS): tests/clients/package.json tests/clients/package-lock.json
	@command -v npm > /dev/null || { echo "make test-clients needs Node.js 20 or newer with npm. Install it first."; exit 1; }
	cd $(dir $<) && npm ci --loglevel=error
	@touch $@
