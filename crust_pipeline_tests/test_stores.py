"""Ledger, raw folder and lake that do not belong together: nothing is bought, both are named."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from crust_pipeline.ledger import stores as ledger_stores
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline_tests.command_line import Ended, crust
from crust_pipeline_tests.databases import POSTGRES
from crust_pipeline_tests.people import DAYS

pytestmark = pytest.mark.skipif(POSTGRES is not None, reason="about files")

FIRST = ("--from", str(DAYS[0]), "--to", str(DAYS[0]), "--operation", "enrich")
ALL = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]), "--operation", "enrich")


def told(ended: Ended) -> str:
    return " ".join(ended.err.split())


@pytest.fixture
def data(settings: dict[str, str]) -> Path:
    """A data folder in which the first day is bought."""
    done = crust("run", *FIRST, settings=settings)
    assert done.code == 0, done.err
    return Path(settings["CRUST_DATA_DIR"])


def lose_ledger(data: Path) -> None:
    for path in data.glob("ledger.db*"):
        path.unlink()


@pytest.mark.parametrize("left", ["raw", "lake", "both"])
def test_an_empty_ledger_beside_what_was_bought_buys_nothing(
    settings: dict[str, str], data: Path, sandbox: RunningSandbox, left: str
) -> None:
    lose_ledger(data)
    (data / "ledger.db").touch()
    if left != "both":
        shutil.rmtree(data / ("lake" if left == "raw" else "raw"))
    for mark in data.glob("*/.ledger"):
        mark.unlink()  # what a release from before has left
    spent = sandbox.state.account.spent

    done = crust("run", *ALL, settings=settings)

    assert done.code == 1
    assert f"1 batch lies in {data / (left if left != 'both' else 'raw')}" in told(done)
    assert "ledger.db does not know them" in told(done)
    assert "--new-ledger" in told(done)
    assert "--restore-claims" in told(done)
    assert sandbox.state.account.spent == spent
    assert crust("plan", *ALL, settings=settings).code == 0
    assert crust("status", settings=settings).code == 0


def test_an_older_ledger_beside_what_was_bought_buys_nothing(
    settings: dict[str, str], data: Path, sandbox: RunningSandbox
) -> None:
    with sqlite3.connect(data / "ledger.db") as con:
        con.execute("VACUUM INTO ?", [str(data / "backup.db")])
    assert crust("run", *ALL, settings=settings).code == 0
    lose_ledger(data)
    (data / "backup.db").rename(data / "ledger.db")
    spent = sandbox.state.account.spent

    for command in (("run", *ALL), ("rebuild",)):
        done = crust(*command, settings=settings)
        assert (done.code, "1 batch lies in" in told(done)) == (1, True)
    assert sandbox.state.account.spent == spent


def test_a_ledger_that_holds_as_planned_what_was_bought_since_buys_nothing(
    settings: dict[str, str], data: Path, sandbox: RunningSandbox
) -> None:
    with sqlite3.connect(data / "ledger.db") as con:
        con.execute("UPDATE submissions SET state = 'planned', batch_id = NULL")
    spent = sandbox.state.account.spent
    assert crust("run", *FIRST, settings=settings).code == 1
    assert crust("upgrade", "--restore-claims", settings=settings).code == 0
    assert crust("run", *FIRST, settings=settings).code == 0
    assert sandbox.state.account.spent == spent


def test_a_new_ledger_is_taken_when_somebody_says_so(
    settings: dict[str, str], data: Path, sandbox: RunningSandbox
) -> None:
    lose_ledger(data)
    assert crust("run", *FIRST, settings=settings).code == 1
    done = crust("upgrade", "--new-ledger", settings=settings)
    assert (done.code, "Set aside in them: 1 batch." in done.out) == (0, True)
    spent = sandbox.state.account.spent
    assert crust("run", *FIRST, settings=settings).code == 0
    assert sandbox.state.account.spent == 2 * spent


@pytest.mark.parametrize("place", ["raw", "lake"])
def test_a_second_store_for_an_account_is_refused_and_both_are_named(
    settings: dict[str, str], data: Path, tmp_path: Path, place: str
) -> None:
    second = tmp_path / "second"
    for command in (("run", *ALL), ("rebuild",)):
        done = crust(*command, settings={**settings, f"CRUST_{place.upper()}": str(second)})
        assert done.code == 1
        assert str(second) in told(done)
        assert str(data / place) in told(done)
    assert not list(second.glob("*"))


def test_a_lake_with_another_ledger_is_refused(
    settings: dict[str, str], data: Path, tmp_path: Path
) -> None:
    other = {
        **settings,
        "CRUST_DATA_DIR": str(tmp_path / "other"),
        "CRUST_LAKE": str(data / "lake"),
    }
    done = crust("run", *FIRST, settings=other)
    assert done.code == 1
    assert f"{data / 'lake'} belongs to another ledger" in told(done)
    assert str(tmp_path / "other" / "ledger.db") in told(done)


def test_two_accounts_share_a_ledger_and_have_a_lake_each(
    settings: dict[str, str], data: Path, tmp_path: Path
) -> None:
    other = {
        **settings,
        "CRUST_DATA_DIR": str(tmp_path / "other"),
        "CRUST_LEDGER_URL": f"sqlite:///{data / 'ledger.db'}",
        "CRUST_ACCOUNT": "another",
    }
    assert crust("run", *FIRST, settings=other).code == 0
    assert crust("run", *FIRST, settings=settings).code == 0


def test_stores_that_are_moved_with_their_ids_go_on(
    settings: dict[str, str], data: Path, tmp_path: Path
) -> None:
    moved = data.rename(tmp_path / "moved")
    done = crust("run", *ALL, settings={**settings, "CRUST_DATA_DIR": str(moved)})
    assert done.code == 0, done.err


def test_an_installation_from_before_there_were_ids_gets_them_quietly(
    settings: dict[str, str], data: Path
) -> None:
    with sqlite3.connect(data / "ledger.db") as con:
        con.execute("DELETE FROM stores")
    for place in ("raw", "lake"):
        (data / place / ".ledger").unlink()
    assert crust("run", *ALL, settings=settings).code == 0
    assert (data / "raw" / ".ledger").exists()
    assert (data / "lake" / ".ledger").exists()


def test_a_kill_between_the_ledger_and_the_folders_heals(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    enter = ledger_stores.enter

    def killed(*args: object) -> None:
        enter(*args)  # pyright: ignore[reportArgumentType]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ledger_stores, "enter", killed)
        assert crust("run", *FIRST, settings=settings).code == 130
    assert crust("run", *FIRST, settings=settings).code == 0
