"""Commands about the ledger: status, credits, reconcile."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import click

from crust_pipeline.cli.common import (
    DONE,
    FAILED,
    agreed_to_spend,
    complain,
    json_option,
    open_installation,
    readable_errors,
    yes_option,
)
from crust_pipeline.cli.interrupted import tells_what_is_open
from crust_pipeline.errors import Failures
from crust_pipeline.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from crust_pipeline.app.installation import Installation
    from crust_pipeline.buying.bill import Bill
    from crust_pipeline.buying.forecast import DaysDone
    from crust_pipeline.buying.proposals import Proposal
    from crust_pipeline.buying.waiting import Wait
    from crust_pipeline.ledger.load import FailedDay
    from crust_pipeline.ledger.poll import UnknownSubmit
    from crust_pipeline.ledger.queries import Incomplete, Summary, Troubled
    from crust_pipeline.ledger.queue import Queued
    from crust_pipeline.ledger.spending import Grouping, Spending
    from crust_pipeline.tables.store.scratch import ScratchUsage


@click.command()
@json_option
@readable_errors
def status(*, as_json: bool) -> int:
    """Batches, slots, credits, what waits and for what, and what needs a decision."""
    from crust_pipeline.app.orders import account_names
    from crust_pipeline.cli.display import open_console, print_json

    settings = Settings.from_env()
    looks = [_look(settings, account, slots) for account, slots in account_names(settings).items()]
    if as_json:
        first, *others = (look.as_json() for look in looks)
        # Credits of different vendors are different currencies: every account is told by itself.
        days = [asdict(day) for day in _failed_days(settings)]
        told = {**first, "other_accounts": others, "days_failed": days}
        print_json(open_console(), {**told, "scratch": asdict(_scratch(settings))})
    else:
        for look in looks:
            look.show(open_console())
        for day in _failed_days(settings):
            open_console().print(
                f"Tables behind: {day.operation} {day.partition_date} failed: {day.error}"
            )
        if (scratch := _scratch(settings)).folders:
            open_console().print(
                f"Scratch: {scratch.folders} folders, {scratch.size_bytes / 1e6:,.1f} MB, below "
                f"{settings.scratch}; {scratch.abandoned} of them were left by processes that are "
                "gone, and the next run removes them"
            )
    return DONE


def _scratch(settings: Settings) -> "ScratchUsage":
    from crust_pipeline.tables.store.scratch import Scratch

    return Scratch(settings.scratch).usage()


def _failed_days(settings: Settings) -> "list[FailedDay]":
    from crust_pipeline.ledger.load import failed_days
    from crust_pipeline.ledger.store import Ledger

    return failed_days(Ledger(settings.ledger_url, account=settings.account))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """How one account stands."""

    account: str
    slots: int
    summary: "Summary"
    unknown: "list[UnknownSubmit]"
    troubled: "list[Troubled]"
    incomplete: "list[Incomplete]"
    queued: "list[Queued]"
    ends: "list[DaysDone]"
    waits: "list[Wait]"

    def as_json(self) -> dict[str, Any]:
        """As scripts read it."""
        summary = self.summary
        return {
            "account": self.account,
            "batches": summary.batches,
            "slots_held": summary.slots_held,
            "slots": self.slots,
            "credits_reserved": summary.credits_reserved,
            "credits_computed": summary.credits_computed,
            "oldest_link": summary.oldest_link,
            "waits_for": summary.pause and summary.pause.detail,
            "unknown": [submit.submission_id for submit in self.unknown],
            "unknown_reasons": {submit.submission_id: submit.reason for submit in self.unknown},
            "troubled": [asdict(batch) for batch in self.troubled],
            "incomplete": [asdict(batch) for batch in self.incomplete],
            "queue": [
                {
                    "submission_id": batch.submission_id,
                    "operation": batch.operation,
                    "state": batch.state,
                    "priority": batch.priority,
                    "identifiers": batch.identifier_count,
                    "days": sorted({day for _, day in batch.days}),
                }
                for batch in self.queued
            ],
            "days_done": [asdict(days) for days in self.ends],
            "waits": [asdict(wait) for wait in self.waits],
        }

    def show(self, console: "Console") -> None:
        """Print it for people."""
        from crust_pipeline.buying.waiting import in_words
        from crust_pipeline.cli.display import counts_in_words

        summary = self.summary
        console.print(f"Account {self.account}: batches: {counts_in_words(summary.batches)}")
        console.print(f"Slots: {summary.slots_held} of {self.slots} held")
        console.print(
            f"Credits: {summary.credits_reserved.normalize():,f} reserved, "
            f"{summary.credits_computed.normalize():,f} spent (computed from what was delivered)"
        )
        if summary.oldest_link:
            console.print(
                f"Oldest file not landed yet: completed {summary.oldest_link:%Y-%m-%d %H:%M} UTC"
            )
        if pause := summary.pause:
            console.print(f"Waiting until {pause.until:%H:%M:%S} UTC: {pause.detail}")
        for days in self.ends:
            done = f"{days.at:%Y-%m-%d %H:%M} UTC" if days.at else ""
            at = f"jobs done about {done}" if done else "no telling when yet"
            console.print(f"Queue: {days.operation} {days.start} to {days.end}: {at}")
        for line in in_words(self.waits):
            console.print(line)
        for batch in self.troubled:
            console.print(
                f"Failed: batch {batch.submission_id} ({batch.operation}, {batch.state}): "
                f"{batch.error}. Tried {batch.tries} times, next at "
                f"{batch.next_try:%Y-%m-%d %H:%M:%S} UTC."
            )
        for batch in self.incomplete:
            console.print(
                f"Incomplete: batch {batch.submission_id} ({batch.operation}): {batch.problem}. "
                f"`crust-pipeline refetch {batch.submission_id}` asks the vendor for a better file."
            )
        for submit in self.unknown:
            console.print(
                f"Unknown: batch {submit.submission_id} ({submit.operation}, "
                f"{submit.identifier_count} identifiers, sent {submit.intent_at:%Y-%m-%d %H:%M} "
                f"UTC) may be running and billed: {submit.reason}. {_what_now(submit)}"
            )


def _what_now(submit: "UnknownSubmit") -> str:
    if not submit.takes_slot:
        return (
            "Its answer, which came at once, is lost. Decide with `crust-pipeline reconcile "
            "--abandon` or `--resubmit`."
        )
    return (
        f"Its job was not found in {submit.searches} searches. It holds a slot. See what "
        "`crust-pipeline reconcile` proposes, or decide with its `--adopt`, `--abandon` or "
        "`--resubmit`."
    )


def _look(settings: Settings, account: str, slots: int) -> _Look:
    from crust_pipeline.buying.forecast import day_ends, in_ranges
    from crust_pipeline.buying.land import LINK_LIVES
    from crust_pipeline.buying.waiting import waits
    from crust_pipeline.ledger import poll as ledger_poll
    from crust_pipeline.ledger import queries
    from crust_pipeline.ledger.queue import open_batches, queue
    from crust_pipeline.ledger.store import Ledger

    ledger, now = Ledger(settings.ledger_url, account=account), datetime.now(UTC)
    queued, summary = queue(ledger), queries.summary(ledger, now=now)
    ends = day_ends(
        queued,
        finished_seconds=cache(partial(ledger_poll.finished_seconds, ledger)),
        slots=slots,
        now=now,
    )
    return _Look(
        account=account,
        slots=slots,
        summary=summary,
        unknown=ledger_poll.unknown_submits(ledger),
        troubled=queries.troubled(ledger),
        incomplete=queries.incomplete(ledger, completed_after=now - LINK_LIVES),
        queued=queued,
        ends=list(in_ranges(ends)),
        waits=waits(open_batches(ledger, now=now), summary, slots=slots, now=now),
    )


@click.command()
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["day", "operation", "partition", "state"]),
    default=("operation",),
    show_default=True,
    help="What to group by; may be given several times. `day`: when it was planned (UTC).",
)
@click.option(
    "--ask", is_flag=True, help="Also ask the vendors for balance and usage report. Free."
)
@json_option
@readable_errors
def credits(*, by: "tuple[Grouping, ...]", ask: bool, as_json: bool) -> int:  # noqa: A001 - the command's name
    """Show credits reserved, computed from what was delivered, and reported by the vendor.

    Credits of different vendors are different currencies and are never added up.
    """
    from crust_pipeline.app.orders import account_names
    from crust_pipeline.cli.display import open_console, print_json, print_table
    from crust_pipeline.ledger.spending import spending
    from crust_pipeline.ledger.store import Ledger

    settings = Settings.from_env()
    ledger = Ledger(settings.ledger_url, account=settings.account)
    by = tuple(dict.fromkeys(by))
    found = spending(ledger, accounts=account_names(settings), by=by)
    totals = spending(ledger, accounts=account_names(settings))
    asked = _bills() if ask else []
    console = open_console()
    if as_json:
        told = {"groups": [*map(_as_json, found)], "totals": [*map(_as_json, totals)]}
        print_json(console, {**told, "asked": [asdict(bill) for bill in asked]})
        return DONE
    rows = [_as_json(item) for item in found]
    columns = list(rows[0]) if rows else []
    print_table(
        console,
        "Credits by " + " and ".join(by),
        [name.removeprefix("credits_").replace("_", " ") for name in columns],
        [list(row.values()) for row in rows],
    )
    for total in totals:
        console.print(_total_in_words(total))
    for bill in asked:
        console.print(_bill_in_words(bill))
    return DONE


def _bills() -> "list[Bill]":
    """Return what every account says of itself, since the first day of the ledger."""
    from crust_pipeline.buying.bill import ask_for_bill
    from crust_pipeline.ledger.spending import first_day

    installation = open_installation()
    today = installation.clock().astimezone(UTC).date()
    return [
        ask_for_bill(account, since=first_day(account.ledger) or today)
        for account in installation.accounts.values()
    ]


def _bill_in_words(bill: "Bill") -> str:
    left = f"{bill.balance.normalize():,f} credits" if bill.balance is not None else "not told"
    words = f"Account {bill.account}: balance {left}"
    if bill.credits_charged is None:
        return words
    return (
        f"{words}; everything that uses it was charged {bill.credits_charged.normalize():,f} "
        f"credits since {bill.since} (usage report)"
    )


def _as_json(item: "Spending") -> dict[str, Any]:
    return {
        "vendor": item.vendor,
        **item.group,
        "batches": len(item.submission_ids),
        "identifiers": item.identifiers,
        "delivered": item.delivered,
        "credits_reserved": item.credits_reserved,
        "credits_computed": item.credits_computed,
        "credits_reported": item.credits_reported,
        "credits_computed_of_reported": item.credits_computed_of_reported,
    }


def _total_in_words(total: "Spending") -> str:
    words = (
        f"{total.vendor}: {total.credits_reserved.normalize():,f} reserved at worst, "
        f"{total.credits_computed.normalize():,f} computed from what was delivered; "
    )
    if total.credits_reported is None:
        return words + "the vendor has reported nothing"
    return (
        f"{words}{total.credits_reported.normalize():,f} reported by the vendor, for batches of "
        f"which we computed {total.credits_computed_of_reported.normalize():,f}"
    )


@click.command()
@click.option("--adopt", nargs=2, metavar="BATCH JOB", help="This vendor job is that batch's.")
@click.option(
    "--abandon", metavar="BATCH", help="The submit never started; its people may be asked anew."
)
@click.option(
    "--resubmit", metavar="BATCH", help="Buy it again, though it may be paid for already."
)
@click.option(
    "--accept-proposals",
    is_flag=True,
    help="Give up all batches of which the evidence says that they never started.",
)
@yes_option
@json_option
@readable_errors
@tells_what_is_open
def reconcile(
    *,
    adopt: tuple[str, str] | None,
    abandon: str | None,
    resubmit: str | None,
    accept_proposals: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Look for the jobs of submits whose fate is unknown, propose what to do, or decide.

    A job that fits is adopted at once. Of the rest it shows what the evidence says of each, and
    what is lost at worst if its job runs after all.
    """
    if sum(map(bool, (adopt, abandon, resubmit, accept_proposals))) > 1:
        raise click.UsageError("Decide one thing at a time.")
    installation = open_installation()
    if adopt or abandon or resubmit:
        return _decide(installation, adopt=adopt, abandon=abandon, resubmit=resubmit or "")
    search = _search(installation)
    accepted: list[str] = []
    code = DONE
    if not as_json:
        _show_search(search)
    if accept_proposals and any(item.is_abandon for item in search.every):
        code = agreed_to_spend(_loss_in_words(search.every), yes=yes)
        if code == DONE:
            accepted = _accept(installation, search)
    if as_json:
        _print_search(search, accepted)
    elif accepted:
        click.echo(
            f"{len(accepted):,} batches are given up; their slots and identifiers are free, and "
            "the next run buys their people."
        )
    for problem in search.problems:
        complain(problem)
    return FAILED if search.problems and code == DONE else code


