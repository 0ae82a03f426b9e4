# One Model, Many Tasks. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SITE := _build/html

# How many tests run at a time: notebooks and files of tests, tests/scheduling.py says in which order.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest --ignore=tests/benchmarks
AT_A_TIME := -n $(WORKERS)

# Waiting threads sleep: on a busy machine spinning ones make small models many times slower.
export OMP_WAIT_POLICY := PASSIVE
# Tests, kernels and builds are dozens of processes: the package is compiled for all of them once.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help book serve pdf links test suite unit lint notebooks colab bench set-repo clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

book: $(READY)  ## Build the website from the stored outputs, warnings as errors
	$(BIN)/jupyter-book build . --warningiserror --nitpick --keep-going
	@echo "The book is at $(SITE)/index.html"

serve: book  ## Build the website and serve it on http://127.0.0.1:8000
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory $(SITE)

pdf: book  ## Print the website into one PDF, which the website then offers (needs Chromium)
	$(BIN)/python book/tools/print_book.py
	cp _build/pdf/book.pdf $(SITE)/one-model-many-tasks.pdf

links: $(READY)  ## Follow every link that leads elsewhere (needs a network)
	$(BIN)/jupyter-book build . --builder linkcheck --path-output $(CURDIR)/_build/links

test: $(READY)  ## Run every check: lint, types, unit tests, notebooks, website (WORKERS=2 at a time)
	@$(MAKE) --no-print-directory --jobs=2 lint suite

suite: $(READY)
	MTL_BUILD_BOOK=1 $(PYTEST) $(AT_A_TIME)

unit: $(READY)  ## Run the unit tests alone
	$(PYTEST) $(AT_A_TIME) --ignore=tests/notebooks --ignore=tests/site

lint: $(READY)  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

notebooks: $(READY)  ## Execute notebooks in place, store clean outputs (CHAPTER=02 for one)
	$(BIN)/python book/tools/execute.py $(CHAPTER)

colab: $(READY)  ## Run chapters with the versions that Colab has (CHAPTER=02 for one)
	$(BIN)/python book/tools/colab.py $(CHAPTER)

bench: $(READY)  ## Run the benchmarks: ratios measured side by side
	$(BIN)/python -m pytest tests/benchmarks -s

set-repo:  ## Name the repository everywhere: make set-repo REPO=owner/name
	@$(PYTHON) book/tools/set_repository.py "$(REPO)"

clean:  ## Remove the built website
	rm -rf _build book/api/*.rst
