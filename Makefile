# Everything a contributor types. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help setup test lint types up down demo bench clean
SHELL := bash
.SHELLFLAGS := -o pipefail -c

PYTHON ?= python3.11
BIN := .venv/bin
JAVA := $(if $(JAVA_HOME),$(JAVA_HOME)/bin/java,java)

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/installed  ## create .venv with pinned packages, fetch the pinned jars; fast when done before
	@$(BIN)/tidewatch jars spark broker > .venv/jars
	@$(if $(filter setup,$(MAKECMDGOALS)),echo 'ready: .venv and the jars are in place; next: make demo')

.venv/installed: setup.py pyproject.toml conf/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo 'error: $(PYTHON) is not Python 3.11'; \
	  echo '  fix: install Python 3.11 (Debian, Ubuntu: apt install python3.11 python3.11-venv; macOS: brew install python@3.11),'; \
	  echo '       or name one you have: make setup PYTHON=/path/to/python3.11'; exit 4; }
	@version=$$($(JAVA) -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p'); [ "$${version:-0}" -ge 17 ] || { \
	  echo "error: $(JAVA) is $${version:+Java $$version, older than 17}$${version:-not there}"; \
	  echo '  fix: install Java 17 (Debian, Ubuntu: apt install openjdk-17-jre-headless; macOS: brew install openjdk@17),'; \
	  echo '       or set JAVA_HOME to one you have'; exit 4; }
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { \
	  echo 'error: $(PYTHON) cannot create virtual environments'; \
	  echo '  fix: Debian, Ubuntu: apt install python3.11-venv'; exit 4; }
	@echo 'installing the pinned packages (1.7 GB on disk; a few minutes the first time)'
	@$(BIN)/python -u -m pip install --disable-pip-version-check --progress-bar off \
	    --constraint conf/constraints.txt --editable '.[dev]' \
	  | awk '/^Collecting/ {print "  " $$2; fflush()} /^Installing/ {print "  unpacking"; fflush()}'
	@$(BIN)/tidewatch --version > $@

test: setup lint types  ## set up, lint, check types and run every test
	@$(BIN)/pytest

lint: setup  ## ruff over everything
	@$(BIN)/ruff check .

types: setup  ## mypy, strict on features and models
	@$(BIN)/mypy

up: setup  ## start the local services
	@$(BIN)/tidewatch up

down: setup  ## stop the local services
	@$(BIN)/tidewatch down

demo: setup  ## from nothing to explained alerts; KEEP=1 leaves everything running
	@$(BIN)/python -m jobs.demo $(if $(KEEP),--keep)

bench: setup  ## measure everything on this machine, which must be quiet; WHAT=drain for one measurement
	@$(BIN)/python -m tests.bench $(WHAT)

clean:  ## stop the services; remove data, models, checkpoints and caches, but not .venv and the jars
	@[ ! -x $(BIN)/tidewatch ] || $(BIN)/tidewatch down
	@[ ! -d var ] || find var -mindepth 1 -maxdepth 1 ! -name jars -exec rm -rf {} +
	@rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis spark-warehouse metastore_db derby.log
	@find features models jobs tests -type d -name __pycache__ -exec rm -rf {} +
