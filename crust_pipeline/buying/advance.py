"""Advance: the one step that may spend and may take long. Slots first, then files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crust_pipeline.buying.account import Account
from crust_pipeline.buying.land import Landed, land_files
from crust_pipeline.buying.poll import Polled, poll_jobs
from crust_pipeline.buying.submit import Dispatched, fill_slots
from crust_pipeline.errors import Failures, one_pass


@dataclass(frozen=True, slots=True)
class Advanced:
    """What an advance came to."""

    dispatched: Dispatched
    landed: Landed


def advance(
    account: Account,
    *,
    run_id: str | None = None,
    may_go_on: Callable[[], bool] = lambda: True,
    failures: Failures | None = None,
) -> Advanced:
    """Fill the free slots, land every completed file; again while jobs have ended meanwhile.

    Args:
        account: the account.
        run_id: the Dagster run that submits, if there is one.
        may_go_on: asked before each file and job; when it says no, the rest waits.
        failures: collects what failed; None: it is raised at the end.
    """
    done = Advanced(Dispatched(), Landed())
    with one_pass(failures) as failed:
        while True:
            # Links die, whatever is the matter with submits.
            with failed.unit("submits", "account", account.ledger.account):
                done.dispatched.add(fill_slots(account, run_id=run_id, failures=failed))
            done.landed.add(land_files(account, may_go_on=may_go_on, failures=failed))
            if not may_go_on():
                break
            if not _has_news(poll_jobs(account, may_go_on=may_go_on, failures=failed)):
                break
    return done


def advance_all(
    accounts: Sequence[Account], *, run_id: str | None = None, failures: Failures | None = None
) -> Advanced:
    """Advance with every account; paused is said of the last one that is."""
    done = Advanced(Dispatched(), Landed())
    with one_pass(failures) as failed:
        for account in accounts:
            with failed.unit("advance", "account", account.ledger.account):
                one = advance(account, run_id=run_id, failures=failed)
                done.dispatched.add(one.dispatched)
                done.landed.add(one.landed)
    return done


def _has_news(polled: Polled) -> bool:
    return bool(polled.completed or polled.failed)
