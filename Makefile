# Every target sets up what it needs; set-up that is current is skipped.

VENV := .venv/bin

.PHONY: setup demo test lint bench lock

setup:
	@bash deploy/setup.sh

# The stack, simulated traffic, a live view, and at the end the audit; DURATION is in seconds.
demo: setup
	@$(VENV)/likewave demo $(if $(DURATION),--seconds $(DURATION))

test: lint
	$(VENV)/python -m pytest -n auto --dist worksteal

lint: setup
	$(VENV)/ruff format --check
	$(VENV)/ruff check
	$(VENV)/mypy

bench: setup
	$(VENV)/python -m benchmarks

# Pins anew, after a change of dependencies in pyproject.toml.
PIP_TOOLS := pip-tools==7.6.2
COMPILE := .venv/lock/bin/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe \
	--strip-extras --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

lock: setup
	$(VENV)/python -m venv .venv/lock && .venv/lock/bin/pip install --quiet $(PIP_TOOLS)
	$(COMPILE) --extra local --extra dev --output-file requirements-dev.lock pyproject.toml
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml
