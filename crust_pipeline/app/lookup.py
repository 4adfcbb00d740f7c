"""Lookup: contact data of single people, at once: what is bought already, the rest from the vendor.

It spends by the rules of a plan (what is bought and fresh is reused, limits hold, the intent is
written first), but no input row asks for it: its purchases are filed under today.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from crust_pipeline.app.days import (
    balance_of,
    landed_file,
    load_accounts,
    load_results,
    load_warehouse,
    today_of,
)
from crust_pipeline.app.installation import Installation
from crust_pipeline.app.refused import without_fields
from crust_pipeline.buying.decide import InputRow
from crust_pipeline.buying.plan import Decided, decide_all
from crust_pipeline.buying.submit import send_at_once, settle_orphans
from crust_pipeline.errors import Failures, one_pass
from crust_pipeline.keys import InvalidIdentifier, key_of
from crust_pipeline.ledger import lookup as ledger_lookup
from crust_pipeline.ledger import plan as ledger_plan
from crust_pipeline.ledger.lookup import LastPurchase
from crust_pipeline.ledger.outcomes import (
    ANSWERED_OUTCOMES,
    NOT_PERMITTED,
    Outcome,
    outcome_of,
)
from crust_pipeline.ledger.plan import PlannedRow
from crust_pipeline.ledger.states import BatchState, Verdict
from crust_pipeline.ledger.submit import PauseKind, end_pause, pause_of
from crust_pipeline.tables.flatten.flattening import flatten
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC

OPERATION = CONTACT_SYNC.operation
TABLES_SHOWN = ("contact_emails", "contact_phones", "contact_websites")
# With these outcomes a lookup has done what it can, if only to learn that nobody is known.
COMPLETE_OUTCOMES = ANSWERED_OUTCOMES | {Outcome.DUPLICATE, Outcome.SUPPRESSED}


@dataclass(frozen=True, slots=True)
class Quote:
    """What a lookup would come to: how many people it buys, at most for how many credits."""

    people: int
    credits_worst_case: Decimal


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What a lookup came to.

    Attributes:
        cards: one for each identifier, in their order.
        credits_reported: what the vendor says it took; None where it does not say.
    """

    cards: tuple["Card", ...]
    credits_reported: Decimal | None

    @property
    def credits_computed(self) -> Decimal:
        """What it cost by what was delivered, as far as that is known."""
        return sum((card.credits or Decimal(0) for card in self.cards), Decimal(0))

    @property
    def left_out(self) -> list[str]:
        """Which fields people go without, in sentences."""
        counts = Counter(card.fields_not_permitted for card in self.cards)
        return [
            without_fields(OPERATION, fields, rows=people)
            for fields, people in counts.items()
            if fields
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of how to reach one person.

    Attributes:
        identifier: as it was asked for.
        outcome: as of an input row (docs/outcomes.md).
        detail: why, where the outcome alone does not say.
        credits: what this lookup paid for the person; None while nobody knows.
        bought_at: when the answer landed.
        emails: e-mail addresses with `email`, `email_type`, `status`.
        phones: phone numbers with `phone_number` as delivered and `phone_e164`.
        withheld: personal values that are not shown without consent.
        fields_not_permitted: what was not asked for, because the account may not have it.
    """

    identifier: str
    profile_key: str | None
    outcome: Outcome
    detail: str | None = None
    submission_id: str | None = None
    crustdata_person_id: int | None = None
    credits: Decimal | None = Decimal(0)
    bought_at: datetime | None = None
    emails: tuple[dict[str, Any], ...] = ()
    phones: tuple[dict[str, Any], ...] = ()
    websites: tuple[str, ...] = ()
    withheld: int = 0
    fields_not_permitted: tuple[str, ...] = ()


def quote(installation: Installation, identifiers: Sequence[str]) -> Quote:
    """Return what a lookup would cost at worst. Buys nothing.

    Raises:
        SettingsError: the settings ask for what needs a consent that is missing.
        OverBudgetError: a limit would be passed and the setting is to refuse.
    """
    # One that fails is in `status`; it is no reason not to look up somebody else.
    settle_orphans(installation.account_for(OPERATION), failures=Failures())
    decided = _decide(installation, identifiers)
    people = sum(len(batch.identifiers) for batch in decided.batches)
    return Quote(people, decided.credits_reserved)


def look_up(
    installation: Installation,
    identifiers: Sequence[str],
    *,
    at_most: Decimal,
    run_id: str,
    sleep: Callable[[float], None],
) -> LookedUp:
    """Buy what is missing of these people, and show what there is.

    Args:
        installation: the installation.
        identifiers: profile URLs and e-mail addresses, as people write them.
        at_most: the most credits that may be spent.
        run_id: names this lookup in the ledger.
        sleep: waits, in seconds, while the vendor's request rate is reached.

    Raises:
        SettingsError: the settings ask for what needs a consent that is missing.
        OverBudgetError: a limit would be passed and the setting is to refuse.
    """
    installation.check_stores()
    decided = _decide(installation, identifiers, at_most=at_most, run_id=run_id)
    lines = [batch.submission_id for batch in decided.batches]
    _send(installation, lines, run_id=run_id, sleep=sleep)
    rows = sorted(decided.rows, key=lambda row: row.row_id)
    found = ledger_lookup.last_purchases(
        installation.ledger,
        {
            row.subject_key: row.submission_id
            for row in rows
            if row.subject_key and row.submission_id
        },
    )
    contents = _contents(installation, [row.subject_key for row in rows if row.subject_key])
    cards = (
        _card(
            installation, row, identifier, fate=found.get(row.subject_key or ""), contents=contents
        )
        for identifier, row in zip(identifiers, rows, strict=True)
    )
    return LookedUp(tuple(cards), ledger_lookup.credits_reported(installation.ledger, lines))


def load_lookups(installation: Installation, *, run_id: str) -> None:
    """Bring the tables of today up to what was looked up."""
    today = [today_of(installation)]
    with one_pass(None) as failures:
        load_results(installation, OPERATION, today, run_id=run_id, failures=failures)
        load_accounts(installation, today, run_id=run_id, failures=failures)
        load_warehouse(installation)


def _decide(
    installation: Installation,
    identifiers: Sequence[str],
    *,
    at_most: Decimal | None = None,
    run_id: str | None = None,
) -> Decided:
    """Decide about each identifier; with `at_most`, write what is to be bought to the ledger."""
    today, now = today_of(installation), installation.clock()
    policy, balance = installation.policy, balance_of(installation.account_for(OPERATION))
    if at_most is not None:
        # What others have bought or given up since the price was shown must not raise it.
        policy = replace(policy, limit_per_run=at_most)
    with installation.ledger.write() as tx:
        decided = decide_all(
            tx,
            {"profile_url": CONTACT_SYNC, "email": CONTACT_SYNC},
            rows=[_row(today, number, text) for number, text in enumerate(identifiers)],
            partitions=(),
            fields=installation.fields(OPERATION),
            policy=policy,
            now=now,
            balance=balance,
            prices=installation.prices,
            run_id=run_id,
        )
        if at_most is not None:
            for batch in decided.batches:
                ledger_plan.add_batch(tx, batch, now=now)
    return decided


def _row(today: date, number: int, text: str) -> InputRow:
    try:
        return InputRow(today, f"{number:06}", key_of(text))
    except InvalidIdentifier as error:
        return InputRow(today, f"{number:06}", None, str(error))


def _send(
    installation: Installation, lines: Sequence[str], *, run_id: str, sleep: Callable[[float], None]
) -> None:
    """Send what was planned; what cannot be sent now is given up, so that nobody buys it later."""
    account, ledger = installation.account_for(OPERATION), installation.ledger
    with ledger.write() as tx:
        # A new lookup means that the cause of the wait is mended, or that a person wants to know.
        for kind in set(PauseKind) - {PauseKind.RATE}:
            end_pause(tx, kind, takes_slot=False)
    reason = "the lookup ended before it was sent"
    try:
        while ledger_lookup.any_planned(ledger, lines):
            # One that fails is of unknown outcome, and its people's cards say so.
            send_at_once(account, lines, run_id=run_id, failures=Failures())
            with ledger.read() as con:
                pause = pause_of(con, ledger.account, now=account.now(), takes_slot=False)
            if pause is None:
                break
            if pause.kind is not PauseKind.RATE:
                reason = pause.detail
                break
            sleep((pause.until - account.now()).total_seconds())
    finally:
        ledger_lookup.withdraw(ledger, lines, reason=reason, now=account.now())


@dataclass(frozen=True, slots=True)
class _Contents:
    """What is bought of people, by profile key."""

    emails: dict[str, list[dict[str, Any]]]
    phones: dict[str, list[dict[str, Any]]]
    websites: dict[str, list[dict[str, Any]]]


def _contents(installation: Installation, keys: Sequence[str]) -> _Contents:
    """Read what is bought of people out of the landed files, as the tables do."""
    today = today_of(installation)
    sources = ledger_lookup.sources_of_people(installation.ledger, OPERATION, keys, day=today)
    with installation.scratch.folder("lookup") as folder:
        lake = Lake(folder, scratch=installation.scratch)
        flatten(
            [landed_file(installation, source) for source in sources],
            operations=[OPERATION],
            days=[today],
            lake=lake,
            run_id="lookup",
            loaded_at=installation.clock(),
            only=TABLES_SHOWN,
        )
        newest_first = [source.submission_id for source in reversed(sources)]
        return _Contents(
            _read(lake, "contact_emails", ("email", "email_type", "status"), keys, newest_first),
            _read(lake, "contact_phones", ("phone_number", "phone_e164"), keys, newest_first),
            _read(lake, "contact_websites", ("website",), keys, newest_first),
        )


def _read(
    lake: Lake, table: str, columns: Sequence[str], keys: Sequence[str], newest_first: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return a table's rows by profile key; of a value that was bought twice the newer."""
    query = (
        f"SELECT profile_key, {', '.join(columns)} FROM {{{table}}} "  # noqa: S608 - our own names
        "WHERE list_contains(?, profile_key) ORDER BY list_position(?, submission_id), position"
    )
    found: dict[str, dict[Any, dict[str, Any]]] = {}
    for key, *values in lake.rows(query, parameters=[list(keys), list(newest_first)]):
        row = dict(zip(columns, values, strict=True))
        row_key = (row.get("email_type"), values[0])
        found.setdefault(key, {}).setdefault(row_key, row)
    return {key: list(rows.values()) for key, rows in found.items()}


def _card(
    installation: Installation,
    row: PlannedRow,
    identifier: str,
    *,
    fate: LastPurchase | None,
    contents: _Contents,
) -> Card:
    key = row.subject_key or ""
    error = (fate and fate.error) or ""
    outcome = outcome_of(
        row.verdict,
        fate and fate.state,
        fate and fate.answer,
        not_permitted=error.startswith(NOT_PERMITTED),
    )
    refused = fate is not None and fate.state is BatchState.REJECTED
    consent = installation.settings.personal_contact_consent
    emails, phones = contents.emails.get(key, []), contents.phones.get(key, [])
    shown = [email for email in emails if consent or email["email_type"] == "business"]
    detail = row.detail
    if row.verdict is Verdict.AWAIT:
        detail = "it is being identified whose address this is"
    if outcome.troubled or outcome is Outcome.NOT_PERMITTED:
        detail = detail or error or None
    return Card(
        identifier=identifier,
        profile_key=row.subject_key,
        outcome=outcome,
        detail=detail,
        submission_id=fate and fate.submission_id,
        crustdata_person_id=fate and fate.person_id,
        credits=fate.credits if fate and row.verdict is Verdict.ASK else Decimal(0),
        bought_at=fate and fate.landed_at,
        emails=tuple(shown),
        phones=tuple(phones) if consent else (),
        websites=tuple(website["website"] for website in contents.websites.get(key, [])),
        withheld=0 if consent else len(emails) - len(shown) + len(phones),
        fields_not_permitted=fate.fields_not_permitted if fate and not refused else (),
    )
