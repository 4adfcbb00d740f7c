"""Money and tables say the same of every line: an item is billed exactly when it makes a row."""

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crust_pipeline.tables.flatten.flattening import flatten
from crust_pipeline.tables.specs import TABLES, tables_of
from crust_pipeline.tables.store.lake import Lake, open_duckdb
from crust_pipeline.vendors.catalog import OPERATIONS, line_of
from crust_pipeline.vendors.landed import read_answers
from crust_pipeline.vendors.lines import LIST, Line
from crust_pipeline_tests.tables.landing import DAY, landed

LOADED_AT = datetime(2026, 11, 2, tzinfo=UTC)
# What is asked of the tables for each item: rows that are there because it was delivered.
ROWS = {
    "match": ("identities", "position IS NOT NULL"),
    "business_email": ("contact_emails", "email_type = 'business'"),
    "personal_email": ("contact_emails", "email_type = 'personal'"),
    "phone_number": ("contact_phones", "true"),
    "profile": ("people", "true"),
    "dev_platform_profiles": ("dev_platform_profiles", "true"),
    "company": ("companies", "true"),
}
VALUES = st.one_of(
    st.none(),
    st.sampled_from(["", " ", "ada@example.com", "+49 30 123456", "  x  ", "\n"]),
    st.booleans(),
    st.integers(-5, 10**12),
)
ELEMENTS = st.one_of(
    VALUES,
    st.dictionaries(
        st.sampled_from(["email", "phone_number", "number", "website", "status", "name"]),
        VALUES,
        max_size=3,
    ),
    st.lists(VALUES, max_size=2),
)
LISTS = st.one_of(VALUES, ELEMENTS, st.lists(ELEMENTS, max_size=3))


@st.composite
def lines(draw: st.DrawFn, line: Line) -> dict[str, Any]:
    """A line with anything at the places where items are."""
    record: dict[str, Any] = {}
    for path in draw(st.lists(st.sampled_from([each.path for each in line.delivered]), max_size=3)):
        if path:
            put(record, path, draw(LISTS))
    for name in line.required:
        if not isinstance(record.get(name), dict):
            record[name] = {}
    return record


def put(record: dict[str, Any], path: str, value: object) -> None:
    """Put a value at a path; lists on the way get one element."""
    head, mark, rest = path.partition(LIST)
    *outer, last = [name for name in head.split(".") if name]
    for name in outer:
        inner = record.get(name)
        record[name] = record = inner if isinstance(inner, dict) else {}
    if not mark or not rest:
        record[last] = value
        return
    there = record.get(last)
    element: dict[str, Any] = there[0] if isinstance(there, list) and there else {}
    record[last] = [element]
    put(element, rest.removeprefix("."), value)


def identified(line: Line, record: dict[str, Any], who: str) -> dict[str, Any]:
    put(record, line.identifiers[0], who)
    return record


@pytest.mark.parametrize("operation", OPERATIONS)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_an_item_is_billed_exactly_when_it_makes_a_row(operation: str, data: st.DataObject) -> None:
    line = line_of(operation)
    records = [
        identified(line, data.draw(lines(line)), f"https://www.linkedin.com/in/p{number}")
        for number in range(4)
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        asked = [f"https://www.linkedin.com/in/p{number}" for number in range(len(records))]
        file = landed(folder, records, asked=asked, operation=operation)
        billed = {
            (answer.source_line, item)
            for answer in read_answers(file.path, line).answers
            for item in answer.items
            if item in ROWS
        }
        lake = Lake(folder / "lake")
        flatten(
            [file],
            operations=[operation],
            days=[DAY],
            lake=lake,
            run_id="test",
            loaded_at=LOADED_AT,
        )
        filled = {table.name for table in tables_of(operation)}
        items = {item for item in ROWS if item in {each.item for each in line.delivered}}
        rows: set[tuple[int, str]] = set()
        with open_duckdb() as connection:
            for item in items:
                table, condition = ROWS[item]
                assert table in filled
                found = connection.execute(
                    f"SELECT DISTINCT source_line FROM {lake.scan(table, DAY, DAY)} "
                    f"WHERE {condition}"
                ).fetchall()
                rows |= {(number, item) for (number,) in found}
        assert billed == rows, json.dumps(records)


def test_every_item_that_is_billed_has_its_rows() -> None:
    for operation in OPERATIONS:
        for each in line_of(operation).delivered:
            # Posts are one value of the person, as delivered.
            assert each.item in {*ROWS, "social_posts"}
    assert {table for table, _ in ROWS.values()} <= TABLES.keys()
