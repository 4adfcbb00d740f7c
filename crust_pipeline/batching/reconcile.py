"""Reconcile: find the jobs of submits whose fate nobody knows.

The vendor's list of jobs is walked from the newest back. A job fits when its action and number of
identifiers are those of the submit, it was created when the submit was under way, and no other batch
has it. Landing verifies the match by the identifiers in the file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crust_pipeline.batching.callbacks import adopt_called_back
from crust_pipeline.batching.engine import Engine
from crust_pipeline.batching.replan import replacements
from crust_pipeline.ledger import dispatching, progress
from crust_pipeline.ledger.dispatching import backoff
from crust_pipeline.ledger.progress import UnknownSubmit
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


def reconcile(engine: Engine, *, due_only: bool = True) -> Reconciled:
    """Look for the jobs of unknown submits and adopt those found.

    Args:
        engine: the account.
        due_only: leave out those that were looked for a short while ago.
    """
    done = Reconciled()
    unknown = progress.unknown_submits(engine.ledger, now=engine.now() if due_only else None)
    done.adopted += adopt_called_back(engine, unknown)
    unknown = [submit for submit in unknown if submit.submission_id not in done.adopted]
    if not unknown:
        return done
    try:
        jobs = list(_unclaimed_jobs(engine, since=unknown[0].intent_at))
    except errors.VendorError as error:
        done.trouble = str(error)
        for submit in unknown:
            progress.poll_again(
                engine.ledger,
                submit.submission_id,
                at=engine.now() + timedelta(seconds=max(engine.poll_seconds, 1)),
            )
        return done
    for submit in unknown:
        actions = engine.products[submit.product].actions | progress.actions_seen(
            engine.ledger, submit.product
        )
        job = None
        if not engine.products[submit.product].is_synchronous:  # those are in no list of jobs
            job = _fitting(submit, jobs, actions=actions)
        if job is not None:
            jobs.remove(job)
            progress.adopt(
                engine.ledger,
                submit.submission_id,
                batch_id=job.batch_id,
                action=job.action,
                created_at=job.created_at,
                now=engine.now(),
            )
            done.adopted.append(submit.submission_id)
        elif engine.resubmit_unknown and submit.searches >= SEARCHES_BEFORE_DECIDING:
            resubmit(engine, submit.submission_id, reason="CRUST_ON_UNKNOWN is resubmit")
            done.resubmitted.append(submit.submission_id)
        else:
            wait = backoff(submit.searches, first_seconds=engine.poll_seconds, most_seconds=300)
            progress.search_again(engine.ledger, submit.submission_id, at=engine.now() + wait)
            done.held.append(submit.submission_id)
    return done


def _unclaimed_jobs(engine: Engine, *, since: datetime) -> Iterator[Job]:
    """Jobs of the account that no batch of ours has, oldest first, their times set to our clock."""
    found: list[Job] = []
    cursor: str | None = None
    for _ in range(PAGES_A_SEARCH):
        page = engine.client.jobs(cursor=cursor)
        skew = page.server_time - engine.now() if page.server_time else timedelta(0)
        if abs(skew) < BEFORE_INTENT:
            skew = timedelta(0)  # the Date header is only good to the second
        known = progress.jobs_known(engine.ledger, [job.batch_id for job in page.jobs])
        found += [_in_our_time(job, skew) for job in page.jobs if job.batch_id not in known]
        oldest = page.jobs[-1].created_at if page.jobs else None
        if not page.has_more or page.next_cursor is None:
            break
        if oldest is not None and oldest - skew < since - BEFORE_INTENT:
            break
        cursor = page.next_cursor
    return reversed(found)


def _in_our_time(job: Job, skew: timedelta) -> Job:
    return replace(job, created_at=job.created_at - skew) if job.created_at else job


def _fitting(submit: UnknownSubmit, jobs: Sequence[Job], *, actions: frozenset[str]) -> Job | None:
    """The oldest job that can be this submit's: they are created in the order of their intents."""
    for job in jobs:
        in_time = job.created_at is not None and (
            submit.intent_at - BEFORE_INTENT <= job.created_at <= submit.intent_at + AFTER_INTENT
        )
        same_size = job.identifier_count == submit.identifier_count
        if in_time and same_size and (job.action is None or job.action in actions):
            return job
    return None


def abandon(engine: Engine, submission_id: str, *, reason: str) -> None:
    """A person decides that an unknown submit never started; its identifiers may be planned anew."""
    dispatching.rejected(
        engine.ledger, submission_id, reason=f"abandoned: {reason}", now=engine.now()
    )


def resubmit(engine: Engine, submission_id: str, *, reason: str) -> None:
    """Buy an unknown submit again, knowing that it may be paid for twice."""
    dispatching.rejected(
        engine.ledger,
        submission_id,
        reason=f"submitted again: {reason}",
        now=engine.now(),
        instead=replacements(engine, submission_id, whole=True),
    )


def adopt_by_hand(engine: Engine, submission_id: str, *, batch_id: str) -> None:
    """A person says which job is an unknown submit's.

    Raises:
        NotFound: the vendor has no such job.
    """
    job = engine.client.job(batch_id)
    progress.adopt(
        engine.ledger,
        submission_id,
        batch_id=job.batch_id,
        action=job.action,
        created_at=job.created_at,
        now=engine.now(),
    )
