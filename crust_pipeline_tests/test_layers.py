"""Who may import whom (docs/architecture.md): held here, so that the core stays free of Dagster."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "crust_pipeline"
# What each room may import, by floor; a module in the root is a room of its own.
_BASE = {"errors", "keys", "private_files", "settings"}
_CORE = {*_BASE, "vendors", "ledger", "buying", "tables"}
MAY_IMPORT = {
    "errors": set[str](),
    "keys": {"errors"},
    "private_files": set[str](),
    "settings": {"errors"},
    "ledger": {"errors", "private_files"},
    "vendors": {*_BASE, "ledger"},
    "buying": {*_BASE, "vendors", "ledger"},
    "tables": {*_BASE, "vendors", "ledger"},
    "marts": {"ledger"},
    "inbox": {"errors", "ledger"},
    "sandbox": {"vendors"},
    "local_dagster": {"errors", "private_files"},
    "app": {*_CORE, "marts"},
    "report": {*_CORE, "app", "marts"},
    "steps": {"app"},
    "__init__": {"settings", "tables"},
    "defs": {*_CORE, "app", "marts", "report", "local_dagster"},
    "definitions": {"defs", "settings"},
    "__main__": {"cli"},
    "cli": {*_CORE, "app", "marts", "report", "local_dagster", "inbox", "sandbox", "defs"},
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def imports_of(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "crust_pipeline":
            found |= {f"crust_pipeline.{name.name}" for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return frozenset(found)


def rooms_imported(path: Path) -> set[str]:
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("crust_pipeline.")}
    return ours - {room_of(path)}


def test_every_room_of_the_package_has_its_floor() -> None:
    assert {room_of(path) for path in modules()} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    for path in modules():
        if room_of(path) == room:
            assert rooms_imported(path) <= MAY_IMPORT[room], path


def test_no_import_leads_back_up() -> None:
    floors: dict[str, int] = {}

    def floor(room: str, above: tuple[str, ...] = ()) -> int:
        assert room not in above, f"a circle: {' -> '.join([*above, room])}"
        if room not in floors:
            below = (floor(other, (*above, room)) for other in MAY_IMPORT[room])
            floors[room] = 1 + max(below, default=0)
        return floors[room]

    # `__main__` only starts `cli`: it is no floor of its own.
    assert max(floor(room) for room in MAY_IMPORT if room != "__main__") <= 8


def test_dagster_is_imported_only_by_the_dagster_layer() -> None:
    for path in modules():
        if room_of(path) in {"defs", "definitions"}:
            continue
        roots = {name.split(".")[0] for name in imports_of(path)}
        assert "dagster" not in roots, path


@pytest.mark.parametrize("arguments", [["--help"], ["status"]])
def test_quick_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import sys; from crust_pipeline.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'alembic', 'dagster', 'dotenv', 'duckdb', 'pandas', 'pyarrow', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={"CRUST_DATA_DIR": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
