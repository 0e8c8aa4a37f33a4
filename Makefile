# Two commands do everything on a machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-lowest check check-full lint format docs package tables clean

demo: $(READY)
	$(BIN)/alarmnet demo --out demo-output

test: $(READY)
	$(BIN)/python -m pytest -q

# Old PyTorch, some gigabytes: by hand, and in a job of its own. Old libraries warn of what newer ones changed.
test-lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install -c constraints-lowest.txt '.[images,report,pyod,postgres]' \
		httpx httpx2 hypothesis pandas polars pytest pytest-timeout
	.venv-lowest/bin/python -m pytest -q -W default \
		tests/test_golden_files.py tests/test_third_detector.py tests/test_files.py tests/test_batches_writer.py \
		tests/test_cli.py tests/test_containers.py

check: lint docs test

check-full: lint docs $(READY)
	$(BIN)/python -m pytest -q --full

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Not --quiet: warnings would not be counted, which end a strict build.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# The wheel, built, installed into an empty environment and used there.
package: $(READY)
	.ci/package

tables: $(READY)
	$(BIN)/python -m benchmarks.docs

# torch is installed first and pinned, since a newer one brings gigabytes of CUDA libraries along.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("alarmnet needs Python 3.11 or newer, this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-lowest demo-output site
