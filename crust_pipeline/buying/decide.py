"""Decide for every input row whether to ask for it, reuse what was bought, or leave it. Pure.

What it knows of earlier purchases (claims), of earlier plans (rows) and of identities it is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from crust_pipeline.keys import ERASED_KEY, KeyKind, kind_of
from crust_pipeline.ledger.limits import Limits
from crust_pipeline.ledger.plan import Claim, Identity, PlannedRow
from crust_pipeline.ledger.states import Answer, BatchState, Verdict
from crust_pipeline.vendors.field_names import under
from crust_pipeline.vendors.product import Products

# Answers that say the vendor has nothing on this person, whatever one asks for.
NOBODY = frozenset({Answer.NOT_FOUND, Answer.DROPPED})


@dataclass(frozen=True, slots=True)
class InputRow:
    """One row of the upstream table.

    Attributes:
        partition_date: its day.
        row_id: its id.
        subject_key: whom it is about; None when it cannot be asked for.
        problem: why it cannot.
        found: fields that are not asked for, with the batch of another operation that has answered.
        waits_for: the batch of another operation that may answer them.
    """

    partition_date: date
    row_id: str
    subject_key: str | None
    problem: str | None = None
    found: Mapping[str, str] = field(default_factory=dict[str, str])
    waits_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of a plan: how long purchases count as fresh, and what may be spent, in credits."""

    refresh_after: timedelta
    retry_not_found_after: timedelta
    limit_per_run: Decimal | None = None
    limit_per_day: Decimal | None = None
    refuse_over_budget: bool = False
    priority: int = 100
    refresh: bool = False
    new_rows_only: bool = False
    identify_first: bool = True

    @property
    def limits(self) -> Limits:
        """What may be spent."""
        return Limits(per_run=self.limit_per_run, per_day=self.limit_per_day)


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is asked for about one person: by which kind of identifier, and which fields."""

    kind: KeyKind
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the plan does with one row; `fields` are those still to be bought, when it asks."""

    row: InputRow
    verdict: Verdict
    submission_id: str | None = None
    detail: str | None = None
    fields: frozenset[str] = frozenset()

    @property
    def asks(self) -> bool:
        """Whether it asks for something that no batch has asked for yet."""
        return self.verdict is Verdict.ASK and self.submission_id is None

    @property
    def repeats(self) -> bool:
        """Whether it gets the answer to another row of the plan."""
        return self.verdict is Verdict.REUSE and self.submission_id is None

    @property
    def purchase(self) -> Purchase:
        """What a row that asks asks for."""
        return Purchase(kind_of(self.row.subject_key or ""), self.fields)


def identified(
    rows: Sequence[InputRow], identities: Mapping[str, Identity], *, hold: bool
) -> tuple[list[InputRow], list[Decision]]:
    """Return rows with an e-mail the person that identify found; `hold` those being identified."""
    known: list[InputRow] = []
    awaiting: list[Decision] = []
    for row in rows:
        identity = identities.get(row.subject_key or "")
        if identity is None or (identity.on_its_way and not hold):
            known.append(row)
        elif identity.on_its_way:
            awaiting.append(Decision(row, Verdict.AWAIT, identity.submission_id))
        else:
            known.append(replace(row, subject_key=identity.subject_key))
    return known, awaiting


def erased(
    rows: Sequence[InputRow], suppressed: frozenset[str]
) -> tuple[list[InputRow], list[Decision]]:
    """Return rows of people who may be asked for, and decisions, without keys, for the others."""
    suppressed |= {ERASED_KEY}
    gone = [
        Decision(replace(row, subject_key=None), Verdict.SUPPRESSED)
        for row in rows
        if row.subject_key in suppressed
    ]
    return [row for row in rows if row.subject_key not in suppressed], gone


def not_waiting(rows: Sequence[InputRow]) -> tuple[list[InputRow], list[Decision]]:
    """Return rows that no other operation may answer soon; and decisions for the others."""
    waiting = [Decision(row, Verdict.AWAIT, row.waits_for) for row in rows if row.waits_for]
    return [row for row in rows if not row.waits_for], waiting


def possible(
    decisions: Sequence[Decision], *, products: Products, denied: frozenset[str]
) -> list[Decision]:
    """Ask only by the kinds of identifier and for the fields that can be had.

    A row that repeats one for which nothing can be asked gets the same decision: no batch answers
    it.
    """
    refused: dict[str | None, Decision] = {}
    result: list[Decision] = []
    for decision in decisions:
        key = decision.row.subject_key
        if decision.asks:
            asked = _if_possible(decision, products=products, denied=denied)
            if not asked.asks:
                refused[key] = asked
            result.append(asked)
        elif decision.repeats and key in refused:
            result.append(replace(refused[key], row=decision.row))
        else:
            result.append(decision)
    return result


