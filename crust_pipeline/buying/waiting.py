"""Waiting: what each open batch waits for, and until when, for people. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from crust_pipeline.ledger.queries import Summary
from crust_pipeline.ledger.queue import OpenBatch
from crust_pipeline.ledger.states import BatchState


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a batch waits for, and the time of its next step; None: no time is set."""

    submission_id: str
    operation: str
    state: BatchState
    waits_for: str
    until: datetime | None


def waits(
    batches: Sequence[OpenBatch], summary: Summary, *, slots: int, now: datetime
) -> list[Wait]:
    """Return what each batch waits for.

    Args:
        batches: the open batches of an account.
        summary: how the account stands.
        slots: the vendor's jobs at a time.
        now: the present time.
    """
    found: list[Wait] = []
    for batch in batches:
        waits_for, until = _next_step(batch, summary, slots=slots, now=now)
        found.append(
            Wait(
                submission_id=batch.submission_id,
                operation=batch.operation,
                state=batch.state,
                waits_for=waits_for,
                until=until if until and until > now else None,
            )
        )
    return found


def _next_step(
    batch: OpenBatch, summary: Summary, *, slots: int, now: datetime
) -> tuple[str, datetime | None]:
    until: datetime | None = batch.next_step
    match batch.state:
        case BatchState.PLANNED:
            waits_for, until = _submit(batch, summary, slots=slots, now=now)
        case BatchState.SUBMITTING:
            waits_for, until = "the vendor's answer to its submit", None
        case BatchState.PENDING | BatchState.PROCESSING:
            waits_for = "its job at the vendor"
        case BatchState.COMPLETED:
            waits_for = "its file"
        case BatchState.UNKNOWN if batch.takes_slot:
            waits_for = "its job in the vendor's list"
        case BatchState.UNKNOWN:
            waits_for, until = "a decision with `crust-pipeline reconcile`", None
        case (
            BatchState.LANDED
            | BatchState.LOADED
            | BatchState.FAILED
            | BatchState.REJECTED
            | BatchState.EXPIRED
        ):
            waits_for, until = "nothing", None
    return waits_for, until


def _submit(
    batch: OpenBatch, summary: Summary, *, slots: int, now: datetime
) -> tuple[str, datetime | None]:
    pause = summary.pause if batch.takes_slot else summary.pause_at_once
    if pause:
        return f"the end of a pause ({pause.detail})", max(pause.until, batch.next_step)
    if batch.next_step > now:
        return f"its next try ({batch.error or 'the last one failed'})", batch.next_step
    if batch.takes_slot and summary.slots_held >= slots:
        return "a free slot", None
    return "the next `crust-pipeline run`, or the sensor, to send it", None


def in_words(found: Sequence[Wait]) -> Iterator[str]:
    """Yield a line for each group of batches that wait for the same thing."""

    def kind(wait: Wait) -> tuple[str, str, str]:
        return wait.operation, wait.state, wait.waits_for

    for (operation, state, waits_for), group in groupby(sorted(found, key=kind), key=kind):
        alike = list(group)
        who = f"{len(alike):,} batches" if len(alike) > 1 else f"batch {alike[0].submission_id}"
        times = [wait.until for wait in alike if wait.until]
        until = f"; next step at {min(times):%Y-%m-%d %H:%M:%S} UTC" if times else ""
        yield f"Waiting: {who} ({operation}, {state}) for {waits_for}{until}"
