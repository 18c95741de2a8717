# Two commands: make quickstart, make test. Everything else is python -m xmrc_jax...
# make test-slow: the tests that take minutes, which a change must pass too (.ci/run).

PYTHON ?= python3
BIN := .venv/bin
# Of pip's words only errors; the rest, a warning for each package among it, is in the log.
PIP := $(BIN)/pip install -qq --log .venv/pip.log

.PHONY: quickstart test test-slow format clean

quickstart: .venv/installed
	$(BIN)/python -m xmrc_jax.main --config configs/quickstart.py --workdir runs/quickstart
	@echo 'a page to ask it: $(BIN)/python -m xmrc_jax.serve runs/quickstart'

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -m "not slow"

test-slow: .venv/installed-test
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -m slow tests

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) --editable ".[serve]"
	touch $@

.venv/installed-test: .venv/installed
	$(PIP) --editable ".[test]"
	touch $@

clean:
	rm -rf .venv runs
