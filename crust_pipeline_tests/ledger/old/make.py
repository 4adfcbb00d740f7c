"""Make a small ledger with whatever release is on PYTHONPATH, and print it as SQL.

Everybody in it is invented, every time and id fixed. README.md tells how to run it at an old
commit, so it uses only what the ledger has had from the beginning, and looks for what came later.
"""

import dataclasses
import sqlite3
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

from crust_pipeline.ledger.ledger import Ledger

from crust_pipeline.ledger import planning, schema
from crust_pipeline.ledger.states import Answer, BatchState, Verdict

# As they were then, and not as a type checker sees them now.
dispatching: Any = import_module("crust_pipeline.ledger.dispatching")
landing: Any = import_module("crust_pipeline.ledger.landing")
progress: Any = import_module("crust_pipeline.ledger.progress")

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MONDAY, TUESDAY = date(2026, 11, 2), date(2026, 11, 3)
FIELDS = ("basic_profile", "experience", "skills")


class Book:
    """The ledger that is made, and a clock that every step puts on."""

    def __init__(self, url: str, account: str, vendor: str) -> None:
        self.ledger = Ledger(url, account=account)
        self.vendor = vendor
        self.now = NOW

    def later(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def plan(
        self,
        number: int,
        day: date,
        keys: dict[str, str],
        *,
        operation: str = "enrich",
        product: str | None = None,
        kind: str = "profile_url",
        fields: tuple[str, ...] = FIELDS,
    ) -> str:
        """One planned batch and one row for each of its people."""
        values: dict[str, Any] = {
            "submission_id": f"{number:032x}",
            "vendor": self.vendor,
            "operation": operation,
            "product": product or operation,
            "takes_slot": True,
            "identifier_type": kind,
            "fields": fields,
            "covers": fields,
            "identifiers": [(key, f"https://www.{key}", day) for key in keys.values()],
            "priority": 100,
            "credits_reserved": Decimal(2 * len(keys)),
            "run_id": "a-run",
        }
        has = {each.name for each in dataclasses.fields(planning.NewBatch)}
        batch = planning.NewBatch(**{name: values[name] for name in values if name in has})
        with self.ledger.write() as tx:
            planning.add_batch(tx, batch, now=self.later())
            before = planning.rows_of(tx, operation, [day])
            rows = [*before.values()]
            rows += [
                planning.PlannedRow(day, row_id, key, Verdict.ASK, batch.submission_id)
                for row_id, key in keys.items()
            ]
            planning.put_rows(
                tx, operation, decided=rows, input_rows={day: len(rows)}, now=self.now
            )
        return batch.submission_id

    def submit(self, submission_id: str) -> None:
        with self.ledger.write() as tx:
            tx.move(
                submission_id,
                BatchState.SUBMITTING,
                now=self.later(),
                intent_at=self.now,
                owner="a-host:1",
            )

    def accept(self, submission_id: str, batch_id: str) -> None:
        self.submit(submission_id)
        with self.ledger.write() as tx:
            tx.move(
                submission_id,
                BatchState.PENDING,
                now=self.later(),
                batch_id=batch_id,
                submitted_at=self.now,
            )

    def complete(self, submission_id: str, batch_id: str) -> None:
        self.accept(submission_id, batch_id)
        with self.ledger.write() as tx:
            tx.move(submission_id, BatchState.COMPLETED, now=self.later(), completed_at=self.now)

    def land(self, submission_id: str, batch_id: str, answers: dict[str, Answer]) -> None:
        self.complete(submission_id, batch_id)
        landing.landed(
            self.ledger,
            submission_id,
            landing.LandedFile(
                source_file=f"{submission_id}.jsonl.gz",
                sha256="0" * 64,
                size_bytes=1000,
                lines=len(answers),
            ),
            settled=[
                landing.Settled(
                    key,
                    answer,
                    Decimal(2 if answer is Answer.MATCHED else 0),
                    person_id=1000 + place,
                    source_line=1 + place,
                )
                for place, (key, answer) in enumerate(answers.items())
            ],
            now=self.later(),
        )


def person(name: str) -> str:
    return f"linkedin.com/in/{name}-example"


def make(path: Path) -> None:
    """Batches in many states, of people who are all bought or being bought but for one."""
    url = f"sqlite:///{path}"
    book = Book(url, "vendor.example", "crustdata")
    names = ("ada", "bob", "cleo", "dan", "eve", "finn", "gil", "ivy")
    ada, bob, cleo, dan, eve, finn, gil, ivy = map(person, names)

    loaded = book.plan(1, MONDAY, {"m1": ada, "m2": bob})
    book.land(loaded, "job-1", {ada: Answer.MATCHED, bob: Answer.DROPPED})
    with book.ledger.write() as tx:
        tx.move(loaded, BatchState.LOADED, now=book.later(), loaded_at=book.now)

    # The account may not have one of the fields; that was learned when it was asked for.
    denied = book.plan(2, MONDAY, {"m3": cleo})
    book.submit(denied)
    dispatching.fields_refused(
        book.ledger, denied, refused=["skills"], kept=FIELDS[:2], now=book.later()
    )
    book.land(denied, "job-2", {cleo: Answer.MATCHED})

    book.accept(book.plan(3, TUESDAY, {"t1": dan}), "job-3")

    # It was given a job that was not its own.
    unknown = book.plan(4, TUESDAY, {"t2": eve})
    book.accept(unknown, "job-of-others")
    with book.ledger.write() as tx:
        tx.update(unknown, adopted=True)
    there = progress if hasattr(progress, "not_ours") else landing
    there.not_ours(book.ledger, unknown, reason="not its people", now=book.later())

    book.plan(5, TUESDAY, {"t3": finn})

    refused = book.plan(6, TUESDAY, {"t4": gil})
    book.submit(refused)
    dispatching.rejected(book.ledger, refused, reason="refused", now=book.later())

    completed = book.plan(11, TUESDAY, {"t6": ivy})
    book.complete(completed, "job-11")
    landing.land_again(
        book.ledger, completed, at=book.later(), error="not the file announced", sha256="1" * 64
    )

    if hasattr(dispatching, "pause"):  # until the second product
        kind = dispatching.PauseKind.CREDITS
        wait = dispatching.Pause(kind, NOW + timedelta(hours=2), "no credits")
        dispatching.pause(book.ledger, wait)
    elif hasattr(dispatching, "start_pause"):
        kind = dispatching.PauseKind.CREDITS
        wait = dispatching.Pause(kind, NOW + timedelta(hours=2), "no credits")
        with book.ledger.write() as tx:
            dispatching.start_pause(tx, wait, takes_slot=True)

    if "product" in schema.submissions.c:
        mail = "ada@example.com"
        identify = book.plan(
            7, MONDAY, {"m4": mail}, operation="identify", kind="email", fields=("",)
        )
        book.land(identify, "job-7", {mail: Answer.NOT_FOUND})
        contact = book.plan(8, MONDAY, {"m1": ada}, operation="contact", fields=("business_email",))
        book.land(contact, "job-8", {ada: Answer.MATCHED})

    _second_vendor(url)
    if "suppressions" in schema.metadata.tables:
        erasing = import_module("crust_pipeline.ledger.erasing")
        erasing.erase(book.ledger, [person("hal")], reason="on request", now=book.later())
    book.ledger.close()


def _second_vendor(url: str) -> None:
    """Pronto was one operation first, with the type of contact data as its field; now three."""
    operations = import_module("crust_pipeline.vendor.operations")
    if hasattr(operations, "BULK_CONTACTS"):
        name = "bulk_contact_personal_email"
    elif hasattr(operations, "BULK_CONTACT"):
        name = "bulk_contact"
    else:
        return
    book = Book(url, "pronto@pronto.example", "pronto")
    ada, bob = person("ada"), person("bob")
    personal = book.plan(
        9,
        MONDAY,
        {"m1": ada},
        operation=name,
        product=name.replace("bulk", "single"),
        fields=("personal_email",),
    )
    book.land(personal, "search-9", {ada: Answer.MATCHED})
    business = book.plan(
        10, TUESDAY, {"t5": bob}, operation="bulk_contact", fields=("business_email",)
    )
    book.land(business, "search-10", {bob: Answer.MATCHED})
    book.ledger.close()


def main() -> None:
    """Print the ledger."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        make(path)
        with sqlite3.connect(path) as con:
            sys.stdout.writelines(f"{line}\n" for line in con.iterdump())
        con.close()


if __name__ == "__main__":
    main()