def _decide(
    installation: "Installation",
    *,
    adopt: tuple[str, str] | None,
    abandon: str | None,
    resubmit: str,
) -> int:
    """Carry out a decision by hand about one batch."""
    from crust_pipeline.buying import recover as reconciling

    reason = "decided by hand"
    if adopt:
        reconciling.adopt_by_hand(installation.account_with(adopt[0]), adopt[0], batch_id=adopt[1])
        said = f"Batch {adopt[0]} is job {adopt[1]} now; its file will be checked when it lands."
    elif abandon:
        reconciling.abandon(installation.account_with(abandon), abandon, reason=reason)
        said = f"Batch {abandon} is given up; its slot and identifiers are free."
    else:
        reconciling.resubmit(installation.account_with(resubmit), resubmit, reason=reason)
        said = f"Batch {resubmit} is planned again."
    click.echo(said)
    return DONE


@dataclass(slots=True)
class _Search:
    """What a search of all accounts found, and the proposals about the rest, by account."""

    adopted: list[str] = field(default_factory=list[str])
    proposals: "dict[str, list[Proposal]]" = field(default_factory=dict[str, "list[Proposal]"])
    problems: list[str] = field(default_factory=list[str])

    @property
    def every(self) -> "list[Proposal]":
        """The proposals about all accounts."""
        return [item for items in self.proposals.values() for item in items]


