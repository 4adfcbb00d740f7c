"""Files that are cut, altered or lost: found, named, and never the reason why tables lose rows."""

import errno
import gzip
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline.app import days
from crust_pipeline.app.days import InputRowsGoneError, plan_days
from crust_pipeline.app.installation import Installation
from crust_pipeline.ledger import queries, store
from crust_pipeline.settings import Settings
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline_tests.command_line import Ended, crust
from crust_pipeline_tests.people import DAYS

FIRST = ("--from", str(DAYS[0]), "--to", str(DAYS[0]))
OTHERS = ("--from", str(DAYS[1]), "--to", str(DAYS[-1]))
ALL = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]))
ENRICH = ("--operation", "enrich")


@pytest.fixture
def data(settings: dict[str, str]) -> Path:
    """A data folder in which all days are bought, the first of them by itself."""
    for period in (FIRST, OTHERS):
        done = crust("run", *period, *ENRICH, settings=settings)
        assert done.code == 0, done.err
    return Path(settings["CRUST_DATA_DIR"])


def told(ended: Ended) -> str:
    return " ".join(ended.err.split())


def rows(data: Path, table: str = "people") -> list[int]:
    lake = Lake(data / "lake")
    parts = [lake.partition(table, day) for day in DAYS]
    return [part.rows if part else -1 for part in parts]


def batch_of_first_day(settings: dict[str, str]) -> dict[str, Any]:
    installation = Installation(settings=Settings.from_env(settings))
    (batch,) = queries.batches(installation.ledger, first_partitions=[DAYS[0]])
    installation.ledger.close()
    return batch


