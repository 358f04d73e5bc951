# Everything from a fresh clone: `make demo` and `make test` set up an environment of their own in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# The report's tests need a browser; without one they are skipped. Debian's is installed where that needs no password.
define browser
for name in chromium chromium-browser google-chrome; do command -v $$name > /dev/null && exit 0; done; \
    { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && \
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } > /dev/null 2>&1; } || \
    echo "No Chromium: the report's tests in a browser will be skipped."
endef

.PHONY: core sanitize bits demo test lint types fuzz kills bench clean

demo: core
	mkdir -p demo
	cd demo && ../$(BIN)/zeroloop demo

test: lint types core
	$(BIN)/python -m pytest -q -n auto --dist loadgroup

# Every seeded fuzzer, which is what asks tests/hostile.py for its number of cases; other cases with FIRST=: the seed of the
# first one. DEAR are those of which a case takes a tenth of a second and more, some of them a process.
FIRST ?= 100000
FUZZERS := $(shell grep -l 'from hostile import.*CASES' tests/test_*.py tests/tables/test_*.py)
DEAR := $(addprefix tests/test_,as_sklearn.py damage.py onnx.py sql.py written_dates.py)
FUZZ := ZEROLOOP_FUZZ_SEED=$(FIRST) $(BIN)/python -m pytest -q -n auto --dist loadgroup
fuzz: .venv/tested core
	ZEROLOOP_FUZZ=800 $(FUZZ) $(filter-out $(DEAR),$(FUZZERS))
	ZEROLOOP_FUZZ=150 $(FUZZ) $(filter $(DEAR),$(FUZZERS))

# Each command killed twenty times, at random moments, and begun again.
kills: .venv/tested core
	ZEROLOOP_KILLS=20 $(BIN)/python -m pytest -q -n auto --dist loadgroup tests/test_killed.py tests/test_resume.py

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: .venv/tested
	$(BIN)/mypy

bench: .venv/tested core
	$(PIP) --no-build-isolation --editable '.[bench]'
	$(BIN)/python -m benchmarks $(CASES)

# The core of this working tree, anew where its sources changed.
core: .venv/installed
	@$(BIN)/python tools/backend.py

# The core's tests under gcc's AddressSanitizer and UndefinedBehaviorSanitizer, in a copy of the package. What throws needs
# the C++ library before Python is there.
SANITIZED := build/sanitized
sanitize: .venv/tested core
	rm -rf $(SANITIZED) && mkdir -p $(SANITIZED) && cp -r src/zeroloop $(SANITIZED) && rm -f $(SANITIZED)/zeroloop/core.*.so
	$(BIN)/python tools/backend.py --sanitize $(SANITIZED)/zeroloop
	LD_PRELOAD="$$(c++ -print-file-name=libasan.so) $$(c++ -print-file-name=libstdc++.so)" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=$(SANITIZED) \
	    $(BIN)/python -m pytest -q -n auto tests/test_core*.py tests/test_algebra.py

# Fits on every kind of processor that this one can stand in for, with the cores of clang and Zig too where those are: one
# table of hashes. With an ARM, on Debian: make bits PYTHONS="'arm=$$(sh tools/arm64.sh FOLDER)'"
CLANG = $(shell command -v clang++)
ZIG = $(shell command -v zig || $(BIN)/python -c "import ziglang; print(ziglang.__path__[0] + '/zig')" 2> /dev/null)
bits: .venv/tested core
	$(if $(CLANG),CXX=$(CLANG) $(BIN)/python tools/backend.py build/clang)
	$(if $(ZIG),CXX="$(ZIG) c++" $(BIN)/python tools/backend.py build/zig)
	$(BIN)/python -m benchmarks.bits --cores $(if $(CLANG),clang=build/clang) $(if $(ZIG),zig=build/zig) --pythons $(PYTHONS)

# A stamp file each: set-up is done once, and again when pyproject.toml changes.
.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "zeroloop needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) $$($(BIN)/python tools/backend.py requires) || \
	    { echo "What builds zeroloop's core could not be fetched from PyPI, for the reason above."; exit 2; }
	$(PIP) --no-build-isolation --editable .
	touch $@

.venv/tested: .venv/installed
	$(PIP) --no-build-isolation --editable '.[test]'
	@$(browser)
	touch $@

clean:
	rm -rf .venv build demo dist src/zeroloop/core.*.so
