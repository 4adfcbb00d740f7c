"""Which tests are fast, and what collecting them loads."""

import subprocess
import sys
from pathlib import Path

import pytest

from crust_pipeline_tests.conftest import FAST_FOLDERS, FAST_MODULES, SLOW_MODULES, TESTS, is_fast

COLLECT = """
import sys, pytest
assert pytest.main(["--collect-only", "-qq", "-m", "fast", "-p", "no:cacheprovider"]) == 0
print("dagster" in sys.modules, "crust_pipeline_tests.test_keys" in sys.modules)
"""
IMPORT = """
import importlib, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
print("dagster" in sys.modules)
"""


def last_line(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.process
def test_collecting_the_fast_tests_does_not_load_dagster() -> None:
    assert last_line(COLLECT) == "False True"


@pytest.mark.process
def test_only_the_tests_of_the_dagster_layer_load_dagster_at_collection() -> None:
    paths = [path.relative_to(TESTS.parent) for path in TESTS.rglob("test_*.py")]
    names = [".".join(path.with_suffix("").parts) for path in paths if "defs" not in path.parts]
    assert len(names) > 100
    assert last_line(IMPORT, *sorted(names)) == "False"


def test_what_the_lists_name_exists() -> None:
    assert all((TESTS / folder).is_dir() for folder in FAST_FOLDERS)
    assert all((TESTS / f"{module}.py").is_file() for module in FAST_MODULES | SLOW_MODULES)


@pytest.mark.parametrize(
    ("module", "fast"),
    [
        ("test_keys.py", True),
        ("buying/test_new.py", True),
        ("tables/test_specs.py", True),
        ("tables/test_new.py", False),
        ("ledger/test_machine.py", False),
        ("new_folder/test_new.py", False),
    ],
)
def test_what_is_fast_follows_from_where_it_stands(module: str, fast: bool) -> None:
    assert is_fast(TESTS / Path(module)) == fast
