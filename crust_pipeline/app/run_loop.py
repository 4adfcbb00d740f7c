"""Runs days to their end without a daemon: what the sensor and its runs do, in one loop.

Everything it knows is in the ledger, so it can be killed at any point and run again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from crust_pipeline.app.days import (
    days_between,
    load_accounts,
    load_days_before_start,
    load_results,
    load_upstream,
    load_warehouse,
    notes_of,
    plan_days,
)
from crust_pipeline.app.installation import Installation
from crust_pipeline.app.refused import left_out_in_words, refused_in_words
from crust_pipeline.buying.account import Account
from crust_pipeline.buying.decide import Policy
from crust_pipeline.buying.land import land_files
from crust_pipeline.buying.poll import poll_jobs
from crust_pipeline.buying.recover import SEARCHES_BEFORE_DECIDING, reconcile
from crust_pipeline.buying.submit import fill_slots
from crust_pipeline.errors import Failures
from crust_pipeline.ledger import land as ledger_land
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.outcomes import OPEN_OUTCOMES, TROUBLED_OUTCOMES
from crust_pipeline.ledger.queries import Summary
from crust_pipeline.ledger.states import IN_PROGRESS, BatchState
from crust_pipeline.ledger.submit import PauseKind, end_pause
from crust_pipeline.tables.store.warehouse import LoadReport
from crust_pipeline.vendors import errors

# With nothing running at the vendor, waiting for these is waiting for a person.
NEEDS_A_PERSON = frozenset({PauseKind.CREDITS, PauseKind.KEY, PauseKind.REFUSED})
UNREACHABLE_TRIES = 3
# Some five minutes of tries, as polls are by default; a file may take days to be good.
LANDINGS_TRIED = 6
# Jobs at a vendor that does not answer go on by themselves, and a lost submit can be looked for
# another day; somebody should know, though.
VENDOR_SILENCE_LIMIT = timedelta(minutes=5)
LEAST_IDLE_SECONDS, MOST_IDLE_SECONDS = 0.05, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands: shown to people while they wait."""

    summary: Summary
    rows: int
    rows_open: int


@dataclass(slots=True)
class Silence:
    """Since when a vendor has not given one usable answer, and what is the matter."""

    since: datetime | None = None
    trouble: str | None = None

    def listen(self, *, answered: bool, trouble: str | None, now: datetime) -> None:
        """Note what came of a turn; one in which nothing was asked says nothing."""
        if answered:
            self.since = self.trouble = None
        elif trouble:
            self.since, self.trouble = self.since or now, trouble

    def too_long(self, now: datetime) -> str | None:
        """Return what is the matter, when it has been for too long."""
        return self.trouble if self.since and now - self.since > VENDOR_SILENCE_LIMIT else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """How a run ended.

    `stopped` says why it gave up before every row had an outcome; `failed`, what failed by itself
    while everything else was done; `refused`, why rows were refused; `left_out`, which fields rows
    go without.
    """

    outcomes: dict[str, Counter[str]]
    warehouse: LoadReport
    unplaced: int
    notes: tuple[str, ...]
    stopped: str | None
    failed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def rows_open(self) -> int:
        """Rows that have no final outcome."""
        return sum(
            counts[outcome] for counts in self.outcomes.values() for outcome in OPEN_OUTCOMES
        )

    @property
    def rows_troubled(self) -> int:
        """Rows that need a person: something may be paid for and lost."""
        return sum(
            counts[outcome] for counts in self.outcomes.values() for outcome in TROUBLED_OUTCOMES
        )


