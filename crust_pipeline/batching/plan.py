"""Plan: decide for every input row whether to ask, reuse or leave it, and pack what to ask.

`decide`, `afford` and `pack` are pure; `plan` runs them inside one ledger transaction, so that two
plans at the same time cannot buy the same key or spend the same credits. Nothing is sent here.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from crust_pipeline.identity import is_email
from crust_pipeline.ledger import planning
from crust_pipeline.ledger.dispatching import fields_denied
from crust_pipeline.ledger.ledger import Ledger, Transaction
from crust_pipeline.ledger.planning import Claim, NewBatch, PlannedRow
from crust_pipeline.ledger.states import Answer, BatchState, Verdict
from crust_pipeline.vendor.operations import IdentifierType, Operation, under
from crust_pipeline.vendor.prices import PRICES, Prices

# Plans change; a field that was locked may be open later. Asking again costs one refused request.
DENIAL_REMEMBERED = timedelta(days=7)

# Answers that say the vendor has nothing on this person, whatever one asks for.
NOBODY = frozenset({Answer.NOT_FOUND, Answer.DROPPED})


# The requests that serve one operation, by the kind of identifier that each is used for.
Products = Mapping[IdentifierType, Operation]


class OverBudgetError(Exception):
    """The plan's worst case is over a credit limit, and the setting is to refuse such plans."""


