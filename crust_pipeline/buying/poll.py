"""Poll: ask the vendor how its jobs do, and write that down. Only free requests are made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from crust_pipeline.buying.account import Account
from crust_pipeline.buying.pace import seconds_to_next_poll
from crust_pipeline.buying.replan import replacements, when_there_are_credits
from crust_pipeline.errors import Failures, one_pass
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger.poll import DuePoll, JobReport
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.ledger.submit import backoff
from crust_pipeline.ledger.waits import wait_until
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.models import Job, JobStatus

POLLS_A_PASS = 100
# No code tells why a job failed, only words for people (vendor documents); these name one reason.
ABOUT_CREDITS = "credit"
OUT_OF_CREDITS_WAIT = timedelta(minutes=15)
# Longest wait before a poll that failed for no reason of the vendor's is tried again.
MOST_WAIT_SECONDS = 900


@dataclass(slots=True)
class Polled:
    """What a pass of polls came to, as submission ids; `trouble` says why it ended early.

    `missing` are of unknown outcome now: the vendor goes on saying that it knows no such job.
    """

    completed: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])
    active: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])
    trouble: str | None = None

    @property
    def answered(self) -> bool:
        """Whether the vendor has said something of at least one job."""
        return bool(self.completed or self.failed or self.active or self.missing)


def poll_jobs(
    account: Account,
    *,
    may_go_on: Callable[[], bool] = lambda: True,
    failures: Failures | None = None,
) -> Polled:
    """Poll every job that is due.

    Args:
        account: the account.
        may_go_on: asked before each request; when it says no, the rest waits for the next pass.
        failures: collects the batches that failed; None: they are raised at the end.
    """
    done = Polled()
    with one_pass(failures) as failed:
        for due in ledger_poll.due_polls(account.ledger, now=account.now(), limit=POLLS_A_PASS):
            if done.trouble or not may_go_on():
                break
            note = partial(_put_off, account, due)
            with failed.unit("poll", "batch", due.submission_id, note=note):
                _poll(account, due, done)
    return done


def _poll(account: Account, due: DuePoll, done: Polled) -> None:
    """Poll one job. `trouble` is noted when it is no use to ask about another."""
    submission_id = due.submission_id
    try:
        job = account.client.job(due.batch_id)
    except errors.RateLimited as error:
        # All of them: another job's poll would only be refused as well.
        now = account.now()
        until = wait_until(now, seconds=error.retry_after_seconds)
        ledger_poll.postpone_polls(account.ledger, until=until, now=now)
        done.trouble = str(error)
    except (errors.NotFound, errors.InvalidRequest) as error:
        # Perhaps the vendor has not written it everywhere yet. The slot stays taken.
        now = account.now()
        ask_at = now + timedelta(seconds=6 * account.poll_seconds)
        if ledger_poll.record_missing_job(
            account.ledger, submission_id, ask_at=ask_at, error=str(error), now=now
        ):
            done.missing.append(submission_id)
        else:
            done.active.append(submission_id)
    except errors.VendorError as error:
        _ask_later(account, submission_id, error, seconds=account.poll_seconds)
        done.trouble = str(error)
    else:
        _note(account, due, job, done)


def _put_off(account: Account, due: DuePoll, reason: str) -> None:
    first = max(account.poll_seconds, 1)
    wait = backoff(due.tries, first_seconds=first, most_seconds=MOST_WAIT_SECONDS)
    ledger_poll.put_off(account.ledger, due.submission_id, at=account.now() + wait, error=reason)


def poll_time(
    account: Account, product: str, identifier_count: int, *, since: datetime
) -> datetime:
    """Return when to ask about a job that was submitted at `since`."""
    now = account.now()
    wait = seconds_to_next_poll(
        age_seconds=(now - since).total_seconds(),
        finished_seconds=ledger_poll.finished_seconds(account.ledger, product, identifier_count),
        most_seconds=account.poll_seconds,
        active=account.max_active,
        rate_per_minute=account.client.reads_per_minute,
    )
    return wait_until(now, seconds=wait)


def _ask_later(
    account: Account, submission_id: str, error: errors.VendorError, *, seconds: float
) -> None:
    ledger_poll.poll_again(
        account.ledger,
        submission_id,
        at=account.now() + timedelta(seconds=seconds),
        error=str(error),
    )


def _note(account: Account, due: DuePoll, job: Job, done: Polled) -> None:
    now, submission_id = account.now(), due.submission_id
    if job.status is JobStatus.FAILED:
        reason = job.error_message or "the vendor gave no reason"
        if due.adopted:
            # A failure does not show whose job it was: planned again, people could be bought twice.
            doubt = (
                f"job {due.batch_id} was adopted and failed ({reason}): nothing shows that it was "
                "this batch's. Nothing was billed for it; if it was, resubmitting is safe"
            )
            ledger_poll.record_foreign_job(account.ledger, submission_id, reason=doubt, now=now)
            done.failed.append(submission_id)
            return
        out_of_credits = ABOUT_CREDITS in reason.lower()
        instead = (
            (when_there_are_credits(account, submission_id),)
            if out_of_credits
            else replacements(account, submission_id, whole=True)
        )
        wait = backoff(0, first_seconds=account.poll_seconds, most_seconds=300)
        ledger_poll.record_failure(
            account.ledger,
            submission_id,
            reason=f"job failed: {reason}",
            now=now,
            instead=instead,
            not_before=now + wait,
            out_of_credits_until=now + OUT_OF_CREDITS_WAIT if out_of_credits else None,
        )
        done.failed.append(submission_id)
        return
    state = BatchState(job.status.value)
    ledger_poll.record_report(
        account.ledger,
        submission_id,
        JobReport(
            state=state,
            entity=job.entity,
            action=job.action,
            vendor_created_at=job.created_at,
            vendor_completed_at=job.completed_at,
            result_count=job.result_count,
            entities_requested=job.entities_requested,
            entities_fulfilled=job.entities_fulfilled,
        ),
        poll_at=poll_time(account, due.product, due.identifier_count, since=due.submitted_at),
        now=now,
    )
    (done.completed if state is BatchState.COMPLETED else done.active).append(submission_id)
