"""Pronto's deliveries as rows."""

import gzip
import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crust_pipeline.tables.flatten.files import LandedFile
from crust_pipeline.tables.flatten.flattening import flatten
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.vendors.catalog import line_of
from crust_pipeline.vendors.landed import read_answers

DAY = date(2026, 11, 2)
DELIVERIES: list[Any] = [
    {
        "status": "finished",
        "email": "Ada@Example.com",
        "email_status": "catch-all",
        "personal_email_status": "N/A",
        "phone": ["+33612340001"],
        "custom": {"key": "k1"},
    },
    {
        "status": "success",
        "email": None,
        "email_status": "N/A",
        "personal_email": "bob@mail.example",
        "personal_email_status": "valid",
        "phones": [{"number": "+33612340002", "type": "mobile"}, "+33612340003"],
        "custom": {"key": "k2"},
    },
    {"status": "finished", "email": "", "phone": [], "custom": {"key": "k3"}},
    {"status": "finished", "email": "forged@example.net", "custom": {"key": "never-sent"}},
    {"status": "finished", "email": "x@example.net", "custom": "odd"},
    "no object",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "deliveries.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(d) + "\n" for d in DELIVERIES).encode()))
    return path


@pytest.fixture
def lake(file: Path, tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    asked = pa.table(
        {
            "identifier": ["k1", "k2", "k3"],
            "subject_key": [f"linkedin.com/in/p{number}" for number in (1, 2, 3)],
            "partition_date": pa.array([DAY] * 3, pa.date32()),
        }
    )
    landed = LandedFile(
        submission_id="s",
        batch_id="b",
        operation="bulk_contact",
        path=file,
        source_file="deliveries.jsonl.gz",
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        asked=asked,
    )
    now = datetime(2026, 11, 3, tzinfo=UTC)
    flatten([landed], operations=["bulk_contact"], days=[DAY], lake=lake, run_id="r", loaded_at=now)
    return lake


def rows(lake: Lake, table: str, *columns: str) -> list[tuple[Any, ...]]:
    read = pq.ParquetFile(lake.path(table, DAY)).read()
    return list(zip(*(read[name].to_pylist() for name in columns), strict=True))


def test_e_mails_come_with_their_type_status_and_vendor(lake: Lake) -> None:
    columns = ("profile_key", "email", "email_type", "status", "vendor")
    assert rows(lake, "contact_emails", *columns) == [
        ("linkedin.com/in/p1", "ada@example.com", "business", "catch_all", "pronto"),
        ("linkedin.com/in/p2", "bob@mail.example", "personal", "valid", "pronto"),
    ]


def test_phones_come_from_every_shape(lake: Lake) -> None:
    assert rows(lake, "contact_phones", "phone_number", "vendor") == [
        ("+33612340001", "pronto"),
        ("+33612340002", "pronto"),
        ("+33612340003", "pronto"),
    ]


def test_what_nobody_asked_for_is_in_quarantine_only(lake: Lake) -> None:
    assert len(rows(lake, "quarantine", "reason")) == 3


def test_what_was_found_is_read_for_settling(file: Path) -> None:
    read = read_answers(file, line_of("bulk_contact"))
    found = [(answer.identifier, answer.status, list(answer.items)) for answer in read.answers]
    assert found == [
        ("k1", "matched", ["business_email", "phone_number"]),
        ("k2", "matched", ["personal_email", "phone_number"]),
        ("k3", "not_found", []),
        ("never-sent", "matched", ["business_email"]),
    ]
    assert len(read.unreadable) == 2
