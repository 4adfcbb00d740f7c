"""The lake: partitions replaced whole, described in their files, the same for the same input."""

import itertools
import random
import shutil
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from duckdb.sqltypes import VARCHAR

from crust_pipeline.tables.flatten.staging import Staged
from crust_pipeline.tables.specs import TABLES, tables_of
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline_tests.tables.landing import (
    DAY,
    LOADED_AT,
    NEXT_DAY,
    enriched,
    flattened,
    landed,
    url,
)

_RUN: dict[str, Any] = {"run_id": "run-1", "loaded_at": LOADED_AT}
_ROWS = [
    {"row_id": "b", "operation": "enrich", "outcome": "matched", "profile_key": "k2"},
    {"row_id": "a", "operation": "enrich", "outcome": "dropped", "profile_key": "k1"},
]


def test_rows_come_back_typed_sorted_and_with_the_run(lake: Lake) -> None:
    lake.write_rows("outcomes", DAY, _ROWS, **_RUN)

    frame = lake.read("outcomes")

    assert frame["row_id"].tolist() == ["a", "b"]
    assert frame["partition_date"].tolist() == [DAY, DAY]
    assert frame["run_id"].unique().tolist() == ["run-1"]
    assert frame["detail"].isna().all()
    assert isinstance(frame["loaded_at"].dtype, pd.ArrowDtype)


def test_decimals_lists_and_moments_survive(lake: Lake) -> None:
    moment = datetime(2026, 1, 5, 1, 2, 3, 456789, tzinfo=UTC)
    row = {"submission_id": "s", "fields": ["a", "b"], "credits_reserved": Decimal("1.2345")}

    lake.write_rows("batches", DAY, [row | {"submitted_at": moment}], **_RUN)

    (read,) = lake.read("batches").to_dict("records")
    assert list(read["fields"]) == ["a", "b"]
    assert read["credits_reserved"] == Decimal("1.2345")
    assert read["submitted_at"] == moment


def test_a_column_the_table_does_not_have_is_refused(lake: Lake) -> None:
    with pytest.raises(ValueError, match="outcomes has no column colour"):
        lake.write_rows("outcomes", DAY, [{"colour": "red"}], **_RUN)


def test_a_partition_is_replaced_whole(lake: Lake) -> None:
    lake.write_rows("outcomes", DAY, _ROWS, **_RUN)
    lake.write_rows("outcomes", DAY, _ROWS[:1], **_RUN)

    assert lake.read("outcomes")["row_id"].tolist() == ["b"]
    assert [path.name for path in lake.path("outcomes", DAY).parent.iterdir()] == [
        "outcomes.parquet"
    ]


def test_an_empty_partition_has_the_schema(lake: Lake) -> None:
    lake.write_rows("people", DAY, [], **_RUN)

    schema = pq.read_schema(lake.path("people", DAY))
    assert schema.names == [column.name for column in TABLES["people"].stored_columns()]
    assert lake.read("people").empty


def test_the_file_describes_its_columns_and_its_origin(tmp_path: Path) -> None:
    file = landed(tmp_path, [enriched("ada")], asked=[url("ada")])
    lake = flattened(tmp_path, file).lake

    schema = pq.read_schema(lake.path("people", DAY))

    for column in TABLES["people"].stored_columns():
        described = schema.field(column.name).metadata or {}
        assert described[b"description"].decode() == column.description
    notes = pq.ParquetFile(lake.path("people", DAY)).metadata.metadata or {}
    assert notes[b"crust_pipeline.batch_ids"] == b"batch of results.jsonl.gz"
    assert notes[b"crust_pipeline.source_files"].decode() == (
        f"results.jsonl.gz sha256:{file.sha256}"
    )
    assert notes[b"crust_pipeline.spec_version"].decode() == TABLES["people"].version


