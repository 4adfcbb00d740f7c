"""The command `upgrade`, and upgrades that other commands make."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crust_pipeline.ledger import schema
from crust_pipeline.ledger.migrations import migrations_after
from crust_pipeline.ledger.store import Ledger
from crust_pipeline_tests.command_line import crust
from crust_pipeline_tests.databases import POSTGRES
from crust_pipeline_tests.old_ledgers import FIRST, dump, old_ledger

pytestmark = pytest.mark.skipif(POSTGRES is not None, reason="about files")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {"CRUST_DATA_DIR": str(tmp_path)}


def test_upgrade_tells_first_and_then_does(path: Path, settings: dict[str, str]) -> None:
    old_ledger(FIRST, path.parent)
    before = dump(path)
    asked = crust("upgrade", "--check", settings=settings)
    assert asked.code == 1
    assert f"version 1 of its schema; this program uses {schema.VERSION}" in asked.out
    assert migrations_after(0)[0].what in " ".join(asked.out.split())
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert dump(path) == before

    done = crust("upgrade", settings=settings)
    assert done.code == 0
    assert f"ledger.db.before-upgrade-to-{schema.VERSION}" in done.out.replace("\n", "")
    for option in ([], ["--check"]):
        again = crust("upgrade", *option, settings=settings)
        assert (again.code, "up to date" in again.out) == (0, True)


def test_upgrade_tells_scripts_as_well(path: Path, settings: dict[str, str]) -> None:
    old_ledger(FIRST, path.parent)
    asked = crust("upgrade", "--check", "--json", settings=settings)
    latest = schema.VERSION
    pending = [{"version": each.version, "what": each.what} for each in migrations_after(1)]
    told = {"version": 1, "latest": latest, "pending": pending, "backup": None}
    assert (asked.code, asked.json) == (1, told)
    done = crust("upgrade", "--json", settings=settings)
    backup = str(path.with_name(f"ledger.db.before-upgrade-to-{latest}"))
    assert done.json == {"version": latest, "latest": latest, "pending": [], "backup": backup}


@pytest.mark.parametrize("option", [[], ["--check"]])
def test_upgrade_makes_no_ledger_where_there_is_none(
    option: list[str], path: Path, settings: dict[str, str]
) -> None:
    done = crust("upgrade", *option, settings=settings)
    assert (done.code, "no ledger yet" in done.out) == (0, True)
    assert not path.exists()


def test_upgrade_refuses_a_newer_ledger(path: Path, settings: dict[str, str]) -> None:
    newer = Ledger(f"sqlite:///{path}", account="test")
    with newer.write() as tx:
        tx.con.execute(schema.info.update().values(version=99))
    newer.close()
    done = crust("upgrade", "--check", settings=settings)
    assert (done.code, "newer release" in done.err) == (1, True)


def test_other_commands_upgrade_by_themselves_and_say_so(
    path: Path, settings: dict[str, str]
) -> None:
    old_ledger(FIRST, path.parent)
    told = [
        subprocess.run(
            [sys.executable, "-m", "crust_pipeline", "status"],
            env={"PATH": os.environ["PATH"], **settings},
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for _ in range(2)
    ]
    assert told[0].count("event=ledger_upgraded") == 1
    assert not told[1]
