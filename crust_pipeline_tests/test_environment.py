"""The environment is read at the edges, once; everything below is handed its settings."""

import ast
import os
import pkgutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import crust_pipeline
from crust_pipeline.cli import demo
from crust_pipeline.settings import Settings

PACKAGE = Path(__file__).parent.parent / "crust_pipeline"
EDGES = {
    "__init__.py",  # read(), for notebooks
    "settings.py",
    "definitions.py",  # build_defs() without settings
    "defs/partitions.py",  # `daily` and
    "defs/schedules.py",  # `plan_job`, as published, for users' own modules
    "local_dagster/processes.py",  # hands it to its children
}
READERS = {"environ", "getenv", "from_env"}


def reads_the_environment(path: Path) -> bool:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    imported = {
        name.name for node in nodes if isinstance(node, ast.ImportFrom) for name in node.names
    }
    return bool(READERS & (used | imported))


def test_only_the_edges_read_the_environment() -> None:
    modules = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    reading = {name for name, path in modules.items() if reads_the_environment(path)}
    assert {name for name in reading if not name.startswith("cli/")} == EDGES


def test_no_module_reads_settings_when_it_is_imported() -> None:
    names = [
        name
        for _, name, _ in pkgutil.walk_packages(crust_pipeline.__path__, "crust_pipeline.")
        if not name.endswith("__main__") and name != "crust_pipeline.definitions"
    ]
    unusable = {spec.metadata["variable"]: "\N{SNOWMAN}" for spec in fields(Settings)}
    program = f"import importlib\nfor name in {names}: importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **unusable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "crust_pipeline.defs.graph" in names


def test_the_demonstration_takes_nothing_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = demo._environment("http://127.0.0.1:1", "http://127.0.0.1:2")
    alone = Settings.from_env(environment)
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("CRUST_LEDGER_URL=sqlite:///ours.db\nCRUST_ENRICH_FIELDS=name\n")
    monkeypatch.setenv("CRUST_ACCOUNT", "ours")
    for variable, text in environment.items():
        monkeypatch.setenv(variable, text)
    assert Settings.from_env() == alone
