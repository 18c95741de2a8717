# Two commands: make quickstart, make test. Everything else is python -m xmrc_jax...

PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test docs-tables format clean

quickstart: .venv/installed
	$(BIN)/python -m xmrc_jax.main --config configs/quickstart.py --workdir runs/quickstart
	@echo 'a page to ask it: $(BIN)/python -m xmrc_jax.serve runs/quickstart'

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest

# The tables of docs/plan.md, docs/scale.md and docs/speed.md from the present code; hours.
docs-tables: .venv/installed-test
	$(BIN)/python -m benchmarks.docs_tables

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable ".[serve]"
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@

clean:
	rm -rf .venv runs
