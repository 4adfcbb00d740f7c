"""Recover: find the jobs of submits whose answer was lost (`reconcile` on the command line).

The vendor lists its jobs newest first. A job fits when its action and number of identifiers are
those of the submit, no other batch has it, and it was created when the submit was under way: by the
clock, or by its place among jobs of ours, since the vendor's clock need not be ours. Landing
verifies every match by the identifiers in the file and undoes a wrong one, so that a match by its
place alone is safe.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from crust_pipeline.buying.account import Account
from crust_pipeline.buying.callbacks import adopt_called_back
from crust_pipeline.buying.job_kinds import JobKinds, job_kinds
from crust_pipeline.buying.land import recover_answer
from crust_pipeline.buying.replan import same_again
from crust_pipeline.errors import Failures, one_pass
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.plan import NewBatch
from crust_pipeline.ledger.poll import UnknownSubmit
from crust_pipeline.ledger.states import BatchState, LedgerError, OverLimitError
from crust_pipeline.ledger.submit import backoff
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.models import Job

# How far the vendor's clock may be off ours after its Date header has been taken into account, and
# how long a request may take until the vendor writes its job down.
BEFORE_INTENT = timedelta(minutes=1)
AFTER_INTENT = timedelta(minutes=5)
# A job may show up in the list later than its submit failed.
SEARCHES_BEFORE_DECIDING = 4
PAGES_A_SEARCH = 50
MOST_WAIT_SECONDS = 300
# Between why a submit's fate is unknown and why nobody could look for its job.
SEARCH_FAILED = "; its search failed: "


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


def reconcile(
    account: Account, *, due_only: bool = True, failures: Failures | None = None
) -> Reconciled:
    """Look for the jobs of unknown submits and adopt those found.

    Args:
        account: the account.
        due_only: leave out those that were looked for a short while ago.
        failures: collects the batches that failed; None: they are raised at the end.
    """
    done = Reconciled()
    with one_pass(failures) as failed:
        unknown = ledger_poll.unknown_submits(
            account.ledger, now=account.now() if due_only else None
        )
        if unknown := _without_a_search(account, unknown, done, failed):
            _search(account, unknown, done, failed)
    return done


def _without_a_search(
    account: Account, unknown: Sequence[UnknownSubmit], done: Reconciled, failures: Failures
) -> list[UnknownSubmit]:
    """Find what is known without the vendor's list; give those that must be searched in it.

    One that fails here is in neither: while nobody knows, it must not be bought again.
    """
    left: list[UnknownSubmit] = []
    vendor_answers = True
    for submit in unknown:
        with failures.unit("search", "batch", submit.submission_id, note=_note(account, submit)):
            found = _answer_kept(account, submit)
            if not found and vendor_answers:
                try:
                    found = adopt_called_back(account, submit)
                except errors.VendorError:
                    vendor_answers = False  # the list comes next, and tells what is the matter
            if found:
                done.adopted.append(submit.submission_id)
            else:
                left.append(submit)
    return left


def _answer_kept(account: Account, submit: UnknownSubmit) -> bool:
    """Settle a synchronous request whose answer was kept, and only not settled."""
    return not submit.takes_slot and recover_answer(account, submit.submission_id, submit.product)


def _search(
    account: Account, unknown: Sequence[UnknownSubmit], done: Reconciled, failures: Failures
) -> None:
    """Look for submits in the vendor's list of jobs."""
    listed, kinds = None, job_kinds(account)
    note = partial(setattr, done, "trouble")
    with failures.unit("job list", "account", account.ledger.account, note=note):
        try:
            listed = job_list(account, since=unknown[0].intent_at).jobs
        except errors.VendorError as error:
            done.trouble = str(error)
    if listed is None:
        at = account.now() + timedelta(seconds=max(account.poll_seconds, 1))
        for submit in unknown:
            ledger_poll.poll_again(account.ledger, submit.submission_id, at=at)
        return
    for submit in unknown:
        with failures.unit("search", "batch", submit.submission_id, note=_note(account, submit)):
            # Synchronous requests are in no list of jobs.
            job = fitting(submit, listed, kinds=kinds) if submit.takes_slot else None
            if job is not None:
                listed = [item for item in listed if item.job is not job]
                if _adopt(account, submit.submission_id, job):
                    done.adopted.append(submit.submission_id)
            elif _bought_again(account, submit):
                done.resubmitted.append(submit.submission_id)
            else:
                wait = backoff(
                    submit.searches,
                    first_seconds=account.poll_seconds,
                    most_seconds=MOST_WAIT_SECONDS,
                )
                ledger_poll.search_again(
                    account.ledger, submit.submission_id, at=account.now() + wait
                )
                done.held.append(submit.submission_id)


def _note(account: Account, submit: UnknownSubmit) -> Callable[[str], None]:
    """Return what notes a search that failed. It counts as none: nobody has looked."""

    def note(reason: str) -> None:
        unknown_for = (submit.reason or "").partition(SEARCH_FAILED)[0]
        ledger_poll.poll_again(
            account.ledger,
            submit.submission_id,
            at=account.now() + timedelta(seconds=MOST_WAIT_SECONDS),
            error=f"{unknown_for}{SEARCH_FAILED}{reason}",
        )

    return note