def _search(installation: "Installation") -> _Search:
    from crust_pipeline.buying.proposals import propose
    from crust_pipeline.buying.recover import reconcile as search_once

    search, failures = _Search(), Failures()
    for vendor, account in installation.accounts.items():
        with failures.unit("reconcile", "account", account.ledger.account):
            found = search_once(account, due_only=False, failures=failures)
            search.adopted += found.adopted
            if found.trouble:
                search.problems.append(found.trouble)
            else:
                search.proposals[vendor] = propose(account)
    search.problems += failures.in_words
    return search


def _accept(installation: "Installation", search: _Search) -> list[str]:
    from crust_pipeline.buying.proposals import accept

    return [
        batch
        for vendor, proposals in search.proposals.items()
        for batch in accept(installation.accounts[vendor], proposals)
    ]


def _show_search(search: _Search) -> None:
    from crust_pipeline.cli.display import open_console, print_table

    console = open_console()
    console.print(f"{len(search.adopted)} found, {len(search.every)} still unknown.")
    if not search.every:
        return
    columns = ["batch", "operation", "identifiers", "credits at worst", "proposal", "reason"]
    print_table(
        console,
        "Proposals",
        columns,
        [
            [
                item.submission_id,
                item.operation,
                item.identifiers,
                item.credits_worst_case,
                _proposal_in_words(item),
                item.reason,
            ]
            for item in search.every
        ],
    )
    if any(item.is_abandon for item in search.every):
        console.print("`crust-pipeline reconcile --accept-proposals` abandons what is proposed so.")