def spoil(raw: Path, how: str) -> None:
    raw.chmod(0o600)
    if how == "gone":
        raw.unlink()
    elif how == "cut":
        raw.write_bytes(raw.read_bytes()[: raw.stat().st_size // 2])
    else:
        text = gzip.decompress(raw.read_bytes()).replace(b'"name"', b'"eman"')
        raw.write_bytes(gzip.compress(text))


@pytest.mark.parametrize("how", ["cut", "altered", "gone"])
@pytest.mark.parametrize("command", [("rebuild",), ("run", *ALL, *ENRICH)], ids=["rebuild", "run"])
def test_a_spoilt_raw_file_leaves_its_day_as_it_is_and_is_named(
    settings: dict[str, str], data: Path, how: str, command: tuple[str, ...]
) -> None:
    batch, before = batch_of_first_day(settings), rows(data)
    raw = data / "raw" / batch["source_file"]
    good = raw.read_bytes()
    spoil(raw, how)
    Lake(data / "lake").path("people", DAYS[1]).unlink()

    done = crust(*command, settings=settings)

    assert done.code == 1
    assert f"raw file {batch['source_file']} of batch {batch['submission_id']} is" in told(done)
    assert "from a backup made after it landed" in told(done)
    assert f"`crust-pipeline refetch {batch['submission_id']}`" in told(done)
    assert rows(data) == before  # the first day's as they were, and the other day's made anew
    raw.unlink(missing_ok=True)
    raw.write_bytes(good)
    assert crust(*command, settings=settings).code == 0


def test_a_lookup_out_of_a_spoilt_file_shows_nothing_of_it(
    settings: dict[str, str], data: Path
) -> None:
    person = "https://www.linkedin.com/in/sb-example-someone"
    assert crust("lookup", person, "--yes", settings=settings).code == 0
    (raw,) = (data / "raw" / "crustdata" / "contact").iterdir()
    spoil(raw, "cut")
    done = crust("lookup", person, "--yes", settings=settings)
    assert done.code == 1
    assert "is altered" in told(done)


def test_verify_finds_everything_as_it_should_be(settings: dict[str, str], data: Path) -> None:
    done = crust("verify", "--json", settings=settings)
    assert (done.code, done.json["faults"]) == (0, [])
    assert done.json["raw_files"] == 2
    assert done.json["partitions"] > 10
    before = {path: path.stat().st_mtime_ns for path in (data / "lake").rglob("*.parquet")}
    assert crust("verify", "--sample", "1", settings=settings).out.startswith(
        "Checked 1 raw files, 1 partitions"
    )
    assert before == {path: path.stat().st_mtime_ns for path in (data / "lake").rglob("*.parquet")}


def test_verify_names_each_fault_and_what_to_do(settings: dict[str, str], data: Path) -> None:
    batch, lake = batch_of_first_day(settings), Lake(data / "lake")
    spoil(data / "raw" / batch["source_file"], "altered")
    lake.path("people", DAYS[1]).unlink()
    cut = lake.path("outcomes", DAYS[2])
    cut.write_bytes(cut.read_bytes()[:200])

    done = crust("verify", "--json", settings=settings)

    faults = {(fault["place"], fault["name"]): fault["problem"] for fault in done.json["faults"]}
    assert done.code == 1
    assert "refetch" in faults["raw", batch["source_file"]]
    assert f"`crust-pipeline rebuild --from {DAYS[1]}" in faults["lake", f"people {DAYS[1]}"]
    assert "cannot be read" in faults["lake", f"outcomes {DAYS[2]}"]
    assert "no file in the lake" in faults["warehouse", f"people {DAYS[1]}"]
    assert len(faults) == 5  # the warehouse also misses the lake's outcomes
    assert "Error: raw: The raw file" in crust("verify", settings=settings).err


def test_verify_finds_rows_that_the_ledger_does_not_know_of(
    settings: dict[str, str], data: Path
) -> None:
    lake = Lake(data / "lake")
    shutil.copy(lake.path("outcomes", DAYS[0]), lake.path("outcomes", DAYS[2]))
    done = crust("verify", settings=settings)
    assert done.code == 1
    assert f"{DAYS[2]} of outcomes has 6 rows, and the ledger says 3" in told(done)


@pytest.mark.parametrize("how", ["cut", "gone"])
def test_verify_says_how_to_get_a_good_warehouse(
    settings: dict[str, str], data: Path, how: str
) -> None:
    path = data / "warehouse.duckdb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if how == "gone":
        path.unlink()
    done = crust("verify", settings=settings)
    command = "rebuild" if how == "cut" else "refresh"
    assert done.code == 1
    assert f"`crust-pipeline warehouse {command}`" in told(done)
    assert crust("warehouse", command, settings=settings).code == 0
    assert crust("verify", settings=settings).code == 0


def test_a_run_with_a_damaged_warehouse_leaves_it_behind(
    settings: dict[str, str], data: Path
) -> None:
    path = data / "warehouse.duckdb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = crust("run", *ALL, *ENRICH, settings=settings)
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "The lake is complete; the warehouse is" in said
    assert "`crust-pipeline warehouse rebuild`" in said


def test_refresh_with_a_lost_file_keeps_its_rows_and_says_what_restores_it(
    settings: dict[str, str], data: Path
) -> None:
    Lake(data / "lake").path("people", DAYS[0]).unlink()
    done = crust("warehouse", "refresh", settings=settings)
    assert done.code == 1
    assert f"`crust-pipeline rebuild --from {DAYS[0]} --to {DAYS[0]}`" in told(done)
    assert crust("run", *FIRST, *ENRICH, settings=settings).code == 0
    assert rows(data)[0] == 6
    assert crust("warehouse", "refresh", settings=settings).code == 0


def test_days_whose_input_rows_are_lost_are_not_planned_as_if_they_had_none(
    settings: dict[str, str], data: Path
) -> None:
    installation = Installation(settings=Settings.from_env(settings))
    installation.lake.path("profile_urls", DAYS[0]).unlink()
    before = queries.outcome_counts(installation.ledger, "enrich", DAYS)
    with pytest.raises(InputRowsGoneError, match=f"--from {DAYS[0]} --to {DAYS[0]}"):
        plan_days(installation, "enrich", DAYS, policy=installation.policy)
    assert queries.outcome_counts(installation.ledger, "enrich", DAYS) == before
    installation.ledger.close()


def test_lost_answers_are_restored_before_it_is_decided_who_is_left_over(
    settings: dict[str, str], data: Path
) -> None:
    installation = Installation(settings=Settings.from_env(settings))
    assert days._days_to_load(installation, "enrich", DAYS) == []
    installation.lake.path("skills", DAYS[1]).unlink()
    assert days._days_to_load(installation, "enrich", DAYS) == [DAYS[1]]
    installation.ledger.close()


def test_a_full_disk_under_the_lake_is_one_sentence_and_the_next_run_goes_on(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full)
    done = crust("run", *FIRST, *ENRICH, settings=settings)
    assert done.code == 1
    assert told(done).count("No space is left in") == 1
    assert str(Path(settings["CRUST_DATA_DIR"]) / "lake") in told(done)
    monkeypatch.undo()
    assert crust("run", *FIRST, *ENRICH, settings=settings).code == 0
    assert rows(Path(settings["CRUST_DATA_DIR"]))[0] == 6


def test_a_full_disk_under_raw_names_the_folder_in_status_and_the_file_lands_later(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("crust_pipeline.buying.land.fetch_file", full)
    done = crust("run", *FIRST, *ENRICH, settings=settings)
    assert done.code == 1
    assert told(done).count("No space is left in") == 1
    (failed,) = crust("status", "--json", settings=settings).json["troubled"]
    assert failed["error"].startswith(f"No space is left in {settings['CRUST_DATA_DIR']}/raw: ")
    monkeypatch.undo()
    assert crust("run", *FIRST, *ENRICH, settings=settings).code == 0


def test_a_locked_ledger_says_so_in_one_sentence(
    settings: dict[str, str], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0)
    other = sqlite3.connect(data / "ledger.db")
    other.execute("BEGIN IMMEDIATE")
    try:
        done = crust("run", *FIRST, *ENRICH, settings=settings)
    finally:
        other.close()
    assert done.code == 1
    assert "The ledger is locked: another process has been writing to it" in told(done)
    assert "restore a backup" not in told(done)


def test_a_ledger_without_room_names_its_folder(
    settings: dict[str, str], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure = store._configure_sqlite

    def small(connection: Any, record: object) -> None:
        configure(connection, record)
        connection.execute("PRAGMA max_page_count = 1")  # not below what there is

    monkeypatch.setattr(store, "_configure_sqlite", small)
    upstream = Path(settings["CRUST_UPSTREAM"])
    more = [f"2026-01-05,https://www.linkedin.com/in/more-{n}" for n in range(3000)]
    upstream.write_text("added_on,profile_url\n" + "\n".join(more))
    done = crust("run", *FIRST, *ENRICH, settings=settings)
    assert done.code == 1
    assert f"No space is left for the ledger in {data}. This step wrote nothing" in told(done)


def test_status_counts_scratch_folders(settings: dict[str, str], data: Path) -> None:
    left = data / "scratch" / "flatten-left"
    left.mkdir(parents=True)
    (left / "0.spool").write_bytes(b"x" * 1000)
    found = crust("status", "--json", settings=settings).json["scratch"]
    assert found == {"folders": 1, "abandoned": 1, "size_bytes": 1000}
    assert "Scratch: 1 folders" in crust("status", settings=settings).out
    assert crust("run", *FIRST, *ENRICH, settings=settings).code == 0
    assert not left.exists()
