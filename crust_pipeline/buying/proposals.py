"""Proposals: what evidence says of submits that a search has not found.

A search adopts by itself every job that fits, since that costs nothing and landing verifies it.
What is left may be given up: then its people are free to be bought again, which pays twice if the
job runs after all. So giving up is proposed only where the vendor's list shows that it does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from crust_pipeline.buying.account import Account
from crust_pipeline.buying.job_kinds import JobKinds, job_kinds
from crust_pipeline.buying.recover import SEARCHES_BEFORE_DECIDING, JobList, abandon, job_list
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger.poll import UnknownSubmit
from crust_pipeline.ledger.states import BatchState, LedgerError
from crust_pipeline.vendors.models import JobStatus

# No job counts as never started sooner, however fast those before it appeared.
LEAST_TO_APPEAR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What to do about an unknown submit.

    Attributes:
        submission_id: the batch.
        operation: what it buys.
        vendor: whose credits they are.
        identifiers: how many people are in it.
        is_abandon: whether to give it up; False: a person must decide.
        reason: the evidence, or why there is too little.
        credits_worst_case: what is lost if it runs after all.
    """

    submission_id: str
    operation: str
    vendor: str
    identifiers: int
    is_abandon: bool
    reason: str
    credits_worst_case: Decimal


def propose(account: Account) -> list[Proposal]:
    """Return a proposal for each unknown submit of an account, oldest first.

    Raises:
        VendorError: the vendor does not give its list of jobs.
    """
    unknown = ledger_poll.unknown_submits(account.ledger)
    if not unknown:
        return []
    listed = job_list(account, since=unknown[0].intent_at)
    kinds, now = job_kinds(account), account.now()
    appears_within = max(LEAST_TO_APPEAR, ledger_poll.longest_to_appear(account.ledger))
    found: list[Proposal] = []
    for submit in unknown:
        doubt = _doubt(submit, listed, kinds=kinds, appears_within=appears_within, now=now)
        found.append(
            Proposal(
                submission_id=submit.submission_id,
                operation=submit.operation,
                vendor=account.product(submit.product).vendor,
                identifiers=submit.identifier_count,
                is_abandon=doubt is None,
                reason=doubt
                or f"{_what_is_listed(submit, listed)} {_hours(now - submit.intent_at)} after its "
                f"submit; jobs appear within {_hours(appears_within)}",
                credits_worst_case=submit.credits_reserved,
            )
        )
    return found


def accept(account: Account, proposals: Sequence[Proposal]) -> list[str]:
    """Give up what is proposed to be given up, and still unknown; return the batches."""
    given_up: list[str] = []
    for proposal in proposals:
        if not proposal.is_abandon:
            continue
        try:
            abandon(account, proposal.submission_id, reason=proposal.reason)
        except LedgerError:
            if _is_unknown(account, proposal.submission_id):
                raise
            continue  # another process has found its job since
        given_up.append(proposal.submission_id)
    return given_up


def _is_unknown(account: Account, submission_id: str) -> bool:
    with account.ledger.write() as tx:
        return tx.state(submission_id) is BatchState.UNKNOWN


def _doubt(
    submit: UnknownSubmit,
    listed: JobList,
    *,
    kinds: JobKinds,
    appears_within: timedelta,
    now: datetime,
) -> str | None:
    """Return why a submit may have started a job after all; None when all speaks against it."""
    may_be = [
        item
        for item in listed.jobs
        if item.submitted_at is None
        and submit.submission_id not in item.foreign_to
        and item.job.identifier_count in {None, submit.identifier_count}
        and (submit.product in (kinds.of(item.job) or ()) or kinds.may_be(item.job, submit.product))
    ]
    doubts = {
        "its answer came at once, and is in no list": not submit.takes_slot,
        "the vendor had accepted it": submit.was_accepted,
        "the vendor's list is too long to be read whole": not listed.is_whole,
        "the vendor's list shows no job of ours, so it may not show this one": not any(
            item.submitted_at for item in listed.jobs
        ),
        f"{len(may_be)} jobs of the list may be it; none stands out": bool(may_be),
        f"only {submit.searches} searches so far, of {SEARCHES_BEFORE_DECIDING}": submit.searches
        < SEARCHES_BEFORE_DECIDING,
        f"its job may still appear: some took up to {_hours(appears_within)}": now
        - submit.intent_at
        <= appears_within,
    }
    return next((words for words, holds in doubts.items() if holds), None)


def _what_is_listed(submit: UnknownSubmit, listed: JobList) -> str:
    failed = any(
        submit.submission_id in item.foreign_to and item.job.status is JobStatus.FAILED
        for item in listed.jobs
    )
    if failed:
        return "the one job that fits it failed, which is not billed; no other is listed"
    return "not in the vendor's list"


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f} hours"