def test_the_files_have_the_types_of_the_spec(tmp_path: Path) -> None:
    record = {
        "experience": {"employment_details": {"current": [{"name": "A"}]}},
        "education": {"schools": [{"start_year": 2001}]},
        "skills": {"professional_network_skills": ["Go"]},
        "certifications": [{"issue_date": "2024-01-01"}],
        "honors": [{"title": "A"}],
        "dev_platform_profiles": [{"all_topics": ["a"], "repos": [{"stars": 1}]}],
    }
    lake = flattened(
        tmp_path, landed(tmp_path, [enriched("ada", **record)], asked=[url("ada")])
    ).lake

    with duckdb.connect() as connection:
        for table in tables_of("enrich"):
            described = connection.execute(
                f"DESCRIBE FROM '{lake.path(table.name, DAY)}'"
            ).fetchall()
            types = {
                name: kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
                for name, kind, *_ in described
            }
            types.pop("partition_date")
            assert types == {column.name: column.type for column in table.stored_columns()}
            assert connection.execute(f"FROM '{lake.path(table.name, DAY)}'").fetchall()


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    lines = [
        enriched(f"p{number}", skills={"professional_network_skills": ["a", "b", str(number)]})
        for number in range(300)
    ]
    contents = []
    for place in ("one", "two"):
        folder = tmp_path / place
        folder.mkdir()
        file = landed(folder, lines, asked=[url(f"p{number}") for number in range(300)])
        lake = flattened(folder, file).lake
        contents.append([lake.path(table, DAY).read_bytes() for table in ("people", "skills")])

    assert contents[0] == contents[1]


def test_another_run_gives_the_same_content_hash(tmp_path: Path) -> None:
    file = landed(tmp_path, [enriched("ada")], asked=[url("ada")])
    first = flattened(tmp_path, file).report
    later = LOADED_AT + timedelta(days=1)

    second = flattened(tmp_path, file, run_id="run-2", loaded_at=later).report

    assert first.partitions == second.partitions


def test_other_content_gives_another_content_hash(lake: Lake) -> None:
    first = lake.write_rows("outcomes", DAY, _ROWS, **_RUN)
    second = lake.write_rows("outcomes", DAY, [_ROWS[0], _ROWS[1] | {"detail": ""}], **_RUN)

    assert first.content_hash != second.content_hash
    assert lake.partition("outcomes", DAY) == second


def test_a_partition_that_was_never_written_is_none(lake: Lake) -> None:
    assert lake.partition("outcomes", DAY) is None
    assert lake.days("outcomes") == []
    assert lake.read("outcomes").empty


def test_many_days_are_written_at_once(lake: Lake) -> None:
    written = lake.write_many("outcomes", {DAY: _ROWS, NEXT_DAY: []}, **_RUN)

    assert [(part.day, part.rows) for part in written] == [(DAY, 2), (NEXT_DAY, 0)]
    assert lake.days("outcomes") == [DAY, NEXT_DAY]


def test_days_are_read_from_start_to_end(lake: Lake) -> None:
    for offset in range(5):
        lake.write_rows("outcomes", DAY + timedelta(days=offset), _ROWS[:1], **_RUN)

    frame = lake.read("outcomes", NEXT_DAY, NEXT_DAY + timedelta(days=1))

    assert frame["partition_date"].tolist() == [date(2026, 1, 6), date(2026, 1, 7)]


def test_pyarrow_reads_the_lake_as_a_dataset(lake: Lake) -> None:
    lake.write_rows("outcomes", DAY, _ROWS, **_RUN)

    table = pq.read_table(lake.root / "outcomes")

    assert table.num_rows == 2
    assert "partition_date" in table.column_names


def test_files_of_an_older_spec_give_null_for_newer_columns(lake: Lake) -> None:
    lake.write_rows("outcomes", DAY, _ROWS, **_RUN)
    path = lake.path("outcomes", DAY)
    pq.write_table(pq.ParquetFile(path).read().drop_columns(["detail"]), path)
    lake.write_rows("outcomes", NEXT_DAY, [_ROWS[0] | {"detail": "new"}], **_RUN)

    assert lake.read("outcomes")["detail"].dropna().tolist() == ["new"]
    assert lake.read("outcomes", DAY, DAY)["detail"].isna().all()