@dataclass(frozen=True, slots=True)
class InputRow:
    """One row of the upstream table.

    Attributes:
        partition_date: its day.
        row_id: its id.
        profile_key: whom it is about; None when it cannot be asked for.
        problem: why it cannot.
        answered_by: the batch of another operation that has found what would be asked for.
        waits_for: the batch of another operation that may find it.
    """

    partition_date: date
    row_id: str
    profile_key: str | None
    problem: str | None = None
    answered_by: str | None = None
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


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is asked for about one person: by which kind of identifier, and which fields."""

    kind: IdentifierType
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
    def purchase(self) -> Purchase:
        """What a row that asks asks for."""
        kind = "email" if is_email(self.row.profile_key or "") else "profile_url"
        return Purchase(kind, self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """What a plan came to. Credits are the worst case."""

    operation: str
    partitions: tuple[date, ...]
    batches: tuple[NewBatch, ...]
    verdicts: Mapping[date, Counter[str]]
    credits_reserved: Decimal
    credits_available: Decimal | None

    @property
    def rows(self) -> int:
        """Input rows that the plan decided about."""
        return sum(sum(counts.values()) for counts in self.verdicts.values())

    def count(self, verdict: Verdict) -> int:
        """Rows with one verdict."""
        return sum(counts[verdict] for counts in self.verdicts.values())


def plan(  # noqa: PLR0913 - all that a plan depends on
    ledger: Ledger,
    products: Products,
    *,
    rows: Sequence[InputRow],
    partitions: Sequence[date],
    fields: Sequence[str],
    policy: Policy,
    now: datetime,
    balance: Decimal | None = None,
    prices: Prices = PRICES,
    run_id: str | None = None,
    dry_run: bool = False,
) -> PlanReport:
    """Plan whole days: write batches and a decision for every row to the ledger.

    Args:
        ledger: the account's ledger.
        products: how the operation is bought, for each kind of identifier that it takes.
        rows: all input rows of the days.
        partitions: the days; one without rows is planned too, so that a backfill can end.
        fields: what to ask for; () where the operation has no choice.
        policy: freshness and limits.
        now: the time of the plan.
        balance: the account's credits, when the vendor tells.
        prices: credits by product and item.
        run_id: the Dagster run that plans, if there is one.
        dry_run: decide and report, but write nothing.

    Raises:
        OverBudgetError: a limit would be passed and the policy is to refuse. Nothing was written.
    """
    operation = next(iter(products.values())).name

    def price(purchase: Purchase) -> Decimal:
        product = products[purchase.kind].product
        return prices.worst_case(product, sorted(purchase.fields), on=now.date())

    with ledger.write() as tx:
        denied = fields_denied(tx.con, tx.account, operation, since=now - DENIAL_REMEMBERED)
        rows, awaiting = _identified(tx, rows, operation=operation)
        rows, elsewhere = _left_over(rows)
        decisions = decide(
            rows,
            existing=planning.rows_of(tx, operation, partitions),
            claims=planning.claims_of(
                tx, operation, sorted({row.profile_key for row in rows if row.profile_key})
            ),
            wanted=frozenset(fields) or frozenset({""}),
            policy=policy,
            now=now,
        )
        decisions = [
            _if_possible(decision, products=products, denied=denied) for decision in decisions
        ]
        available = _available(tx, policy, balance=balance, now=now, run_id=run_id)
        decisions = afford(decisions, price=price, available=available, policy=policy)
        batches = list(
            pack(
                decisions,
                products=products,
                denied=denied,
                price=price,
                policy=policy,
                run_id=run_id,
            )
        )
        decisions += [*awaiting, *elsewhere]
        report = PlanReport(
            operation=operation,
            partitions=tuple(partitions),
            batches=tuple(batches),
            verdicts=_verdicts(decisions, partitions),
            credits_reserved=sum((batch.credits_reserved for batch in batches), Decimal(0)),
            credits_available=available,
        )
        if not dry_run:
            for batch in batches:
                planning.add_batch(tx, batch, now=now)
            planning.put_rows(
                tx,
                operation,
                decided=list(_planned_rows(decisions, batches)),
                input_rows={day: report.verdicts[day].total() for day in partitions},
                now=now,
            )
    return report


def _identified(
    tx: Transaction, rows: Sequence[InputRow], *, operation: str
) -> tuple[list[InputRow], list[Decision]]:
    """Give rows with an e-mail the person that identify found; those being identified wait."""
    if operation == "identify":
        return list(rows), []
    emails = sorted(
        {row.profile_key for row in rows if row.profile_key and is_email(row.profile_key)}
    )
    identities = planning.identities_of(tx, emails)
    known: list[InputRow] = []
    awaiting: list[Decision] = []
    for row in rows:
        identity = identities.get(row.profile_key or "")
        if identity is None:
            known.append(row)
        elif identity.on_its_way:
            awaiting.append(Decision(row, Verdict.AWAIT, identity.submission_id))
        else:
            known.append(replace(row, profile_key=identity.profile_key))
    return known, awaiting


def _left_over(rows: Sequence[InputRow]) -> tuple[list[InputRow], list[Decision]]:
    """Rows that no other operation answers, or may answer soon; and decisions for the others."""
    elsewhere = [
        Decision(row, Verdict.REUSE, row.answered_by)
        if row.answered_by
        else Decision(row, Verdict.AWAIT, row.waits_for)
        for row in rows
        if row.answered_by or row.waits_for
    ]
    return [row for row in rows if not (row.answered_by or row.waits_for)], elsewhere


def _if_possible(decision: Decision, *, products: Products, denied: frozenset[str]) -> Decision:
    """Ask only by the kinds of identifier and for the fields that can be had."""
    if not _asks(decision):
        return decision
    product = products.get(decision.purchase.kind)
    if product is None:
        return replace(
            decision,
            verdict=Verdict.INVALID_INPUT,
            detail="no profile URL, and this operation takes no e-mail addresses",
        )
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
    """One decision for each row, in the order of days; of rows with one key the first asks."""

    def order(row: InputRow) -> tuple[date, bool, str]:
        before = existing.get((row.partition_date, row.row_id))
        return row.partition_date, before is None or before.verdict is not Verdict.ASK, row.row_id

    decisions: list[Decision] = []
    seen_today: set[tuple[date, str]] = set()
    asked: set[str] = set()
    for row in sorted(rows, key=order):
        key = row.profile_key
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
            if decision.verdict is Verdict.ASK and decision.submission_id is None:
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
    counting = [claim for claim in claims if _counts(claim, policy=policy, now=now)]
    bought = frozenset(name for claim in counting for name in claim.fields)
    if any(claim.answer in NOBODY or claim.answer is Answer.REDACTED for claim in counting):
        bought |= wanted
    missing = frozenset(name for name in wanted if not any(under(name, had) for had in bought))
    if missing:
        return Decision(row, Verdict.ASK, fields=missing)
    if before is not None and before.submission_id in {claim.submission_id for claim in counting}:
        return Decision(row, before.verdict, before.submission_id, before.detail)
    owner = max(
        counting,
        key=lambda claim: (
            claim.answer is Answer.REDACTED,
            len(claim.fields & wanted),
            claim.submission_id,
        ),
    )
    return Decision(row, Verdict.REUSE, owner.submission_id)


def _counts(claim: Claim, *, policy: Policy, now: datetime) -> bool:
    """Whether a purchase stands in the way of buying again."""
    if claim.answer is None or claim.answered_at is None:
        # Planned, in flight or of unknown fate: waited for, always. Expired: paid and lost, so only
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


def afford(
    decisions: Sequence[Decision],
    *,
    price: Callable[[Purchase], Decimal],
    available: Decimal | None,
    policy: Policy,
) -> list[Decision]:
    """Keep the asks that fit into the credits available, in the order of days; mark the rest.

    Raises:
        OverBudgetError: they do not all fit and the policy is to refuse.
    """
    if available is None:
        return list(decisions)
    prices = {
        purchase: price(purchase)
        for purchase in {decision.purchase for decision in decisions if _asks(decision)}
    }
    needed = sum(
        (prices[decision.purchase] for decision in decisions if _asks(decision)), Decimal(0)
    )
    if needed <= available:
        return list(decisions)
    if policy.refuse_over_budget:
        raise OverBudgetError(
            f"The plan could cost up to {needed:f} credits and only "
            f"{max(available, Decimal(0)):f} may be spent now. Nothing was planned or sent. Plan "
            "fewer days, raise the credit limit, or set CRUST_ON_OVER_BUDGET=buy_what_fits."
        )
    left = available
    short: set[str | None] = set()
    result: list[Decision] = []
    for decision in decisions:
        waits = decision.verdict is Verdict.REUSE and decision.submission_id is None
        if _asks(decision) and prices[decision.purchase] > left:
            short.add(decision.row.profile_key)
        elif _asks(decision):
            left -= prices[decision.purchase]
        elif not (waits and decision.row.profile_key in short):
            result.append(decision)
            continue
        if decision.row.profile_key in short:
            decision = replace(decision, verdict=Verdict.OVER_BUDGET, fields=frozenset())  # noqa: PLW2901
        result.append(decision)
    return result


def pack(
    decisions: Sequence[Decision],
    *,
    products: Products,
    denied: frozenset[str] = frozenset(),
    price: Callable[[Purchase], Decimal],
    policy: Policy,
    run_id: str | None = None,
) -> Iterator[NewBatch]:
    """Fill batches up to the cap in the order of days, one kind of purchase in each."""
    groups: dict[Purchase, list[tuple[str, str, date]]] = {}
    for decision in decisions:
        if _asks(decision):
            key = decision.row.profile_key or ""
            groups.setdefault(decision.purchase, []).append(
                (
                    key,
                    products[decision.purchase.kind].identifier(key),
                    decision.row.partition_date,
                )
            )
    for purchase, identifiers in groups.items():
        for product, chunk in products[purchase.kind].chunks(identifiers):
            yield NewBatch(
                submission_id=planning.new_submission_id(),
                vendor=product.vendor,
                operation=product.name,
                product=product.product,
                takes_slot=not product.is_synchronous,
                identifier_type=purchase.kind,
                fields=product.without(sorted(purchase.fields), denied),
                covers=tuple(sorted(purchase.fields)),
                identifiers=chunk,
                priority=policy.priority,
                credits_reserved=price(purchase) * len(chunk),
                run_id=run_id,
            )


def _asks(decision: Decision) -> bool:
    return decision.verdict is Verdict.ASK and decision.submission_id is None


def _planned_rows(
    decisions: Sequence[Decision], batches: Sequence[NewBatch]
) -> Iterator[PlannedRow]:
    """The decisions as rows, each pointing at the batch that answers it."""
    bought = {key: batch.submission_id for batch in batches for key, _, _ in batch.identifiers}
    firsts: dict[tuple[date, str], str | None] = {}
    for decision in decisions:
        day, key = decision.row.partition_date, decision.row.profile_key
        submission_id = decision.submission_id
        if key is not None and decision.verdict in {Verdict.ASK, Verdict.REUSE}:
            submission_id = submission_id or bought.get(key)
            firsts[day, key] = submission_id
        elif key is not None and decision.verdict is Verdict.DUPLICATE:
            submission_id = firsts.get((day, key))
        yield PlannedRow(
            day, decision.row.row_id, key, decision.verdict, submission_id, decision.detail
        )


def _verdicts(
    decisions: Sequence[Decision], partitions: Sequence[date]
) -> dict[date, Counter[str]]:
    counts: dict[date, Counter[str]] = {day: Counter() for day in partitions}
    for decision in decisions:
        counts[decision.row.partition_date][decision.verdict.value] += 1
    return counts


def _available(
    tx: Transaction,
    policy: Policy,
    *,
    balance: Decimal | None,
    now: datetime,
    run_id: str | None,
) -> Decimal | None:
    """What may still be reserved, in credits; None: there is no limit."""
    today = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), tzinfo=UTC)
    limits: list[Decimal] = []
    if policy.limit_per_run is not None:
        # A run plans several operations, and some of them again.
        planned = planning.credits_of_run(tx, run_id) if run_id else Decimal(0)
        limits.append(policy.limit_per_run - planned)
    if policy.limit_per_day is not None:
        limits.append(policy.limit_per_day - planning.credits_committed_on(tx, today))
    if balance is not None:
        limits.append(balance - planning.credits_set_aside(tx))
    return min(limits, default=None)
