"""A ledger with a past: batches that are loaded, and five that are at the vendor."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from crust_pipeline.ledger import schema
from crust_pipeline.ledger.store import Ledger

OPERATION = "enrich"
FIELDS = "basic_profile"
NOW = datetime(2027, 1, 1, tzinfo=UTC)
DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
AT_VENDOR = 5
BATCHES_A_WRITE = 500


def write_history(ledger: Ledger, *, batches: int, identifiers: int) -> None:
    """Write batches over a year of days, in the order of days."""
    with ledger.write() as tx:
        for start in range(0, batches, BATCHES_A_WRITE):
            chunk = range(start, min(start + BATCHES_A_WRITE, batches))
            for table, write in _WRITERS.items():
                rows = [
                    row
                    for number in chunk
                    for row in write(number, batches=batches, identifiers=identifiers)
                ]
                tx.con.execute(schema.metadata.tables[table].insert(), rows)
        tx.con.execute(schema.field_sets.insert().values(id=1, fields=FIELDS))
        tx.con.execute(schema.days.insert(), list(_days(batches)))


def _day(number: int, batches: int) -> date:
    return DAYS[number * len(DAYS) // batches]


def _id(number: int) -> str:
    return f"{number:032x}"


def _is_open(number: int, batches: int) -> bool:
    return number >= batches - AT_VENDOR


def _submission(number: int, *, batches: int, identifiers: int) -> Iterator[dict[str, Any]]:
    is_open = _is_open(number, batches)
    began = NOW - timedelta(minutes=3 * (batches - number))
    yield {
        "submission_id": _id(number),
        "account": "bench",
        "vendor": "crustdata",
        "operation": OPERATION,
        "product": "enrich",
        "takes_slot": True,
        "state": "processing" if is_open else "loaded",
        "identifier_type": "profile_url",
        "field_set": FIELDS,
        "covers": FIELDS,
        "identifier_count": identifiers,
        "priority": 100,
        "first_partition": _day(number, batches),
        "attempt": 1,
        "root_submission_id": _id(number),
        "credits_reserved": Decimal(3 * identifiers),
        "credits_computed": None if is_open else Decimal(3 * identifiers),
        "batch_id": f"job-{number}",
        "created_at": began,
        "submitted_at": began,
        "completed_at": None if is_open else began + timedelta(minutes=2),
        "landed_at": None if is_open else began + timedelta(minutes=2),
        "not_before": began,
        "source_file": f"crustdata/enrich/{_id(number)}.jsonl.gz",
        "file_sha256": "0" * 64,
    }


def _key(number: int, place: int) -> str:
    return f"linkedin.com/in/person-{number}-{place}"


def _identifiers(number: int, *, batches: int, identifiers: int) -> Iterator[dict[str, Any]]:
    is_open = _is_open(number, batches)
    for place in range(identifiers):
        yield {
            "submission_id": _id(number),
            "subject_key": _key(number, place),
            "identifier": f"https://www.{_key(number, place)}",
            "partition_date": _day(number, batches),
            "answer": None if is_open else "matched",
            "source_line": None if is_open else place + 1,
            "credits": None if is_open else Decimal(3),
        }


def _claims(number: int, *, batches: int, identifiers: int) -> Iterator[dict[str, Any]]:
    is_open = _is_open(number, batches)
    for place in range(identifiers):
        yield {
            "account": "bench",
            "operation": OPERATION,
            "subject_key": _key(number, place),
            "field_set_id": 1,
            "submission_id": _id(number),
            "answer": None if is_open else "matched",
            "answered_at": None if is_open else NOW,
        }


def _rows(number: int, *, batches: int, identifiers: int) -> Iterator[dict[str, Any]]:
    for place in range(identifiers):
        yield {
            "partition_date": _day(number, batches),
            "operation": OPERATION,
            "row_id": f"{number}-{place}",
            "subject_key": _key(number, place),
            "verdict": "ask",
            "submission_id": _id(number),
        }


def _submission_days(number: int, *, batches: int, identifiers: int) -> Iterator[dict[str, Any]]:
    del identifiers
    yield {
        "submission_id": _id(number),
        "partition_date": _day(number, batches),
        "operation": OPERATION,
    }


def _transitions(number: int, *, batches: int, identifiers: int) -> Iterator[dict[str, Any]]:
    del batches, identifiers
    for before, after in (("planned", "submitting"), ("submitting", "pending")):
        yield {
            "submission_id": _id(number),
            "at": NOW,
            "from_state": before,
            "to_state": after,
        }


_WRITERS = {
    "submissions": _submission,
    "identifiers": _identifiers,
    "claims": _claims,
    "rows": _rows,
    "submission_days": _submission_days,
    "transitions": _transitions,
}


def _days(batches: int) -> Iterator[dict[str, Any]]:
    waiting = {_day(number, batches) for number in range(batches) if _is_open(number, batches)}
    for day in sorted({_day(number, batches) for number in range(batches)}):
        yield {
            "partition_date": day,
            "operation": OPERATION,
            "planned_at": NOW - timedelta(days=1),
            "input_rows": 0,
            "version": 2,
            "loaded_version": 1 if day in waiting else 2,
        }
