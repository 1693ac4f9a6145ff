# Everything happens in one virtual environment, which each target sets up as far as it needs: .venv, and for a Python that
# is named, as in `make test PYTHON=python3.13`, one of its own, .venv-python3.13.
PYTHON ?= python3
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
OLDEST := .venv-oldest
FRAMEWORKS := .venv-frameworks
PARITY := .venv-parity
# what the parity environment is held to: nothing, so that it has the newest torch and peers; `-c constraints.txt` for ours
HELD ?=
# A stray PYTHONPATH would test something else than what is installed; without bytecode every process compiles everything anew.
unexport PYTHONPATH PYTHONDONTWRITEBYTECODE

.PHONY: help demo test docs docs-links studio frameworks parity oldest check bench soak clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: $(VENV)/.lab  ## real models without warmup, with one of 5 % and one of half the run (two minutes); see runs/demo/report.html
	$(BIN)/preheat compare demo --out runs/demo

# one file in one process: what costs much, a browser, the site, a cluster, is set up once
test: $(VENV)/.dev  ## all tests, laws and doctests
	$(BIN)/pytest -q -n auto --dist loadfile

docs: $(VENV)/.dev  ## the site, from docs/ and the docstrings; open docs/_build/html/index.html
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet --builder html docs docs/_build/html

docs-links: $(VENV)/.dev  ## whether every page that the site leads to still answers (needs a network)
	$(BIN)/python docs/links.py --check

studio: studio/node_modules/.done  ## the page of `preheat studio`, checked and bundled anew (needs node)
	cd studio && npm run --silent check && npm run --silent build

frameworks: $(FRAMEWORKS)/.dev  ## the tests of every framework, with all of them installed (some gigabytes)
	$(FRAMEWORKS)/bin/pytest -q -n auto --dist loadfile tests/frameworks

parity: $(PARITY)/.peers  ## other libraries run beside their restatements, with the newest of them (some gigabytes)
	$(PARITY)/bin/pytest -q -n auto --dist loadfile tests/parity tests/compat
	$(PARITY)/bin/python -m benchmarks.parity

oldest: $(OLDEST)/.dev  ## the tests with the oldest version of every dependency that is claimed (torch is large there)
	$(OLDEST)/bin/pytest -q -n auto --dist loadfile -W default tests src

check: $(VENV)/.dev  ## style, types
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyrefly check --python-interpreter-path $(BIN)/python

bench: $(VENV)/.dev  ## speed beside the peers, in one process
	$(BIN)/python -m benchmarks

soak: $(VENV)/.dev  ## kill a training run fifty times and resume it; 50,000 random programs of resuming, from a fresh seed
	PREHEAT_KILLS=50 $(BIN)/pytest -q tests/torch/test_kill.py
	PREHEAT_RESUMES=50000 PREHEAT_SEED=$(shell date +%s) $(BIN)/pytest -q -n auto tests/torch/resuming/test_resuming.py

clean:  ## remove the environments and what the runs wrote
	rm -rf .venv .venv-* runs

studio/node_modules/.done: studio/package.json studio/package-lock.json
	cd studio && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(OLDEST)/.dev: pyproject.toml constraints-oldest.txt
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet -c constraints-oldest.txt -e ".[dev]"
	@touch $@

$(FRAMEWORKS)/.dev: pyproject.toml constraints.txt
	test -x $(FRAMEWORKS)/bin/python || $(PYTHON) -m venv $(FRAMEWORKS)
	$(FRAMEWORKS)/bin/python -m pip install --quiet -c constraints.txt -e ".[frameworks]"
	@touch $@

$(PARITY)/.peers: pyproject.toml requirements-parity.txt
	test -x $(PARITY)/bin/python || $(PYTHON) -m venv $(PARITY)
	$(PARITY)/bin/python -m pip install --quiet $(HELD) -e ".[dev]"
	grep -v '^#' requirements-parity.txt | while read peer; do \
		$(PARITY)/bin/python -m pip install --quiet --no-deps "$$peer" || echo "left out, for it cannot be installed here: $$peer"; \
	done
	@touch $@

$(VENV)/.lab: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[lab]"
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.lab