def _if_possible(decision: Decision, *, products: Products, denied: frozenset[str]) -> Decision:
    product = products.get(decision.purchase.kind)
    if product is None:
        return replace(
            decision,
            verdict=Verdict.INVALID_INPUT,
            detail="no profile URL, and this operation takes no e-mail addresses",
        )
    decision = replace(decision, fields=product.complete(decision.fields))
    if product.fields and not product.without(decision.fields, denied):
        return replace(
            decision,
            verdict=Verdict.NOT_PERMITTED,
            detail="the account may not have these fields: " + ", ".join(sorted(decision.fields)),
        )
    return decision


def decide(
    rows: Sequence[InputRow],
    *,
    existing: Mapping[tuple[date, str], PlannedRow],
    claims: Mapping[str, Sequence[Claim]],
    wanted: frozenset[str],
    policy: Policy,
    now: datetime,
) -> list[Decision]:
    """Return a decision for each row, in the order of days; of rows with one key the first asks."""

    def order(row: InputRow) -> tuple[date, bool, str]:
        before = existing.get((row.partition_date, row.row_id))
        return row.partition_date, before is None or before.verdict is not Verdict.ASK, row.row_id

    decisions: list[Decision] = []
    seen_today: set[tuple[date, str]] = set()
    asked: set[str] = set()
    for row in sorted(rows, key=order):
        key = row.subject_key
        before = existing.get((row.partition_date, row.row_id))
        if key is None:
            decisions.append(Decision(row, Verdict.INVALID_INPUT, detail=row.problem))
        elif (row.partition_date, key) in seen_today:
            decisions.append(Decision(row, Verdict.DUPLICATE))
        elif key in asked:
            decisions.append(Decision(row, Verdict.REUSE))
        else:
            decision = _decide_key(
                row, claims.get(key, ()), before=before, wanted=wanted, policy=policy, now=now
            )
            decisions.append(decision)
            if decision.asks:
                asked.add(key)
        if key is not None:
            seen_today.add((row.partition_date, key))
    return decisions


def _decide_key(
    row: InputRow,
    claims: Sequence[Claim],
    *,
    before: PlannedRow | None,
    wanted: frozenset[str],
    policy: Policy,
    now: datetime,
) -> Decision:
    if before is not None and before.verdict not in {Verdict.ASK, Verdict.REUSE}:
        before = None
    if policy.new_rows_only and before is not None and before.submission_id:
        return Decision(row, before.verdict, before.submission_id, before.detail)
    counting = [claim for claim in claims if counts(claim, policy=policy, now=now)]
    bought = frozenset(name for claim in counting for name in claim.fields)
    if any(claim.answer in NOBODY or claim.answer is Answer.REDACTED for claim in counting):
        bought |= wanted
    missing = frozenset(
        name for name in wanted - row.found.keys() if not any(under(name, had) for had in bought)
    )
    if missing:
        return Decision(row, Verdict.ASK, fields=missing)
    if before is not None and before.submission_id in {claim.submission_id for claim in counting}:
        return Decision(row, before.verdict, before.submission_id, before.detail)
    if not counting:
        return Decision(row, Verdict.REUSE, min(row.found.values()))
    owner = max(
        counting,
        key=lambda claim: (
            claim.answer is Answer.REDACTED,
            len(claim.fields & wanted),
            claim.submission_id,
        ),
    )
    return Decision(row, Verdict.REUSE, owner.submission_id)


def counts(claim: Claim, *, policy: Policy, now: datetime) -> bool:
    """Return whether a purchase stands in the way of buying again."""
    if claim.answer is None or claim.answered_at is None:
        # Planned, in flight or unknown: always waited for. Expired: paid and lost, so only
        # a refresh on purpose buys it again.
        return claim.state is not BatchState.EXPIRED or not policy.refresh
    if claim.answer is Answer.REDACTED:
        return True  # the person asked for removal: never ask again
    if policy.refresh:
        return False
    remembered = (
        policy.retry_not_found_after
        if claim.answer in NOBODY | {Answer.NO_DATA}
        else policy.refresh_after
    )
    return now - claim.answered_at < remembered
