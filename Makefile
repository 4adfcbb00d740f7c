# Plain commands behind short names. `make demo` and `make test` need only Python (3.11 or newer) and make.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: demo dev test test-fast lint format docs lock clean bench

# --no-deps: the lock file is complete, and pip 23 cannot match hashes of extras such as gql[requests].
.venv/installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: .venv/installed
	$(BIN)/crust-pipeline demo $(ARGS)

dev: .venv/installed
	$(BIN)/crust-pipeline dev $(ARGS)

# Three workers for two cores: tests of kills and of the daemon mostly wait for processes to start and to end.
test: .venv/installed
	$(BIN)/python -m pytest --numprocesses 3 --dist loadgroup $(ARGS)

# Pure logic and small SQLite, for between two edits; what belongs to it is in crust_pipeline_tests/conftest.py.
# Three workers here too: most tests start a sandbox, and wait a tenth of a second for it to end.
test-fast: .venv/installed
	$(BIN)/python -m pytest -m fast --numprocesses 3 $(ARGS)

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

format: .venv/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The pages of docs/ that are made from the code.
docs: .venv/installed
	$(BIN)/python -m tools

# BENCH: flatten, slots, scale, inbox, ledger; docs/performance.md says what each needs and how long it takes.
# And campaign: kills and faults at random moments, and the vendors' books at the end.
bench: .venv/installed
	$(BIN)/python -m bench.$(BENCH) $(ARGS)

lock:
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --python-version 3.11 \
		--extra ui --extra servers --extra report --extra postgres --group dev pyproject.toml --output-file requirements.txt --quiet

clean:
	rm -rf .venv .demo .pytest_cache .ruff_cache
