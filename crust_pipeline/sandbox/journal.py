"""A file that lets a restarted sandbox remember: one JSON line per thing that was asked of it.

Everything else follows from these and the time, so it is worked out again, not stored.
"""

import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from crust_pipeline.sandbox.clock import iso
from crust_pipeline.sandbox.endpoints import BY_PATH
from crust_pipeline.sandbox.jobs import Job
from crust_pipeline.sandbox.switches import Fault
from crust_pipeline.sandbox.validate import Order


class Journal:
    """Appends entries to a file, each whole before the next begins."""

    def __init__(self, path: Path) -> None:
        """Keep the journal in `path`, which need not exist."""
        self._path = path
        if path.exists():
            # A killed process may have left a line unfinished; nothing must be appended to that.
            written = path.read_bytes()
            path.write_bytes(written[: written.rfind(b"\n") + 1])

    def add(self, kind: str, *, at: datetime, **details: Any) -> None:  # noqa: ANN401 - JSON values
        """Append an entry."""
        line = json.dumps({"kind": kind, "at": iso(at), **details}, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def entries(self) -> Iterator[tuple[datetime, dict[str, Any]]]:
        """Return the entries written so far."""
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                entry: dict[str, Any] = json.loads(line)
                yield datetime.fromisoformat(entry["at"]), entry


def order_to_json(order: Order) -> dict[str, Any]:
    """Return an order as JSON values."""
    values = {f.name: getattr(order, f.name) for f in fields(order) if f.name != "endpoint"}
    return {"path": order.endpoint.path, **values}


def order_from_json(given: dict[str, Any]) -> Order:
    """Return the order that `order_to_json` wrote."""
    values = {name: value for name, value in given.items() if name != "path"}
    values["identifiers"] = tuple(values["identifiers"])
    values["fields"] = None if values["fields"] is None else tuple(values["fields"])
    return Order(endpoint=BY_PATH[given["path"]], **values)


_PLAIN = ("batch_id", "entity", "action", "identifier_count", "seconds", "fails", "request_id")


def job_to_json(job: Job) -> dict[str, Any]:
    """Return a job, before it ends, as JSON values."""
    return {
        **{name: getattr(job, name) for name in _PLAIN},
        "order": order_to_json(job.order) if job.order else None,
        "line_faults": [fault.as_json() for fault in job.line_faults],
        "reserved": str(job.reserved),
    }


def job_from_json(given: dict[str, Any], *, created_at: datetime) -> Job:
    """Return the job that `job_to_json` wrote."""
    return Job(
        **{name: given[name] for name in _PLAIN},
        order=order_from_json(given["order"]) if given["order"] else None,
        line_faults=tuple(Fault.from_json(item) for item in given["line_faults"]),
        reserved=Decimal(given["reserved"]),
        created_at=created_at,
    )