def test_the_views_hold_all_tables(lake: Lake) -> None:
    lake.write_rows("outcomes", DAY, _ROWS, **_RUN)

    with lake.connect() as connection:
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            for table in TABLES
        }

    assert counts.pop("outcomes") == 2
    assert set(counts.values()) == {0}


def _quarantined(operation: str, reason: str) -> list[dict[str, Any]]:
    return [{"operation": operation, "reason": reason, "source_file": "f", "source_line": 1}]


def test_quarantine_keeps_the_lines_of_other_operations(lake: Lake) -> None:
    lake.write_rows(
        "quarantine", DAY, _quarantined("upstream", "old"), operations=["upstream"], **_RUN
    )
    lake.write_rows("quarantine", DAY, _quarantined("enrich", "e"), operations=["enrich"], **_RUN)
    lake.write_rows(
        "quarantine", DAY, _quarantined("upstream", "new"), operations=["upstream"], **_RUN
    )

    assert sorted(lake.read("quarantine")["reason"]) == ["e", "new"]


def test_two_operations_that_quarantine_at_once_lose_nothing(lake: Lake) -> None:
    names = [f"operation-{number}" for number in range(8)]

    def write(name: str) -> None:
        lake.write_rows("quarantine", DAY, _quarantined(name, name), operations=[name], **_RUN)

    threads = [threading.Thread(target=write, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(lake.read("quarantine")["reason"]) == names


def test_an_arrow_table_is_written_as_it_is(lake: Lake) -> None:
    rows = pa.table({"row_id": ["x"], "added_on": [DAY], "partition_date": [DAY]})

    assert lake.write_rows("profile_urls", DAY, rows, **_RUN).rows == 1
    assert lake.read("profile_urls")["added_on"].tolist() == [DAY]


def test_a_failed_write_leaves_the_old_partition_and_no_litter(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.write_rows("outcomes", DAY, _ROWS, **_RUN)

    def no_space(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crust_pipeline.tables.store.partition.sync", no_space)
    with pytest.raises(OSError, match="No space"):
        lake.write_rows("outcomes", DAY, [], **_RUN)

    assert len(lake.read("outcomes")) == 2
    assert [path.name for path in lake.path("outcomes", DAY).parent.iterdir()] == [
        "outcomes.parquet"
    ]


def test_a_day_in_many_blocks_has_the_same_rows_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        enriched(f"p{number * 7 % 50}", skills={"professional_network_skills": ["a", "b", "c"]})
        for number in range(50)
    ]
    contents = []
    for block_bytes in (1 << 20, 500):
        monkeypatch.setattr("crust_pipeline.tables.flatten.flattening.BLOCK_BYTES", block_bytes)
        folder = tmp_path / str(block_bytes)
        folder.mkdir()
        file = landed(folder, lines, asked=[url(f"p{number}") for number in range(50)])
        result = flattened(folder, file)
        contents.append([result.rows(table) for table in ("people", "skills")])

    assert contents[0] == contents[1]
    keys = [row["profile_key"] for row in contents[1][0]]
    assert keys == sorted(keys)
    assert pq.ParquetFile(result.lake.path("people", DAY)).num_row_groups > 5


def test_lines_read_a_few_at_a_time_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [enriched(f"p{number}", basic_profile={"name": "x" * number}) for number in range(50)]
    file = landed(tmp_path, lines, asked=[url(f"p{number}") for number in range(50)])
    at_once = flattened(tmp_path, file).rows("people")

    monkeypatch.setattr("crust_pipeline.tables.flatten.staging._FILE_BYTES", 500)

    assert flattened(tmp_path, file).rows("people") == at_once


def test_records_that_need_more_memory_than_expected_become_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skills = {"professional_network_skills": ["x" * 1000] * 1000}
    lines = [enriched(f"p{number}", skills=skills) for number in range(20)]
    monkeypatch.setattr("crust_pipeline.tables.flatten.flattening._MEMORY", "20MB")

    file = landed(tmp_path, lines, asked=[url(f"p{number}") for number in range(20)])
    result = flattened(tmp_path, file)

    assert len(result.rows("people")) == 20
    assert len(result.rows("skills")) == 20_000


def test_what_went_wrong_in_one_block_is_said_and_not_that_others_waited_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crust_pipeline.tables.flatten.flattening.BLOCK_BYTES", 500)
    lines = [enriched(f"p{number}") for number in range(50)]
    file = landed(tmp_path, lines, asked=[url(f"p{number}") for number in range(50)])
    fill, failed = Staged.fill, threading.Event()

    def fill_or_fail(staged: Staged) -> list[Any]:
        if staged.folder.name == "1.enrich":
            failed.set()
            raise OSError("no space left on device")
        assert failed.wait(timeout=30)
        return fill(staged)

    monkeypatch.setattr(Staged, "fill", fill_or_fail)

    with pytest.raises(OSError, match="no space left"):
        flattened(tmp_path, file)


def _rows(lake: Lake) -> list[str]:
    return [row[0] for row in lake.rows("SELECT row_id FROM {outcomes}")]


def _dataframe(lake: Lake) -> list[str]:
    return lake.read("outcomes")["row_id"].to_list()


@pytest.mark.parametrize("read", [_rows, _dataframe])
def test_what_is_read_while_a_file_is_replaced_is_the_one_or_the_other(
    lake: Lake, tmp_path: Path, read: Callable[[Lake], list[str]]
) -> None:
    counts = (5000, 3000, 9000)
    for count in counts:
        ids = [f"{number}-{count}" for number in range(count)]
        rows = [{"row_id": name, "operation": "enrich", "outcome": "matched"} for name in ids]
        lake.write_rows("outcomes", DAY, rows, **_RUN)
        shutil.copy(lake.path("outcomes", DAY), tmp_path / str(count))
    asked, ended = threading.Event(), threading.Event()

    def replace_when_asked() -> None:
        for count in itertools.cycle(counts):
            asked.wait()
            asked.clear()
            if ended.wait(timeout=random.uniform(0.005, 0.025)):  # noqa: S311 - no secret
                return
            new = shutil.copy(tmp_path / str(count), tmp_path / "new")
            Path(new).replace(lake.path("outcomes", DAY))

    writer = threading.Thread(target=replace_when_asked)
    writer.start()
    try:
        for _ in range(50):
            asked.set()
            ids = read(lake)
            assert set(ids) == {f"{number}-{len(ids)}" for number in range(len(ids))}
    finally:
        ended.set()
        asked.set()
        writer.join()


def test_a_question_is_asked_again_when_its_file_was_replaced_meanwhile(lake: Lake) -> None:
    def write(row_id: str) -> None:
        row = {"row_id": row_id, "operation": "enrich", "outcome": "matched"}
        lake.write_rows("outcomes", DAY, [row], **_RUN)

    def meanwhile(row_id: str) -> str:
        if row_id == "old":
            write("new")
        return row_id

    write("old")
    with lake.connect() as connection:
        connection.create_function("meanwhile", meanwhile, [VARCHAR], VARCHAR, side_effects=True)

        _, rows = lake.ask(connection, "SELECT meanwhile(row_id) FROM outcomes")

    assert rows == [("new",)]


def test_a_day_written_alone_has_the_same_bytes_as_with_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crust_pipeline.tables.flatten.flattening.BLOCK_BYTES", 500)
    asked: dict[str, Sequence[date]] = {
        url(f"p{number}"): [(DAY, NEXT_DAY)[number % 2]] for number in range(50)
    }
    lines = [enriched(f"p{number}", basic_profile={"name": "x" * number}) for number in range(50)]
    file = landed(tmp_path, lines, asked=asked)

    together = flattened(tmp_path, file, days=[DAY, NEXT_DAY]).lake.path("people", NEXT_DAY)
    content = together.read_bytes()
    flattened(tmp_path, file, days=[NEXT_DAY])

    assert together.read_bytes() == content