def run_to_end(
    installation: Installation,
    *,
    operations: Sequence[str],
    start: date,
    end: date,
    policy: Policy,
    run_id: str,
    show: Callable[[Progress], None],
    sleep: Callable[[float], None],
) -> RunReport:
    """Plan, submit, wait, land and load the days from start to end.

    Args:
        installation: the installation.
        operations: what to buy.
        start: the first day.
        end: the last day.
        policy: freshness and limits.
        run_id: names this run in the tables.
        show: told how things stand, every so often.
        sleep: waits, in seconds.

    Raises:
        SettingsError: the settings ask for what does not exist, or lacks consent.
        UpstreamError: the upstream table cannot be used.
        VendorError: the API key is not accepted.
        StoresError: ledger, raw folder and lake do not belong together.
        OverBudgetError: the plan is over a limit, and the setting is to refuse.
    """
    installation.check_stores()
    for operation in operations:
        installation.fields(
            operation
        )  # what may not be asked for is said before anything is planned
    installation.scratch.remove_abandoned()
    upstream = load_upstream(installation, start=start, end=end, run_id=run_id)
    days = days_between(start, end)
    unreachable = _unreachable(installation)
    notes = [*upstream.notes]
    for operation in operations:
        planned = plan_days(
            installation,
            operation,
            days,
            policy=policy,
            run_id=run_id,
            ask_balance=unreachable is None,
        )
        notes += notes_of(installation, planned)
    _try_again_at_once(installation)
    stopped, failures = unreachable, Failures()
    if not unreachable:
        # Whatever ends the waiting: what has landed is loaded.
        with failures.unit("waiting", "run", run_id):
            stopped = _wait(
                installation,
                operations,
                days,
                policy=policy,
                run_id=run_id,
                show=show,
                sleep=sleep,
                failures=failures,
            )
    for name in operations:
        load_results(installation, name, days, run_id=run_id, failures=failures)
    load_accounts(installation, days, run_id=run_id, failures=failures)
    if early := load_days_before_start(installation, run_id=run_id, failures=failures):
        notes.append(
            f"{len(early):,} days before CRUST_PARTITIONS_START, {early[0]} to {early[-1]}, had "
            "been paid for and were loaded as well."
        )
    return RunReport(
        outcomes={
            name: sum(
                queries.outcome_counts(installation.ledger, name, days).values(),
                start=Counter[str](),
            )
            for name in operations
        },
        warehouse=load_warehouse(installation),
        unplaced=upstream.unplaced,
        notes=tuple(notes),
        stopped=stopped,
        failed=failures.in_words,
        refused=tuple(refused_in_words(installation.ledger, operations, days)),
        left_out=tuple(left_out_in_words(installation.ledger, operations, days)),
    )


def _unreachable(installation: Installation) -> str | None:
    """Return why a vendor cannot be reached at all, found out once before anything else asks it."""
    for account in installation.accounts.values():
        try:
            account.client.credits()
        except errors.Unavailable as error:
            if error.status is None:  # no response came; an error of the server is one
                return str(error)
        except (errors.NotPermitted, errors.NotFound, errors.RateLimited):
            pass  # not every account may see its balance
    return None


def _try_again_at_once(installation: Installation) -> None:
    """End waits for what a person mends: a new run shows that it is mended, or tells why not."""
    for ledger in installation.ledgers:
        with ledger.write() as tx:
            for kind in (*NEEDS_A_PERSON, PauseKind.UNREACHABLE):
                for takes_slot in (True, False):
                    end_pause(tx, kind, takes_slot=takes_slot)
            ledger_poll.try_at_once(tx, now=installation.clock())


def _wait(
    installation: Installation,
    names: Sequence[str],
    days: Sequence[date],
    *,
    policy: Policy,
    run_id: str,
    show: Callable[[Progress], None],
    sleep: Callable[[float], None],
    failures: Failures,
) -> str | None:
    """Poll, submit, land and plan until no row of these days is open, or return why it is stuck.

    Batches that failed are tried again while there are others to wait for, and no longer.
    """
    accounts = list(installation.accounts.values())
    ledger, clock = installation.ledger, installation.clock
    silences = [Silence() for _ in accounts]
    # Landing has a thread of its own: a large file must not keep slots empty.
    with ThreadPoolExecutor(max_workers=1) as beside:
        landing_now: Future[None] | None = None
        while True:
            by_account = Failures()
            for account, silence in zip(accounts, silences, strict=True):
                with by_account.unit("turn", "account", account.ledger.account):
                    _turn(account, silence, failures)
            by_account.raise_at_end()
            if landing_now is not None and landing_now.done():
                landing_now.result()
                landing_now = None
            if landing_now is None and _something_to_land(accounts):
                landing_now = beside.submit(_land_all, accounts, failures)
            _plan_identified(installation, names, days, policy=policy, run_id=run_id)
            summaries = [queries.summary(account.ledger, now=clock()) for account in accounts]
            waiting = queries.waiting_rows(
                ledger,
                names,
                days,
                searches=SEARCHES_BEFORE_DECIDING,
                without=failures.names("batch"),
            )
            show(Progress(summary=summaries[0], rows=waiting.rows, rows_open=waiting.rows_open))
            if not waiting.rows_open:
                return None
            for silence in silences:
                if reason := silence.too_long(clock()):
                    return reason
            if landing_now is None and (reason := _all_stuck(accounts, summaries)):
                return reason
            sleep(min(map(_seconds_to_next_look, accounts)))


