"""Result files: gzipped JSONL, made when somebody downloads it, and the signed links to it."""

import hashlib
import hmac
import json
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, cast
from urllib.parse import parse_qs, urlencode

from crust_pipeline.sandbox.answers import Answers, IdentifierAnswer
from crust_pipeline.sandbox.jobs import Job, Row
from crust_pipeline.sandbox.switches import FaultKind, Switches
from crust_pipeline.sandbox.validate import Order

MERGED = "results.jsonl.gz"
_KEPT_FILES = 8
_SIGNING_KEY = b"the sandbox's storage"
_DATE = "%Y%m%dT%H%M%S.%fZ"


def part_names(job: Job, switches: Switches) -> list[str]:
    """Return the names of a result's parts; their rows are in the merged file's order."""
    if job.order is None or not job.rows:
        return []
    per_part = job.order.chunk_size if switches.parts == "by_chunk" else len(job.rows)
    return [f"part-{n:03d}.jsonl.gz" for n in range(-(-len(job.rows) // per_part))]


class Files:
    """Makes the files of jobs, and keeps the last few."""

    def __init__(self) -> None:
        """Start with none made."""
        self._made: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._lock = Lock()

    def forget(self) -> None:
        """Make every file anew when it is next asked for."""
        with self._lock:
            self._made.clear()

    def get(self, job: Job, name: str, switches: Switches) -> bytes | None:
        """Return the gzipped bytes of a file; None if there is none, as without results."""
        rows = _rows_of(job, name, switches)
        if not rows or job.order is None:
            return None
        with self._lock:
            key = (job.batch_id, name)
            if key not in self._made:
                self._made[key] = _gzip(_lines(job.order, rows, switches))
            self._made.move_to_end(key)
            while len(self._made) > _KEPT_FILES:
                self._made.popitem(last=False)
            return self._made[key]


def _rows_of(job: Job, name: str, switches: Switches) -> list[Row]:
    if name == MERGED:
        return job.rows
    names = part_names(job, switches)
    if job.order is None or name not in names:
        return []
    per_part = job.order.chunk_size if switches.parts == "by_chunk" else len(job.rows)
    start = names.index(name) * per_part
    return job.rows[start : start + per_part]


def _gzip(lines: Iterator[bytes]) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    pieces = [packer.compress(line) for line in lines]
    return b"".join((*pieces, packer.flush()))


def _lines(order: Order, rows: list[Row], switches: Switches) -> Iterator[bytes]:
    answers = Answers(order, switches)
    identifiers = order.identifiers
    if switches.duplicates == "collapsed":
        identifiers = tuple(dict.fromkeys(identifiers))
    for index, fault in rows:
        if fault is FaultKind.UNASKED_LINES:
            yield _encode(answers.line(answers.stranger(index)))
            continue
        delivery = answers.delivery(identifiers[index])
        if fault is None:
            yield _encode(answers.line(delivery))
        else:
            yield _spoil(answers, delivery, index, fault)


def _encode(line: dict[str, Any]) -> bytes:
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
    return text.encode() + b"\n"


def _spoil(answers: Answers, delivery: IdentifierAnswer, index: int, fault: FaultKind) -> bytes:
    if fault is FaultKind.WRONG_PERSON:
        wrong = answers.stranger(index)
        return _encode(answers.line(replace(wrong, identifier=delivery.identifier)))
    good = _encode(answers.line(delivery))
    if fault is FaultKind.MALFORMED_LINES:
        return good[: len(good) * 2 // 3] + b"\n"
    line = json.loads(good)
    held = line.get("data", line)
    if fault is FaultKind.NUL_BYTES:
        # As an escape, valid JSON that breaks databases, and as a raw byte, which no JSON may hold.
        if index % 2 == 0 and _append_to_a_text(held, "\x00"):
            return _encode(line)
        return good[:-2] + b"\x00" + good[-2:]
    for name in held:
        if isinstance(held[name], dict | list):
            held[name] = "not what the documents say"
            break
    for name in {"internal_id", "person_id"} & set(line):
        line[name] = f"id-{line[name]}"
    return _encode(line)


def _append_to_a_text(value: dict[str, Any], suffix: str) -> bool:
    for name, item in value.items():
        if name in ("matched_on", "match_type", "match_status", "professional_network_url"):
            continue
        if isinstance(item, str):
            value[name] = item + suffix
            return True
        if isinstance(item, dict) and _append_to_a_text(cast("dict[str, Any]", item), suffix):
            return True
    return False


def sign(path: str, *, now: datetime, days: float) -> str:
    """Return the query of a link to `path` that works from now for a number of days."""
    query = {"X-Amz-Expires": f"{days * 86400:.0f}", "X-Amz-Date": now.strftime(_DATE)}
    return urlencode({**query, "X-Amz-Signature": _signature(path, query)})


def is_signed(path: str, query: str) -> bool:
    """Tell whether a link was signed here."""
    given = {name: values[0] for name, values in parse_qs(query).items()}
    signature = given.pop("X-Amz-Signature", "")
    return hmac.compare_digest(signature, _signature(path, given))


def is_expired(query: str, *, now: datetime) -> bool:
    """Tell whether a signed link has expired."""
    given = {name: values[0] for name, values in parse_qs(query).items()}
    signed_at = datetime.strptime(given["X-Amz-Date"], _DATE).replace(tzinfo=now.tzinfo)
    return now > signed_at + timedelta(seconds=float(given["X-Amz-Expires"]))


def _signature(path: str, query: dict[str, str]) -> str:
    text = "\n".join((path, *(f"{name}={query[name]}" for name in sorted(query))))
    return hmac.new(_SIGNING_KEY, text.encode(), hashlib.sha256).hexdigest()
