# make demo: set up and make a picture.  make test: the whole suite.  make help: the rest.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
NPM := web/npm.sh
EDITOR := nodegraph/server/static/index.html
MODULES := web/node_modules/.package-lock.json
CHROMIUM := $(firstword $(shell command -v chromium chromium-browser google-chrome google-chrome-stable))
export OMP_WAIT_POLICY ?= passive
# Tests start many processes: each would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup web browser demo serve test stress slow check format bench docs types thumbnails clean

help: ## say what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup: $(READY) ## make .venv with nodegraph and everything tests need

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "nodegraph needs Python 3.11 or newer; run: make PYTHON=python3.12 setup"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,credentials,segmentation,training]'
	# spandrel asks for torchvision, of which it uses two functions that it gets from us (diffusion/upscale/foreign.py).
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps spandrel
	@touch $@

web: $(EDITOR) ## build the editor into the server

$(MODULES): web/package-lock.json | setup
	$(NPM) ci
	@touch $@

$(EDITOR): $(MODULES) $(shell find web/src web/index.html web/vite.config.ts -type f)
	$(NPM) run build

browser: ## have a Chromium for the tests of the editor
ifeq ($(CHROMIUM),)
	@test "$$(id -u)" = 0 && command -v apt-get > /dev/null || \
		{ echo "the tests of the editor need Chromium: install the package chromium"; exit 1; }
	apt-get update -qq && apt-get install -y -qq chromium
endif

demo: setup ## make a picture from a prompt with the shipped model, and print where it is
	$(BIN)/nodegraph run workflows/txt2img.json --out output

stress: setup ## kill servers and workers at random moments, thirty times
	NODEGRAPH_STRESS=30 $(BIN)/python -m pytest -q -o faulthandler_timeout=0 tests/server/test_kill.py

serve: setup web ## serve the editor, jobs and gallery at http://127.0.0.1:8288
	$(BIN)/nodegraph serve

test: setup check web browser ## everything: style, types, layers, tests
	$(NPM) test
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

slow: setup ## what takes minutes: 10,000 unmarked pictures, a picture of 4096 x 4096
	for file in tests/slow/unmarked.py tests/slow/large.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

check: setup $(MODULES) ## style, types and layers alone
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python web/api_types.py --check
	$(NPM) run lint
	$(NPM) run types

format: setup $(MODULES) ## put the code into form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(NPM) run format

bench: setup ## measure; prints ratios of things measured side by side
	for file in tests/benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file; done

docs: setup ## write the node reference
	$(BIN)/nodegraph nodes --markdown > docs/nodes.md

types: setup ## write the API's types for the editor
	$(BIN)/python web/api_types.py

thumbnails: setup ## run the examples, for the pictures in the editor's list of templates
	$(BIN)/python web/thumbnails.py

clean: ## remove what make made
	rm -rf web/node_modules nodegraph/server/static
	rm -rf .venv output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
