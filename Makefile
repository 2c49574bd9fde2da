# make demo: install what the app needs and start it on http://localhost:8501
# make test: install what the tests need and run every one
PYTHON ?= python3
BIN := .venv/bin
# With BLAS's own choice of code for the processor, as users have it, whatever is set here.
BENCH := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python -m

.PHONY: demo test check bench pictures

demo: .venv/app
	$(BIN)/streamlit run app.py

test: .venv/dev
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m pytest

check: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev .venv/bench
	$(BIN)/python -m tests.browser.chromium
	$(BENCH) benchmarks.training
	$(BENCH) benchmarks.attacks
	$(BENCH) benchmarks.other_attacks
	$(BENCH) benchmarks.curves
	$(BENCH) benchmarks.page
	$(BENCH) benchmarks.presets
	$(BENCH) benchmarks.load

# The README's screenshot and animation.
pictures: .venv/dev
	$(BIN)/python -m tests.browser.chromium
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

# The peers ask for old versions of what the app needs, so they are installed without asking them.
.venv/bench: benchmarks/requirements.txt .venv/dev
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -r benchmarks/requirements.txt
	@touch $@
