"""A lost ledger is read back from the lake and the raw folder, and nothing is bought again."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline_tests.command_line import crust
from crust_pipeline_tests.databases import POSTGRES
from crust_pipeline_tests.people import DAYS, write_people

pytestmark = pytest.mark.skipif(POSTGRES is not None, reason="about files")

FIRST = ("--from", str(DAYS[0]), "--to", str(DAYS[0]))
ALL = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]))


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """Profiles and e-mail addresses, some of them twice, one unusable."""
    path = tmp_path / "people.csv"
    urls = [(DAYS[n % 3], f"https://www.linkedin.com/in/person-{n // 2}", "") for n in range(12)]
    emails = [(DAYS[n % 3], "", f"person.{n}@example.com") for n in range(6)]
    columns = ("added_on", "profile_url", "business_email")
    write_people(path, [*urls, *emails, (DAYS[0], "https://example.com/x", "")], columns=columns)
    return path


@pytest.fixture
def data(settings: dict[str, str]) -> Path:
    """A data folder in which everything is bought, the first day by itself."""
    for period in (FIRST, ALL):
        done = crust("run", *period, settings=settings)
        assert done.code == 0, done.err
        if period is FIRST:
            path = Path(settings["CRUST_DATA_DIR"])
            with sqlite3.connect(path / "ledger.db") as con:
                con.execute("VACUUM INTO ?", [str(path / "backup.db")])
    return Path(settings["CRUST_DATA_DIR"])


def lose_ledger(data: Path) -> None:
    for path in data.glob("ledger.db*"):
        path.unlink()


@pytest.mark.parametrize("what", ["all", "no raw files", "no tables", "an older ledger"])
def test_after_it_nothing_that_was_bought_is_bought_again(
    settings: dict[str, str], data: Path, sandbox: RunningSandbox, what: str
) -> None:
    lose_ledger(data)
    if what == "no raw files":
        shutil.rmtree(data / "raw")
    elif what == "no tables":
        shutil.rmtree(data / "lake")
    elif what == "an older ledger":
        (data / "backup.db").rename(data / "ledger.db")
    done = crust("upgrade", "--restore-claims", settings=settings)
    assert done.code == 0, done.err
    spent, jobs = sandbox.state.account.spent, len(sandbox.state.jobs)

    crust("run", *ALL, settings=settings)

    assert sandbox.state.account.spent == spent
    if what != "no tables":  # of whom the vendor knows nothing there is no line
        assert len(sandbox.state.jobs) == jobs


def test_after_it_tables_and_outcomes_are_as_they_were(
    settings: dict[str, str], data: Path
) -> None:
    query = (
        "SELECT operation, partition_date, row_id, outcome FROM outcomes ORDER BY ALL",
        "SELECT profile_key, name, partition_date FROM people ORDER BY ALL",
    )

    def contents() -> list[object]:
        return [crust("sql", each, "--json", settings=settings).json for each in query]

    before = contents()
    lose_ledger(data)
    assert crust("upgrade", "--restore-claims", settings=settings).code == 0
    done = crust("rebuild", settings=settings)
    assert done.code == 0, done.err
    assert contents() == before


def test_twice_is_once(settings: dict[str, str], data: Path) -> None:
    lose_ledger(data)
    assert crust("upgrade", "--restore-claims", settings=settings).code == 0
    again = crust("upgrade", "--restore-claims", settings=settings)
    assert (again.code, again.out.startswith("0 batches with 0 people")) == (0, True)


def test_what_an_account_bought_under_the_name_of_its_proxy_is_restored_under_todays(
    settings: dict[str, str], upstream: Path
) -> None:
    assert upstream.exists()
    rest = ("--from", str(DAYS[1]), "--to", str(DAYS[-1]))
    for period, account in ((FIRST, "proxy.example"), (rest, "api.crustdata.com")):
        done = crust("run", *period, settings=settings | {"CRUST_ACCOUNT": account})
        assert done.code == 0, done.err
    lose_ledger(Path(settings["CRUST_DATA_DIR"]))
    now = settings | {"CRUSTDATA_BASE_URL": "https://proxy.example"}

    restored = crust("upgrade", "--restore-claims", "--json", settings=now)

    assert (restored.code, restored.json["failed"]) == (0, [])
    plans = crust("plan", *ALL, "--json", settings=now).json
    assert [plan["batches"] for plan in plans] == [[]] * len(plans)
