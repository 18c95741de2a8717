# Two commands: make quickstart, make test. Everything else is python -m xmrc_jax...
# make test-slow: the tests that take minutes, which a change must pass too (.ci/run).

PYTHON ?= python3
BIN := .venv/bin
# Of pip's words only errors: where an index is incomplete it warns of each package again and again.
PIP := $(BIN)/pip install -qq

.PHONY: quickstart test test-slow docs-tables format clean

quickstart: .venv/installed
	$(BIN)/python -m xmrc_jax.main --config configs/quickstart.py --workdir runs/quickstart
	@echo 'a page to ask it: $(BIN)/python -m xmrc_jax.serve runs/quickstart'

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -m "not slow"

test-slow: .venv/installed-test
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -m slow tests

# The tables of docs/plan.md, docs/scale.md and docs/speed.md from the present code; hours.
docs-tables: .venv/installed-test
	$(BIN)/python -m benchmarks.docs_tables

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/installed: requirements.txt pyproject.toml
	@echo 'installing into .venv, which takes minutes'
	$(PYTHON) -m venv .venv
	$(PIP) --editable ".[serve]"
	touch $@

.venv/installed-test: .venv/installed
	$(PIP) --editable ".[test]"
	touch $@

clean:
	rm -rf .venv runs
