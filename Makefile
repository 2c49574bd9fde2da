# make demo      install what the app needs, start it on http://localhost:8501
# make test      install what the tests need, run them all; of the slow ones a sample
# make quick     for everyday work: the checks, and a sixth of the tests that are fast
# make thorough  every test with all its cases
# make hostile   10,000 hostile files, messages and addresses; 500 writers that are killed
# make check     the linter, the types, who may import whom
# make bench     measure speed and quality beside the peers, write benchmarks/RESULTS.md
# make pictures  take the README's pictures anew
PYTHON ?= python3
BIN := .venv/bin
# Four processes at most; tests/conftest.py says how many, and what sample make test runs.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

.PHONY: demo test quick thorough hostile check bench pictures

demo: .venv/app
	$(BIN)/streamlit run app.py

test: .venv/browser
	$(PYTEST)

quick: check
	$(PYTEST) --quick

thorough: .venv/browser
	$(PYTEST) --thorough

hostile: .venv/dev
	$(PYTEST) --hostile tests/hostile

check: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/bench .venv/browser
	$(BIN)/python -m benchmarks

pictures: .venv/browser
	$(BIN)/python -m docs.pictures

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/app: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m core data
	@touch $@

.venv/dev: requirements-dev.txt .venv/app
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# A browser for the tests, and nginx, looked for each time.
.PHONY: .venv/browser
.venv/browser: .venv/dev
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m tests.browser.nginx

# The peers ask for old versions of what the app needs, so they are installed without asking them.
.venv/bench: benchmarks/requirements.txt .venv/dev
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -r benchmarks/requirements.txt
	@touch $@
