# `make run` runs Signalbox, `make test` passes its tests; both need only Python ≥ 3.11 on a fresh clone.
PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run demo test check bench chaos fuzz screenshots lock format clean

# exec: a signal that ends make reaches serve itself, not a shell in between.
run: $(VENV)/.runtime
	@PORT=$(PORT) HOST=$(HOST) exec $(BIN)/python manage.py serve

demo: $(VENV)/.runtime
	@PORT=$(PORT) HOST=$(HOST) exec $(BIN)/python manage.py serve --practice

# Real processes, clients and, where Chromium is installed, a real browser. TESTS=tests/test_x.py runs a part.
test: $(VENV)/.development
	$(BIN)/python -m pytest $(TESTS)

check: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

# BENCH="--quick --only ingest" and so on: see benchmarks/README.md.
bench: $(VENV)/.development
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks $(BENCH)

# 21,000 hostile requests to a running Signalbox; FUZZ="--seed 2" makes others. On the database of DATABASE_URL, if given.
fuzz: $(VENV)/.development
	@$(BIN)/python -m tests.fuzz $(FUZZ)

# Faults under load and the books afterwards. CHAOS="--short --database sqlite", "--list", "--help".
chaos: $(VENV)/.development
	@$(BIN)/python -m tests.chaos $(CHAOS)

# Pictures of every part of the console, in three looks, for people to look at.
screenshots: $(VENV)/.development
	SCREENSHOTS=docs/screenshots $(BIN)/python -m pytest tests/browser/test_screenshots.py

format: $(VENV)/.development
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# After changing the ranges in pyproject.toml.
lock: $(VENV)/.development
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet pyproject.toml --universal --generate-hashes --no-header --no-annotate -o requirements.txt
	$(BIN)/uv pip compile --quiet pyproject.toml --extra dev --universal --generate-hashes --no-header --no-annotate -o requirements-dev.txt

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Signalbox needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo missing)."; \
		echo "Install it, or name one that is: make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); echo "This Python can't make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

# Installed again only when the lock changes, so that a second start takes no time.
$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@echo "Installing Signalbox's packages into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing the packages for development into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