def _proposal_in_words(item: "Proposal") -> str:
    return "abandon" if item.is_abandon else "none: wait, or decide"


def _print_search(search: _Search, accepted: list[str]) -> None:
    from crust_pipeline.cli.display import open_console, print_json

    print_json(
        open_console(),
        {
            "adopted": search.adopted,
            "still_unknown": len(search.every) - len(accepted),
            "proposals": [
                {
                    "submission_id": item.submission_id,
                    "operation": item.operation,
                    "vendor": item.vendor,
                    "identifiers": item.identifiers,
                    "proposal": "abandon" if item.is_abandon else None,
                    "reason": item.reason,
                    "credits_worst_case": item.credits_worst_case,
                }
                for item in search.every
            ],
            "accepted": accepted,
            "problems": search.problems,
        },
    )


def _loss_in_words(proposals: "list[Proposal]") -> str:
    """Say what giving up may lose; credits of two vendors are not added up."""
    worst: dict[str, Decimal] = {}
    given_up = [item for item in proposals if item.is_abandon]
    for item in given_up:
        worst[item.vendor] = worst.get(item.vendor, Decimal(0)) + item.credits_worst_case
    amounts = " and ".join(f"{sum_.normalize():,f} credits ({who})" for who, sum_ in worst.items())
    return (
        f"Abandoning {len(given_up):,} batches loses at worst {amounts}: if their jobs run after "
        "all, what they deliver is billed and their people are bought again."
    )
