# Every target sets up what it needs: a virtual environment from the pins in constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PINS := build/pins
READY := $(VENV)/ready
CLIENTS := tests/clients/node_modules/.package-lock.json
# As many workers as tests/conftest.py says. In the order in which tests are collected: what takes
# longest begins first.
BESIDE := --numprocesses=auto --dist=loadfile --no-loadscope-reorder

.PHONY: help demo serve test test-clients test-browser screenshots check format bench graphiql pins train-postcards eval-postcards clean

help:  ## Say what there is to make.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

demo: $(READY) graphiql  ## Start a server with nothing configured, the model in the box and 600 postcards.
	$(BIN)/pictograph demo

serve: $(READY) graphiql  ## Start the server with your settings (PICTOGRAPH_...).
	$(BIN)/pictograph serve

test: $(READY)  ## Run every test, two files at a time on each processor, and hold the coverage.
	$(BIN)/pytest $(BESIDE) --cov --cov-report=term $(PYTEST_FLAGS)

test-clients: $(READY) $(CLIENTS)  ## Run the clients that apps use against the server; needs Node.js.
	$(BIN)/pytest --numprocesses=2 --dist=load tests/clients $(PYTEST_FLAGS)

test-browser: $(READY) graphiql  ## Use the pages as people do, in Chromium; npm brings axe-core.
	$(BIN)/python -m tests.browser.prepare
	$(BIN)/pytest --numprocesses=2 --dist=loadfile tests/browser $(PYTEST_FLAGS)

screenshots: $(READY)  ## Take the README's pictures of the gallery anew, in Inter where it is installed.
	$(BIN)/python -m tests.browser.prepare
	FONTCONFIG_FILE=$(CURDIR)/tests/browser/fonts.conf $(BIN)/pytest tests/browser/screenshots.py

check: $(READY)  ## Hold format, lint, types, the direction of imports, container files and workflow.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml

format: $(READY)  ## Put files into the house's format.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## Measure this machine: search end to end beside its parts, uploads beside the encoder.
	$(BIN)/python -m benchmarks

graphiql: $(READY)  ## Fetch GraphiQL's files, where npm is there; without it the page uses a CDN.
	@$(BIN)/python -m graph.http.fetch_graphiql

# Resolves in a fresh environment without the current pins. Fails where a package came from a file or
# a URL: its pin would not install elsewhere. torch's local version (+cpu) names a build, not a release.
pins:  ## Renew constraints.txt: the newest releases that pyproject.toml allows.
	rm -rf $(PINS)
	$(PYTHON) -m venv $(PINS)
	$(PINS)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(PINS)/bin/pip freeze --all --exclude pip --exclude-editable > $(PINS)/frozen.txt
	@! grep -Ev '^[A-Za-z0-9._-]+==[A-Za-z0-9.+]+$$' $(PINS)/frozen.txt || { echo "These lines are not pins."; exit 1; }
	sed 's/+.*//' $(PINS)/frozen.txt > constraints.txt
	rm -rf $(PINS)

train-postcards: $(READY)  ## Train the model in the box again, into postcards/model; a stopped run goes on.
	$(BIN)/python -m postcards.train

eval-postcards: $(READY)  ## Measure the model in the box, and write the figures into docs/figures.md and the card.
	$(BIN)/python -m postcards.evaluate --into docs/figures.md postcards/model/README.md

clean:  ## Forget the virtual environment and every cache, not the data.
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pictograph needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(CLIENTS): tests/clients/package.json tests/clients/package-lock.json
	@command -v npm > /dev/null || { echo "make test-clients needs Node.js 20 or newer, with npm."; exit 1; }
	cd $(dir $<) && npm ci --loglevel=error
	@touch $@
