"""Who may import whom (docs/architecture.md): held here, so that the core stays free of Dagster."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "crust_pipeline"
LAYERS = {
    "vendor": {"vendor"},
    "ledger": {"ledger"},
    "batching": {"vendor", "ledger", "batching"},
    "marts": {"marts"},
    "tables": {"tables"},
    "sandbox": {"sandbox", "vendor"},
    "inbox": {"inbox", "ledger"},
}
# Canonical keys and errors are everybody's; the vendor's models know nothing but themselves.
SHARED = {"identity", "errors"}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    for path in (PACKAGE / layer).rglob("*.py"):
        ours = {
            name.split(".")[1] for name in imports_of(path) if name.startswith("crust_pipeline.")
        }
        assert ours <= LAYERS[layer] | SHARED, path


def test_dagster_is_imported_only_by_the_dagster_layer() -> None:
    for path in PACKAGE.rglob("*.py"):
        if "defs" in path.parts or path.name == "definitions.py":
            continue
        roots = {name.split(".")[0] for name in imports_of(path)}
        assert "dagster" not in roots, path


@pytest.mark.parametrize("arguments", [["--help"], ["status"]])
def test_quick_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import sys; from crust_pipeline.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'dagster', 'duckdb', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={"CRUST_DATA_DIR": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