def _turn(account: Account, silence: Silence, failures: Failures) -> None:
    """Poll, look for lost submits and fill slots with an account."""
    polled, found = poll_jobs(account, failures=failures), reconcile(account, failures=failures)
    silence.listen(
        answered=polled.answered or found.searched,
        trouble=polled.trouble or found.trouble,
        now=account.now(),
    )
    fill_slots(account, failures=failures)


def _something_to_land(accounts: Sequence[Account]) -> bool:
    return any(ledger_land.due_landings(account.ledger, now=account.now()) for account in accounts)


def _land_all(accounts: Sequence[Account], failures: Failures) -> None:
    by_account = Failures()
    for account in accounts:
        with by_account.unit("landing", "account", account.ledger.account):
            land_files(account, failures=failures)
    by_account.raise_at_end()


def _seconds_to_next_look(account: Account) -> float:
    """Until the next poll, but not long: landings end and pauses pass in between."""
    now = account.now()
    due = ledger_poll.next_poll(account.ledger, now=now)
    wait = (due - now).total_seconds() if due else MOST_IDLE_SECONDS
    return min(max(wait, LEAST_IDLE_SECONDS), MOST_IDLE_SECONDS)


def _all_stuck(accounts: Sequence[Account], summaries: Sequence[Summary]) -> str | None:
    """Return why waiting longer is useless, if no account has a batch that can move."""
    reasons = [
        _stuck(account, summary) for account, summary in zip(accounts, summaries, strict=True)
    ]
    moving = any(
        reason is None and any(summary.batches.get(state) for state in IN_PROGRESS)
        for reason, summary in zip(reasons, summaries, strict=True)
    )
    return None if moving else next(filter(None, reasons), None)


def _plan_identified(
    installation: Installation,
    names: Sequence[str],
    days: Sequence[date],
    *,
    policy: Policy,
    run_id: str,
) -> None:
    """Ask for those whose e-mail has been identified by now; nobody else is planned again."""
    again: dict[str, list[date]] = {}
    for operation, day in ledger_load.days_identified(installation.ledger):
        if operation in names and day in days:
            again.setdefault(operation, []).append(day)
    for operation, of_days in again.items():
        only_new = replace(policy, new_rows_only=True, refresh=False)
        plan_days(installation, operation, of_days, policy=only_new, run_id=run_id)


def _stuck(account: Account, summary: Summary) -> str | None:  # noqa: PLR0911 - one for each reason
    """Return why waiting longer makes no sense, if it does not."""
    if summary.batches.get("pending", 0) + summary.batches.get("processing", 0):
        return None
    if summary.landing_tries is not None:
        if summary.landing_tries < LANDINGS_TRIED:
            return None
        return _waits_for_files(account)
    pause = summary.pause
    if pause is None:
        return None
    if pause.kind in NEEDS_A_PERSON:
        return pause.detail
    if pause.kind is PauseKind.UNREACHABLE and pause.tries >= UNREACHABLE_TRIES:
        return pause.detail
    return None


def _waits_for_files(account: Account) -> str:
    """Say which batches wait for their files, why, and that this goes on without this run."""
    waiting = [
        f"batch {batch.submission_id} waits for a good file ({batch.error}; tried {batch.tries} "
        f"times, next at {batch.next_try:%Y-%m-%d %H:%M} UTC)"
        for batch in queries.troubled(account.ledger)
        if batch.state is BatchState.COMPLETED
    ]
    return (
        f"{'; '.join(waiting)}. `crust-pipeline run`, Dagster's sensor or `crust-pipeline refetch` "
        "goes on with that later"
    )
