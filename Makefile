# make demo        from nothing to a trained, exported detector that draws on a video; SHORT=1 for less
# make test        the test suite
# make lint        ruff, clang-format, pyright
# make build       the native libraries, in place and incrementally
# make robustness  kills, full disks, NaN, two writers, dying workers, in full; prints the counts
# make sanitize    the operators' tests with address and undefined-behaviour sanitizer
# make mutants     whether the tests notice seeded bugs, one after the other
#
# Each makes .venv when it is missing and installs what requirements/ pins.
.PHONY: build test lint robustness sanitize mutants demo clean
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
SOURCES = $$(find csrc tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh')

# The stamp is written last, so that an interrupted installation is never taken for a whole one.
.venv/.ready: requirements/run.txt requirements/dev.txt .ci/make_venv.py
	@command -v $(PYTHON) >/dev/null || { echo "fastpose: no $(PYTHON); install Python 3.10 to 3.13, for example: apt-get install python3 python3-venv python3-dev" >&2; exit 1; }
	@$(PYTHON) .ci/make_venv.py .venv requirements/dev.txt

# The package itself, once, editable: it brings the command line to .venv/bin/fastpose.
.venv/.installed: .venv/.ready pyproject.toml
	@$(BIN)/python setup.py -q build_ext --inplace
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation --editable .
	@touch $@

build: .venv/.installed
	@$(BIN)/python setup.py -q build_ext --inplace

test: build
	FASTPOSE_REQUIRE_NATIVE=1 timeout --signal=INT 1500 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $(SOURCES)
	$(BIN)/pyright

robustness: build
	FASTPOSE_ROBUSTNESS=full $(BIN)/python -m pytest tests/robustness

sanitize: .venv/.ready
	$(BIN)/python -m tests.sanitize

mutants: .venv/.ready
	$(BIN)/python -m tests.mutants

demo: build
	$(BIN)/python examples/demo.py $(if $(SHORT),--short)

clean:
	rm -rf build dist fastpose.egg-info fastpose/*.so
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
