# make setup | demo | test | test-numeric | test-browser | test-slow | test-wheel | lint | docs | bench | figures | wheel | clean
# Everything is installed into .venv, once; a stamp file remembers it until what it depends on changes.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
OUT := out

.PHONY: setup demo test test-numeric test-browser test-slow test-wheel lint docs bench figures wheel clean
.DELETE_ON_ERROR:

setup: $(VENV)/.impasto

demo: setup
	mkdir -p $(OUT)
	$(BIN)/impasto demo -o $(OUT)/demo.png --overwrite

test: $(VENV)/.test
	# One thread a worker: more than one in each would wait for one another.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not browser" -n auto --dist worksteal

# As on a processor with AVX2 only and one thread, and with two threads.
test-numeric: $(VENV)/.test
	OMP_NUM_THREADS=1 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 \
		$(BIN)/python -m pytest -m "numeric and not slow" -n auto --dist worksteal
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -m "numeric and not slow"

# In headless Chromium. What cannot be installed is named, and its tests are skipped.
test-browser: $(VENV)/.test
	tests/browser/install.sh
	$(BIN)/python -m pytest -m "browser and not slow" -rs tests/browser tests/studio

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

docs: $(VENV)/.docs
	$(BIN)/zensical build --strict

bench: $(VENV)/.test $(VENV)/.bench
	$(BIN)/python -m benchmarks.run

# The tables in the docs, from benchmarks/results and the nets that ship.
figures: $(VENV)/.impasto
	$(BIN)/python -m benchmarks.figures

wheel: $(VENV)/.publish
	rm -rf dist build
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

# Page, words and API of the studio from the built wheel, in an environment of its own.
test-wheel: wheel $(VENV)/.test
	IMPASTO_WHEEL=$$(ls dist/*.whl) $(BIN)/python -m pytest -m slow tests/studio/test_wheel.py

clean:
	rm -rf $(VENV) $(OUT) dist build site

$(VENV)/.pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than 3.11; expected 3.11 or later: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "pip>=25.1"  # dependency groups
	touch $@

$(VENV)/.impasto: pyproject.toml constraints.txt $(VENV)/.pip
	$(INSTALL) --editable .
	touch $@

# The tests run, and the type checker reads, what the extras bring.
$(VENV)/.extras: $(VENV)/.impasto
	$(INSTALL) --editable ".[all]"
	touch $@

$(VENV)/.test $(VENV)/.lint: $(VENV)/.extras
$(VENV)/.test $(VENV)/.lint $(VENV)/.docs $(VENV)/.publish $(VENV)/.bench: $(VENV)/.%: $(VENV)/.impasto
	$(INSTALL) --group $*
	touch $@
