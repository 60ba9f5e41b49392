# SPDX-License-Identifier: GPL-3.0-or-later
# Each target makes the environment it needs from nothing. PYTHON=... names an interpreter, 3.11 or newer; `packages`
# are made for that one, or for the distribution's.

PYTHON ?=
VENV := .venv
CANDIDATES := $(PYTHON) python3.13 python3.12 python3.11 python3

.DEFAULT_GOAL := help
.PHONY: help .venv demo test tools packages bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[.a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv: $(VENV)/.made ## the environment, made again when pyproject.toml or constraints.txt change

$(VENV)/.made: pyproject.toml constraints.txt
	@for candidate in $(CANDIDATES); do \
	    if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "$$candidate -m venv $(VENV)"; \
	        exec "$$candidate" -m venv --clear $(VENV); \
	    fi; \
	done; \
	echo "make: no Python 3.11 or newer with venv among: $(CANDIDATES)" >&2; \
	echo "make: install one (and its venv package), or name it: make PYTHON=/path/to/python3 ..." >&2; \
	exit 1
	@extra=$$($(VENV)/bin/python examples/stack/postgresql.py >/dev/null || echo '[demo]'); \
	echo "pip install -c constraints.txt -e .$$extra"; \
	$(VENV)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt -e ".$$extra"
	@touch $@

demo: .venv ## upgrade a real stack: PostgreSQL, a slow search service, a web application
	$(VENV)/bin/python examples/stack/demo.py

test: $(VENV)/.made-test tools ## everything: unit, integration, e2e, lint, types, man pages
	@echo "$(VENV)/bin/python -m pytest -n 4 $(ARGS)"; \
	$(VENV)/bin/python -m pytest -n 4 $(ARGS) || { \
	    echo "make: what failed beside others is run once more, alone"; \
	    $(VENV)/bin/python -m pytest --last-failed --last-failed-no-failures none $(ARGS); }

$(VENV)/.made-test: $(VENV)/.made
	$(VENV)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt -e ".[test,demo]"
	@touch $@

# What the tests use of the machine. Only CI installs it; elsewhere a missing part is skipped with its reason.
tools:
	@if [ "$$CI" = true ]; then tests/install-packages; fi

packages: .venv ## the .deb and the .rpm, self-contained, in dist/
	$(VENV)/bin/python packaging/build.py $(if $(PYTHON),--interpreter $(PYTHON))

bench: $(VENV)/.made-test ## the benchmarks, side by side with their peers
	$(VENV)/bin/python benchmarks/runner.py

clean: ## remove what make made
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache
