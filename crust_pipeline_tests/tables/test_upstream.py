"""The input table: read in any form people have it, every row placed, counted or quarantined."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crust_pipeline.tables import upstream as upstream_module
from crust_pipeline.tables.specs import TABLES
from crust_pipeline.tables.upstream import Upstream, UpstreamError, read_upstream, upstream_rows

_FIRST_DAY = date(2026, 1, 1)
_TODAY = date(2026, 2, 1)
_HEADER = "added_on,profile_url,business_email,external_id,note\n"


def _read(source: object, start: date = _FIRST_DAY, end: date = _TODAY) -> Upstream:
    return read_upstream(str(source), start=start, end=end, first_day=_FIRST_DAY, today=_TODAY)


def _csv(folder: Path, content: str | bytes, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _rows(upstream: Upstream) -> list[dict[str, Any]]:
    return upstream.rows.to_pylist()


def test_a_row_has_its_key_its_day_and_all_it_came_with(tmp_path: Path) -> None:
    path = _csv(
        tmp_path, _HEADER + "2026-01-05,https://LinkedIn.com/in/Ada/?x=1,a@example.com,7,hi\n"
    )

    (row,) = _rows(_read(path))

    assert row["partition_date"] == row["added_on"] == date(2026, 1, 5)
    assert row["profile_url"] == "https://LinkedIn.com/in/Ada/?x=1"
    assert row["profile_key"] == "linkedin.com/in/ada"
    assert (row["business_email"], row["external_id"]) == ("a@example.com", "7")
    assert row["extra"] == '{"note": "hi"}'
    assert row["first_name"] is None


def test_the_rows_have_the_shape_of_the_table(tmp_path: Path) -> None:
    upstream = _read(_csv(tmp_path, _HEADER))

    assert upstream.rows.column_names == [column.name for column in TABLES["profile_urls"].columns]
    assert upstream.rows.num_rows == 0


def test_a_row_that_names_nobody_has_no_key(tmp_path: Path) -> None:
    path = _csv(tmp_path, _HEADER + "2026-01-05,https://example.com/ada,,,\n2026-01-05,,,1,\n")

    assert [row["profile_key"] for row in _rows(_read(path))] == [None, None]


def test_an_email_is_the_key_when_there_is_no_url(tmp_path: Path) -> None:
    path = _csv(tmp_path, "business_email,added_on\nAda@Example.com,2026-01-05\n")

    assert _rows(_read(path))[0]["profile_key"] == "ada@example.com"


@pytest.mark.parametrize(
    "text",
    ["2026-01-05", "2026-01-05T23:30:00", "2026-01-05 10:00:00", "2026-01-06T00:30:00+01:00"],
)
def test_days_are_read_from_dates_and_moments(tmp_path: Path, text: str) -> None:
    path = _csv(tmp_path, _HEADER + f"{text},linkedin.com/in/ada,,,\n")

    assert _rows(_read(path))[0]["partition_date"] == date(2026, 1, 5)


def test_rows_of_no_partition_are_counted_over_the_whole_file(tmp_path: Path) -> None:
    days = ["2025-12-31", "2026-02-02", "soon", "", "2026-01-05", "2026-01-20"]
    path = _csv(tmp_path, _HEADER + "".join(f"{day},linkedin.com/in/ada,,,\n" for day in days))

    upstream = _read(path, date(2026, 1, 20), date(2026, 1, 20))

    assert upstream.unplaced == 4
    assert upstream.rows.num_rows == 1
    assert upstream.quarantined == ()


def test_row_ids_stay_when_the_file_is_read_again_or_grows(tmp_path: Path) -> None:
    rows = ["2026-01-05,linkedin.com/in/ada,,1,\n"] * 2 + ["2026-01-05,linkedin.com/in/bo,,,\n"]
    before = [row["row_id"] for row in _rows(_read(_csv(tmp_path, _HEADER + "".join(rows))))]
    rows += ["2026-01-06,linkedin.com/in/ada,,1,\n", "2026-01-05,linkedin.com/in/ada,,1,\n"]

    after = [row["row_id"] for row in _rows(_read(_csv(tmp_path, _HEADER + "".join(rows))))]

    assert after[:3] == before
    assert len(set(after)) == 5


def test_row_ids_do_not_depend_on_the_days_asked_for(tmp_path: Path) -> None:
    rows = [f"2026-01-0{day},linkedin.com/in/ada,,,\n" for day in (5, 6, 6)]
    path = _csv(tmp_path, _HEADER + "".join(rows))

    one = [row["row_id"] for row in _rows(_read(path, date(2026, 1, 6), date(2026, 1, 6)))]

    assert one == [row["row_id"] for row in _rows(_read(path))][1:]


def test_row_ids_are_told_apart_by_where_a_value_stands(tmp_path: Path) -> None:
    path = _csv(tmp_path, _HEADER + "2026-01-05,x,,,\n2026-01-05,,x,,\n2026-01-05,,,x,\n")

    assert len({row["row_id"] for row in _rows(_read(path))}) == 3


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("2026-01-05,a,b\n", "3 values for 5 columns"),
        ("2026-01-05,a,b,c,d,e,f\n", "7 values for 5 columns"),
        ('2026-01-05,"a"b,,,\n', "not CSV: ',' expected after '\"'"),
        ('2026-01-05,"never closed,,,\n', "not CSV: unexpected end of data"),
    ],
)
def test_a_broken_line_costs_itself_and_no_other(tmp_path: Path, bad: str, reason: str) -> None:
    good = "2026-01-05,linkedin.com/in/{},,,\n"
    path = _csv(
        tmp_path, _HEADER + good.format("ada") + bad + good.format("bo") + good.format("cy")
    )

    upstream = _read(path)

    assert [row["profile_url"][-3:].strip("/n") for row in _rows(upstream)] == ["ada", "bo", "cy"]
    (line,) = upstream.quarantined
    assert (line.source_line, line.reason, line.line) == (3, reason, bad.rstrip("\n"))


def test_a_quoted_value_may_hold_delimiters_and_line_ends(tmp_path: Path) -> None:
    path = _csv(tmp_path, _HEADER + '2026-01-05,"x,""y"", z",,,"a\nb"\n2026-01-05,v,,\n')

    upstream = _read(path)

    (row,) = _rows(upstream)
    assert row["profile_url"] == 'x,"y", z'
    assert row["extra"] == '{"note": "a\\nb"}'
    assert upstream.quarantined[0].source_line == 4


def test_lines_in_another_encoding_are_read_and_noted(tmp_path: Path) -> None:
    lines = "2026-01-05,linkedin.com/in/jos\xe9,,,caf\xe9\n"
    path = _csv(tmp_path, _HEADER.encode() + lines.encode("cp1252") + lines.encode())

    upstream = _read(path)

    assert {row["profile_key"] for row in _rows(upstream)} == {"linkedin.com/in/jos\xe9"}
    assert {row["extra"] for row in _rows(upstream)} == {'{"note": "caf\xe9"}'}
    (note,) = upstream.notes
    assert "1 lines are not UTF-8" in note


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_and_a_byte_order_mark_are_read(tmp_path: Path, delimiter: str) -> None:
    content = (_HEADER + "2026-01-05,linkedin.com/in/ada,,,\n").replace(",", delimiter)
    path = _csv(tmp_path, b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode())

    assert _rows(_read(path))[0]["profile_key"] == "linkedin.com/in/ada"


def test_several_files_are_one_table(tmp_path: Path) -> None:
    for name in ("b", "a"):
        _csv(tmp_path, _HEADER + f"2026-01-05,linkedin.com/in/{name},,,\n", f"{name}.csv")

    assert [row["profile_key"][-1] for row in _rows(_read(tmp_path / "*.csv"))] == ["a", "b"]


def test_parquet_is_read_whatever_its_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "added_on": pa.array([date(2026, 1, 5), None], pa.date32()),
            "profile_url": ["linkedin.com/in/ada", ""],
            "external_id": pa.array([7, 8], pa.int64()),
            "seen": pa.array(
                [datetime(2026, 1, 1, 2, 3, tzinfo=UTC), None], pa.timestamp("us", "UTC")
            ),
        }
    )
    pq.write_table(table, tmp_path / "people.parquet")

    upstream = _read(tmp_path / "people.parquet")

    (row,) = _rows(upstream)
    assert (row["external_id"], row["extra"]) == ("7", '{"seen": "2026-01-01 02:03:00+00"}')
    assert upstream.unplaced == 1


def test_parquet_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(**columns: str) -> None:
        given = pa.table({name: [value] for name, value in columns.items()})
        pq.write_table(given, tmp_path / "new")
        (tmp_path / "new").replace(tmp_path / "people.parquet")

    def check(name: str, columns: list[str]) -> None:
        if "note" in columns:
            write(profile_url="linkedin.com/in/grace", added_on="2026-01-06")
        checked(name, columns)

    checked = upstream_module._check_columns
    monkeypatch.setattr(upstream_module, "_check_columns", check)
    write(added_on="2026-01-05", profile_url="linkedin.com/in/ada", note="x")

    (row,) = _rows(_read(tmp_path / "people.parquet"))

    assert row["profile_key"][-5:] == "grace"


def test_csv_that_is_written_over_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(name: str, columns: list[str]) -> None:
        if "ada" in path.read_text():
            _csv(tmp_path, _HEADER + "2026-01-05,linkedin.com/in/grace,,,\n" * 2)
        checked(name, columns)

    checked = upstream_module._check_columns
    monkeypatch.setattr(upstream_module, "_check_columns", check)
    path = _csv(tmp_path, _HEADER + "2026-01-05,linkedin.com/in/ada,,,\n")

    keys = [row["profile_key"][-5:] for row in _rows(_read(path))]

    assert keys == ["grace", "grace"]


def test_a_row_has_the_same_id_in_csv_and_parquet(tmp_path: Path) -> None:
    path = _csv(tmp_path, _HEADER + "2026-01-05,linkedin.com/in/ada,,7,\n")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM '{path}') TO '{tmp_path / 'people.parquet'}'")

    ids = [_rows(_read(source))[0]["row_id"] for source in (path, tmp_path / "people.parquet")]

    assert ids[0] == ids[1]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match=r"There is no file .*nothing\.csv"):
        _read(tmp_path / "nothing.csv")


def test_a_pattern_that_matches_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match=r"No file matches .*\*\.csv"):
        _read(tmp_path / "*.csv")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("profile_url,x\n", "has no column added_on. Its columns are: profile_url, x"),
        ("added_on,name\n", "has no column profile_url or business_email. Its columns are"),
        ("", "has no column added_on and no column profile_url or business_email"),
    ],
)
def test_missing_columns_are_named(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(UpstreamError, match=message):
        _read(_csv(tmp_path, header))


def test_a_parquet_file_without_the_columns_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "people.parquet")

    with pytest.raises(UpstreamError, match="has no column added_on"):
        _read(tmp_path / "people.parquet")


def test_a_file_that_is_no_text_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes(b"\x89PNG\r\x1a\0" * 10)

    with pytest.raises(UpstreamError, match="is not CSV"):
        _read(tmp_path / "people.csv")


def test_a_file_that_is_no_parquet_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "people.parquet").write_text("hello")

    with pytest.raises(UpstreamError, match="cannot be read"):
        _read(tmp_path / "people.parquet")


def test_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="There is no file"):
        _read(tmp_path)


def test_rows_from_elsewhere_take_the_shape_of_the_table() -> None:
    rows = [{"profile_url": "linkedin.com/in/Ada", "score": 3, "company_name": None}]
    table = upstream_rows(rows, day=date(2026, 1, 5))

    (row,) = table.to_pylist()
    assert (row["partition_date"], row["profile_key"]) == (date(2026, 1, 5), "linkedin.com/in/ada")
    assert (row["extra"], row["company_name"]) == ('{"score": "3"}', None)
    assert row["row_id"]
