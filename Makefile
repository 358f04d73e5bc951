# Everything from a fresh clone: `make demo` and `make test` set up an environment of their own in .venv.
PYTHON ?= python3
BIN := .venv/bin

# The report's tests need a browser; without one they are skipped. Debian's is installed where that needs no password.
define browser
for name in chromium chromium-browser google-chrome; do command -v $$name > /dev/null && exit 0; done; \
    { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && \
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } > /dev/null 2>&1; } || \
    echo "No Chromium: the report's tests in a browser will be skipped."
endef

.PHONY: demo test lint types fuzz kills bench clean

demo: .venv/installed
	mkdir -p demo
	cd demo && ../$(BIN)/zeroloop demo

test: lint types
	$(BIN)/python -m pytest -q -n auto --dist loadgroup

# Every seeded fuzzer, which is what asks tests/hostile.py for its number of cases; other cases with FIRST=: the seed of the
# first one. DEAR are those of which a case takes a tenth of a second and more, some of them a process.
FIRST ?= 100000
FUZZERS := $(shell grep -l 'from hostile import.*CASES' tests/test_*.py tests/tables/test_*.py)
DEAR := $(addprefix tests/test_,as_sklearn.py damage.py onnx.py sql.py written_dates.py)
FUZZ := ZEROLOOP_FUZZ_SEED=$(FIRST) $(BIN)/python -m pytest -q -n auto --dist loadgroup
fuzz: .venv/tested
	ZEROLOOP_FUZZ=800 $(FUZZ) $(filter-out $(DEAR),$(FUZZERS))
	ZEROLOOP_FUZZ=150 $(FUZZ) $(filter $(DEAR),$(FUZZERS))

# Each command killed twenty times, at random moments, and begun again.
kills: .venv/tested
	ZEROLOOP_KILLS=20 $(BIN)/python -m pytest -q -n auto --dist loadgroup tests/test_killed.py tests/test_resume.py

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: .venv/tested
	$(BIN)/mypy

bench: .venv/tested
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m benchmarks $(CASES)

# A stamp file each: set-up is done once, and again when pyproject.toml changes.
.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "zeroloop needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@$(browser)
	touch $@

clean:
	rm -rf .venv demo dist
