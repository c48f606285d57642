# Two commands: `make sweep` shows what sweeper does, `make test` holds what it promises.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help sweep test test-fast test-extras lint clean

help:
	@echo "make sweep        the 5 x 3 grid on the embedded data set: a table in a minute or two"
	@echo "make test         lint, type check and all tests of one machine"
	@echo "make test-fast    the part of the tests that takes less than a minute"
	@echo "make test-extras  what needs a browser, Slurm, Ray or a notebook"
	@echo "make clean        remove the environment and all caches; outputs/ stays"

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

sweep: $(VENV)/.installed
	$(BIN)/python -m sweeper.train -m experiment=grid dataset=digits

test: lint
	$(BIN)/pytest -m "not cuda and not cluster and not browser" --durations=8

test-fast: $(VENV)/.installed-test
	$(BIN)/pytest -m "not slow and not cuda and not cluster and not browser"

test-extras: $(VENV)/.installed-test
	$(BIN)/pytest -m "cluster or browser" || [ $$? -eq 5 ]   # 5: none of these are written yet

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
