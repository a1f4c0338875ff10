# Two commands do all set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types imports format bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,kafka]'
	touch $@

demo: $(STAMP) ## the whole pipeline on this machine: a planted tail regression is found and named
	$(BIN)/tailgate demo

test: check ## format, lint, types, import contracts, then every test

check: lint types imports
	$(BIN)/python -m pytest -q

lint: $(STAMP)
	$(BIN)/ruff format --check monitor collectors tests
	$(BIN)/ruff check monitor collectors tests

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

format: $(STAMP) ## format and fix what can be fixed
	$(BIN)/ruff format monitor collectors tests
	$(BIN)/ruff check --fix monitor collectors tests

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache
