"""Reconcile: find the jobs of submits whose fate nobody knows.

The vendor lists its jobs newest first. A job fits when its action and number of identifiers are
those of the submit, no other batch has it, and it was created when the submit was under way: by the
clock, or by its place among jobs of ours, since the vendor's clock need not be ours. Landing
verifies every match by the identifiers in the file and undoes a wrong one, so that a match by its
place alone is safe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crust_pipeline.batching.actions import action_words
from crust_pipeline.batching.callbacks import adopt_called_back
from crust_pipeline.batching.engine import Engine
from crust_pipeline.batching.land import recover_answer
from crust_pipeline.batching.replan import same_again
from crust_pipeline.ledger import dispatching, progress
from crust_pipeline.ledger.dispatching import backoff
from crust_pipeline.ledger.planning import NewBatch
from crust_pipeline.ledger.progress import UnknownSubmit
from crust_pipeline.ledger.states import BatchState, LedgerError, OverLimitError
from crust_pipeline.vendor import errors
from crust_pipeline.vendor.models import Job

# How far the vendor's clock may be off ours after its Date header has been taken into account, and
# how long a request may take until the vendor writes its job down.
BEFORE_INTENT = timedelta(minutes=1)
AFTER_INTENT = timedelta(minutes=5)
# A job may show up in the list later than its submit failed.
SEARCHES_BEFORE_DECIDING = 4
PAGES_A_SEARCH = 50


@dataclass(slots=True)
class Reconciled:
    """What a search came to, as submission ids; `held` need a person's decision."""

    adopted: list[str] = field(default_factory=list[str])
    held: list[str] = field(default_factory=list[str])
    resubmitted: list[str] = field(default_factory=list[str])
    trouble: str | None = None

    @property
    def searched(self) -> bool:
        """Whether there was something to look for, and the vendor has let us look."""
        return bool(self.adopted or self.held or self.resubmitted)


def reconcile(engine: Engine, *, due_only: bool = True) -> Reconciled:
    """Look for the jobs of unknown submits and adopt those found.

    Args:
        engine: the account.
        due_only: leave out those that were looked for a short while ago.
    """
    done = Reconciled()
    unknown = progress.unknown_submits(engine.ledger, now=engine.now() if due_only else None)
    done.adopted += _kept_answers(engine, unknown)
    done.adopted += adopt_called_back(engine, unknown)
    unknown = [submit for submit in unknown if submit.submission_id not in done.adopted]
    if not unknown:
        return done
    try:
        listed = _listed_jobs(engine, since=unknown[0].intent_at)
    except errors.VendorError as error:
        done.trouble = str(error)
        for submit in unknown:
            progress.poll_again(
                engine.ledger,
                submit.submission_id,
                at=engine.now() + timedelta(seconds=max(engine.poll_seconds, 1)),
            )
        return done
    words = action_words(engine)
    for submit in unknown:
        job = None
        if not engine.products[submit.product].is_synchronous:  # those are in no list of jobs
            job = fitting(submit, listed, words=words)
        if job is not None:
            listed = [item for item in listed if item.job is not job]
            if _adopt(engine, submit.submission_id, job):
                done.adopted.append(submit.submission_id)
        elif _bought_again(engine, submit):
            done.resubmitted.append(submit.submission_id)
        else:
            wait = backoff(submit.searches, first_seconds=engine.poll_seconds, most_seconds=300)
            progress.search_again(engine.ledger, submit.submission_id, at=engine.now() + wait)
            done.held.append(submit.submission_id)
    return done


def _kept_answers(engine: Engine, unknown: Sequence[UnknownSubmit]) -> list[str]:
    """Synchronous requests whose answer was kept, and only not settled."""
    return [
        submit.submission_id
        for submit in unknown
        if engine.products[submit.product].is_synchronous
        and recover_answer(engine, submit.submission_id, submit.product)
    ]


def _bought_again(engine: Engine, submit: UnknownSubmit) -> bool:
    """Buy a submit that is not found again, if that is the setting and the limits allow it."""
    if not (engine.resubmit_unknown and _is_lost(submit, now=engine.now())):
        return False
    try:
        again = same_again(engine, submit.submission_id)
        _buy_again(engine, submit.submission_id, again, reason="CRUST_ON_UNKNOWN is resubmit")
    except OverLimitError:
        return False  # held for a person, who may raise the limit
    return True


def _is_lost(submit: UnknownSubmit, *, now: datetime) -> bool:
    """Whether a job that could still show up would have done so by now."""
    return submit.searches >= SEARCHES_BEFORE_DECIDING and now - submit.intent_at > AFTER_INTENT


@dataclass(frozen=True, slots=True)
class Listed:
    """A job of the vendor's list, its time set to our clock.

    `submitted_at` is when we submitted it; None when no batch of ours has it; `foreign_to` are the
    submits that it was adopted for in error.
    """

    job: Job
    submitted_at: datetime | None = None
    foreign_to: frozenset[str] = frozenset()


def _listed_jobs(engine: Engine, *, since: datetime) -> list[Listed]:
    """The account's jobs, newest first, back to the last one we submitted before `since`."""
    listed: list[Listed] = []
    cursor: str | None = None
    for _ in range(PAGES_A_SEARCH):
        page = engine.client.jobs(cursor=cursor)
        skew = page.server_time - engine.now() if page.server_time else timedelta(0)
        if abs(skew) < BEFORE_INTENT:
            skew = timedelta(0)  # the Date header is only good to the second
        ours, foreign = progress.jobs_known(engine.ledger, [job.batch_id for job in page.jobs])
        for job in page.jobs:
            submitted_at = ours.get(job.batch_id)
            foreign_to = frozenset(submit for known, submit in foreign if known == job.batch_id)
            listed.append(Listed(_in_our_time(job, skew), submitted_at, foreign_to))
            if submitted_at is not None and submitted_at < since:
                return listed
        if not page.has_more or page.next_cursor is None:
            break
        cursor = page.next_cursor
    return listed


def _in_our_time(job: Job, skew: timedelta) -> Job:
    return replace(job, created_at=job.created_at - skew) if job.created_at else job


def fitting(
    submit: UnknownSubmit, listed: Sequence[Listed], *, words: Mapping[str, str]
) -> Job | None:
    """The job that is most likely a submit's: by the clock, by its place, or the only one.

    Args:
        submit: the submit.
        listed: the vendor's jobs, newest first.
        words: {action: product} as far as known. A job of which nobody knows what kind it is may be
            any submit's if none of the right kind fits: the vendor documents no closed set.
    """
    right, unheard_of = (
        [
            item
            for item in listed
            if item.submitted_at is not None or (item.job.action or "") in kinds
        ]
        for kinds in (
            {"", *(word for word, product in words.items() if product == submit.product)},
            {item.job.action or "" for item in listed} - words.keys(),
        )
    )
    return _likely(submit, right) or _likely(submit, unheard_of)


def _likely(submit: UnknownSubmit, listed: Sequence[Listed]) -> Job | None:
    before = [
        place
        for place, item in enumerate(listed)
        if item.submitted_at is not None and item.submitted_at <= submit.intent_at
    ]
    # Newest first: what stands above the last job that we submitted before is newer than that.
    oldest_place = min(before, default=None)
    alike = [
        (place, item.job)
        for place, item in enumerate(listed)
        if item.submitted_at is None
        and submit.submission_id not in item.foreign_to
        and item.job.identifier_count == submit.identifier_count
    ]
    # Jobs are created in the order of their submits: of several the oldest belongs to the first.
    for _, job in reversed(alike):
        if job.created_at is not None and (
            submit.intent_at - BEFORE_INTENT <= job.created_at <= submit.intent_at + AFTER_INTENT
        ):
            return job
    for place, job in reversed(alike):
        if oldest_place is not None and place < oldest_place:
            return job
    return alike[0][1] if len(alike) == 1 else None


def abandon(engine: Engine, submission_id: str, *, reason: str) -> None:
    """A person decides that an unknown submit never started: its identifiers are free again."""
    dispatching.rejected(
        engine.ledger,
        submission_id,
        reason=f"abandoned: {reason}",
        now=engine.now(),
        state=BatchState.UNKNOWN,
    )


def resubmit(engine: Engine, submission_id: str, *, reason: str) -> None:
    """A person decides to buy an unknown submit again, though it may be paid for twice.

    Raises:
        OverLimitError: a credit limit would be passed; nothing is decided then.
        LedgerError: it is not of unknown fate.
    """
    # The run that planned it has spent what it may; this is a decision of its own.
    again = replace(same_again(engine, submission_id), run_id=None)
    _buy_again(engine, submission_id, again, reason=reason)


def _buy_again(engine: Engine, submission_id: str, again: NewBatch, *, reason: str) -> None:
    dispatching.submit_again(
        engine.ledger,
        submission_id,
        instead=again,
        reason=f"submitted again: {reason}",
        limits=engine.limits,
        now=engine.now(),
    )


def adopt_by_hand(engine: Engine, submission_id: str, *, batch_id: str) -> None:
    """A person says which job is an unknown submit's.

    Raises:
        NotFound: the vendor has no such job.
        LedgerError: the batch is not of unknown fate, or another batch has the job.
    """
    if not _adopt(engine, submission_id, engine.client.job(batch_id)):
        raise LedgerError(
            f"Batch {submission_id} is not of unknown fate, or job {batch_id} is another batch's: "
            "nothing was adopted."
        )


def _adopt(engine: Engine, submission_id: str, job: Job) -> bool:
    return progress.adopt(
        engine.ledger,
        submission_id,
        batch_id=job.batch_id,
        action=job.action,
        created_at=job.created_at,
        now=engine.now(),
    )