def _bought_again(account: Account, submit: UnknownSubmit) -> bool:
    """Buy a submit that is not found again, if that is the setting and the limits allow it."""
    if not (account.resubmit_unknown and _is_lost(submit, now=account.now())):
        return False
    try:
        again = same_again(account, submit.submission_id)
        _buy_again(account, submit.submission_id, again, reason="CRUST_ON_UNKNOWN is resubmit")
    except OverLimitError:
        return False  # held for a person, who may raise the limit
    return True


def _is_lost(submit: UnknownSubmit, *, now: datetime) -> bool:
    """Return whether a job that could still show up would have done so by now."""
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


@dataclass(frozen=True, slots=True)
class JobList:
    """The vendor's jobs, newest first; `is_whole`: none that matters is on a page not read."""

    jobs: list[Listed]
    is_whole: bool


def job_list(account: Account, *, since: datetime) -> JobList:
    """Return the account's jobs back to the last one we submitted before `since`.

    Raises:
        VendorError: the vendor does not give the list.
    """
    listed: list[Listed] = []
    cursor: str | None = None
    for _ in range(PAGES_A_SEARCH):
        page = account.client.jobs(cursor=cursor)
        skew = page.server_time - account.now() if page.server_time else timedelta(0)
        if abs(skew) < BEFORE_INTENT:
            skew = timedelta(0)  # the Date header is only good to the second
        ours, foreign = ledger_poll.jobs_known(account.ledger, [job.batch_id for job in page.jobs])
        for job in page.jobs:
            submitted_at = ours.get(job.batch_id)
            foreign_to = frozenset(submit for known, submit in foreign if known == job.batch_id)
            listed.append(Listed(_in_our_time(job, skew), submitted_at, foreign_to))
            if submitted_at is not None and submitted_at < since:
                return JobList(listed, is_whole=True)
        if not page.has_more or page.next_cursor is None:
            return JobList(listed, is_whole=not page.has_more)
        cursor = page.next_cursor
    return JobList(listed, is_whole=False)


def _in_our_time(job: Job, skew: timedelta) -> Job:
    return replace(job, created_at=job.created_at - skew) if job.created_at else job


def fitting(submit: UnknownSubmit, listed: Sequence[Listed], *, kinds: JobKinds) -> Job | None:
    """Return the job that is most likely a submit's: by the clock, by its place, or the only one.

    Args:
        submit: the submit.
        listed: the vendor's jobs, newest first.
        kinds: what the vendor calls jobs, as far as known. A job of which nobody knows what kind it
            is may be any submit's if none of the right kind fits: the vendor documents no closed
            set.
    """
    right = [
        item
        for item in listed
        if item.submitted_at is not None or submit.product in (kinds.of(item.job) or ())
    ]
    unheard_of = [
        item
        for item in listed
        if item.submitted_at is not None or kinds.may_be(item.job, submit.product)
    ]
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


def abandon(account: Account, submission_id: str, *, reason: str) -> None:
    """Accept a person's decision that an unknown submit never started: free its identifiers."""
    ledger_submit.record_rejected(
        account.ledger,
        submission_id,
        reason=f"abandoned: {reason}",
        now=account.now(),
        state=BatchState.UNKNOWN,
    )


def resubmit(account: Account, submission_id: str, *, reason: str) -> None:
    """Accept a person's decision to buy an unknown submit again, perhaps paying twice.

    Raises:
        OverLimitError: a credit limit would be passed; nothing is decided then.
        LedgerError: it is not of unknown outcome.
    """
    # The run that planned it has spent what it may; this is a decision of its own.
    again = replace(same_again(account, submission_id), run_id=None)
    _buy_again(account, submission_id, again, reason=reason)


def _buy_again(account: Account, submission_id: str, again: NewBatch, *, reason: str) -> None:
    ledger_submit.submit_again(
        account.ledger,
        submission_id,
        instead=again,
        reason=f"submitted again: {reason}",
        limits=account.limits,
        now=account.now(),
    )


def adopt_by_hand(account: Account, submission_id: str, *, batch_id: str) -> None:
    """Accept a person's word on which job an unknown submit started.

    Raises:
        NotFound: the vendor has no such job.
        LedgerError: the batch is not of unknown outcome, or another batch has the job.
    """
    if not _adopt(account, submission_id, account.client.job(batch_id)):
        raise LedgerError(
            f"Batch {submission_id} is not unknown, or job {batch_id} is another batch's: "
            "nothing was adopted."
        )


def _adopt(account: Account, submission_id: str, job: Job) -> bool:
    return ledger_poll.adopt(
        account.ledger,
        submission_id,
        batch_id=job.batch_id,
        entity=job.entity,
        action=job.action,
        created_at=job.created_at,
        now=account.now(),
    )
