"""Watch: one look at everything that can be learned for free, and what should be done about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from crust_pipeline.buying.account import Account, owner_is_gone
from crust_pipeline.buying.poll import Polled, poll_jobs
from crust_pipeline.buying.recover import reconcile
from crust_pipeline.errors import Failures, one_pass
from crust_pipeline.ledger import land as ledger_land
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import queries
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.queries import Summary

# An advance that came to nothing is asked for again after this long, under a new run key.
ASK_AGAIN_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Watch:
    """What a look came to.

    Attributes:
        cause: why an advance is needed, as a run key; None: there is nothing to submit or land.
        in_words: what is being waited for.
        next_look: when a job is to be asked about next; None when none is at the vendor.
    """

    cause: str | None
    in_words: str
    next_look: datetime | None


def watch(
    account: Account,
    *,
    may_go_on: Callable[[], bool] = lambda: True,
    failures: Failures | None = None,
) -> Watch:
    """Poll what is due, look for lost submits, and say what is to be done. Spends nothing.

    Args:
        account: the account.
        may_go_on: asked before each request; when it says no, the rest waits for the next look.
        failures: collects what failed; None: it is raised at the end.
    """
    polled = Polled()
    with one_pass(failures) as failed:
        polled = poll_jobs(account, may_go_on=may_go_on, failures=failed)
        if may_go_on():
            # Files can be landed, whatever is the matter with lost submits.
            with failed.unit("lost submits", "account", account.ledger.account):
                reconcile(account, failures=failed)
    return _seen(account, polled)


def _seen(account: Account, polled: Polled) -> Watch:
    now = account.now()
    summary = queries.summary(account.ledger, now=now)
    cause = _cause(account, summary, now=now)
    words = in_words(summary, max_active=account.max_active, now=now)
    return Watch(
        cause,
        f"{words}; {polled.trouble}" if polled.trouble else words,
        ledger_poll.next_poll(account.ledger, now=now),
    )


def watch_all(
    accounts: Sequence[Account],
    *,
    may_go_on: Callable[[], bool] = lambda: True,
    failures: Failures | None = None,
) -> Watch:
    """Watch every account, as one."""
    seen: list[Watch] = []
    with one_pass(failures) as failed:
        for account in accounts:
            with failed.unit("watch", "account", account.ledger.account):
                seen.append(watch(account, may_go_on=may_go_on, failures=failed))
    return Watch(
        next(filter(None, (each.cause for each in seen)), None),
        "; ".join(each.in_words for each in seen),
        min(filter(None, (each.next_look for each in seen)), default=None),
    )


def _cause(account: Account, summary: Summary, *, now: datetime) -> str | None:
    due = ledger_land.due_landings(account.ledger, now=now)
    to_land = [
        item
        for item in due
        if not item.owner or owner_is_gone(item.owner, at=item.taken_at, now=now)
    ]
    orphans = [
        item
        for item in ledger_submit.orphaned_intents(account.ledger)
        if owner_is_gone(item.owner, at=item.intent_at, now=now)
    ]
    to_submit = (
        summary.pause is None
        and summary.slots_held < account.max_active
        and summary.next_submit is not None
        and summary.next_submit <= now
    )
    if not (to_land or orphans or to_submit):
        return None
    what = "land" if to_land else "submit"
    revision = ledger_poll.revision(account.ledger)
    return f"advance:{what}:{revision}:{int(now.timestamp()) // ASK_AGAIN_SECONDS}"


def in_words(summary: Summary, *, max_active: int, now: datetime) -> str:
    """Return what is being waited for, in a sentence for a tick's message."""
    count = summary.batches.get
    parts = [f"{summary.slots_held} of {max_active} slots busy"]
    if summary.oldest_job:
        parts.append(f"oldest {int((now - summary.oldest_job).total_seconds())} s")
    if planned := count("planned", 0):
        parts.append(f"{planned} batches planned")
    if unknown := count("unknown", 0):
        parts.append(f"{unknown} submits of unknown outcome: see `crust-pipeline status`")
    if summary.oldest_link:
        waited = int((now - summary.oldest_link).total_seconds())
        parts.append(f"oldest file to land {waited} s")
    if summary.pause:
        parts.append(f"waiting until {summary.pause.until:%H:%M:%S} UTC: {summary.pause.detail}")
    return ", ".join(parts)
