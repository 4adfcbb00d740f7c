"""Plan: what the decisions about whole days come to in batches and credits, written down.

`decide`, `afford` and `pack` are pure; `plan` runs them inside one ledger transaction, so that two
plans at the same time cannot buy the same key or spend the same credits. Nothing is sent here.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from crust_pipeline.buying.decide import (
    NOBODY,
    Decision,
    InputRow,
    Policy,
    Purchase,
    counts,
    decide,
    erased,
    identified,
    not_waiting,
    possible,
)
from crust_pipeline.errors import CrustError
from crust_pipeline.keys import is_email
from crust_pipeline.ledger import plan as ledger_plan
from crust_pipeline.ledger.erase import suppressed_keys
from crust_pipeline.ledger.limits import credits_left
from crust_pipeline.ledger.plan import Identity, NewBatch, PlannedRow
from crust_pipeline.ledger.states import Verdict
from crust_pipeline.ledger.store import Ledger, Transaction
from crust_pipeline.ledger.submit import fields_denied
from crust_pipeline.vendors.catalog import IDENTIFYING
from crust_pipeline.vendors.prices import PRICES, Prices
from crust_pipeline.vendors.product import Products


class OverBudgetError(CrustError):
    """The plan's worst case is over a credit limit, and the setting is to refuse such plans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """What a plan came to. Credits are the worst case.

    Attributes:
        bought_elsewhere: how many of those to be asked for are bought under another account of the
            ledger, by account.
    """

    operation: str
    partitions: tuple[date, ...]
    batches: tuple[NewBatch, ...]
    verdicts: Mapping[date, Counter[str]]
    credits_reserved: Decimal
    credits_available: Decimal | None
    bought_elsewhere: Mapping[str, int]

    @property
    def rows(self) -> int:
        """Input rows that the plan decided about."""
        return sum(sum(counts.values()) for counts in self.verdicts.values())

    def count(self, verdict: Verdict) -> int:
        """Return rows with one verdict."""
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
    operation = next(iter(products.values())).operation
    with ledger.write() as tx:
        decided = decide_all(
            tx,
            products,
            rows=rows,
            partitions=partitions,
            fields=fields,
            policy=policy,
            now=now,
            balance=balance,
            prices=prices,
            run_id=run_id,
        )
        report = PlanReport(
            operation=operation,
            partitions=tuple(partitions),
            batches=decided.batches,
            verdicts=_verdicts(decided.decisions, partitions),
            credits_reserved=decided.credits_reserved,
            credits_available=decided.credits_available,
            bought_elsewhere=ledger_plan.bought_elsewhere(
                tx,
                operation,
                [key for batch in decided.batches for key, _, _ in batch.identifiers],
            ),
        )
        if not dry_run:
            for batch in decided.batches:
                ledger_plan.add_batch(tx, batch, now=now)
            ledger_plan.put_rows(
                tx,
                operation,
                decided=decided.rows,
                input_rows={day: report.verdicts[day].total() for day in partitions},
                now=now,
            )
    return report


@dataclass(frozen=True, slots=True)
class Decided:
    """What is decided about rows, and the batches that this takes. Nothing of it is written yet."""

    decisions: tuple[Decision, ...]
    batches: tuple[NewBatch, ...]
    credits_available: Decimal | None

    @property
    def rows(self) -> list[PlannedRow]:
        """The decisions as the ledger keeps them."""
        return list(_planned_rows(self.decisions, self.batches))

    @property
    def credits_reserved(self) -> Decimal:
        """The worst case of the batches."""
        return sum((batch.credits_reserved for batch in self.batches), Decimal(0))


def decide_all(  # noqa: PLR0913 - all that a plan depends on
    tx: Transaction,
    products: Products,
    *,
    rows: Sequence[InputRow],
    partitions: Sequence[date],
    fields: Sequence[str],
    policy: Policy,
    now: datetime,
    balance: Decimal | None,
    prices: Prices,
    run_id: str | None,
) -> Decided:
    """Decide about rows as `plan` does; what is decided holds while the transaction lasts.

    Raises:
        OverBudgetError: a limit would be passed and the policy is to refuse.
    """
    operation = next(iter(products.values())).operation

    def price(purchase: Purchase) -> Decimal:
        product = products[purchase.kind].name
        return prices.worst_case(product, sorted(purchase.fields), on=now.date())

    denied = fields_denied(tx.con, tx.account, operation, now=now)
    suppressed = suppressed_keys(tx.con)
    rows, gone = erased(rows, suppressed)
    identities = _identities(tx, rows, operation=operation, policy=policy, now=now)
    rows, awaiting = identified(rows, identities, hold=policy.identify_first)
    rows, also_gone = erased(rows, suppressed)  # by the profile that identify found
    rows, waiting = not_waiting(rows)
    decisions = decide(
        rows,
        existing=ledger_plan.rows_of(tx, operation, partitions),
        claims=ledger_plan.claims_of(
            tx, operation, sorted({row.subject_key for row in rows if row.subject_key})
        ),
        wanted=frozenset(fields) or frozenset({""}),
        policy=policy,
        now=now,
    )
    decisions = possible(decisions, products=products, denied=denied)
    available = credits_left(tx, policy.limits, now=now, run_id=run_id, balance=balance)
    decisions = afford(decisions, price=price, available=available, policy=policy)
    batches = pack(
        decisions, products=products, denied=denied, price=price, policy=policy, run_id=run_id
    )
    return Decided((*decisions, *gone, *also_gone, *awaiting, *waiting), tuple(batches), available)


def _identities(
    tx: Transaction,
    rows: Sequence[InputRow],
    *,
    operation: str,
    policy: Policy,
    now: datetime,
) -> dict[str, Identity]:
    """Return what identify has found, or may find, of people of whom there is an e-mail only.

    A person bought by the address already is not bought again by the profile URL.
    """
    if operation in IDENTIFYING:
        return {}
    emails = {row.subject_key for row in rows if row.subject_key and is_email(row.subject_key)}
    by_email = ledger_plan.claims_of(tx, operation, sorted(emails))
    bought = {
        email
        for email, claims in by_email.items()
        if any(
            claim.answer not in NOBODY and counts(claim, policy=policy, now=now) for claim in claims
        )
    }
    return ledger_plan.identities_of(tx, sorted(emails - bought), operations=IDENTIFYING)


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
        for purchase in {decision.purchase for decision in decisions if decision.asks}
    }
    needed = sum((prices[decision.purchase] for decision in decisions if decision.asks), Decimal(0))
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
        if decision.asks and prices[decision.purchase] > left:
            short.add(decision.row.subject_key)
        elif decision.asks:
            left -= prices[decision.purchase]
        elif not (decision.repeats and decision.row.subject_key in short):
            result.append(decision)
            continue
        if decision.row.subject_key in short:
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
        if decision.asks:
            key = decision.row.subject_key or ""
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
                submission_id=ledger_plan.new_submission_id(),
                vendor=product.vendor,
                operation=product.operation,
                product=product.name,
                takes_slot=not product.is_synchronous,
                identifier_type=purchase.kind,
                fields=product.without(sorted(purchase.fields), denied),
                covers=tuple(sorted(purchase.fields)),
                identifiers=chunk,
                priority=policy.priority,
                credits_reserved=price(purchase) * len(chunk),
                run_id=run_id,
            )


def _planned_rows(
    decisions: Sequence[Decision], batches: Sequence[NewBatch]
) -> Iterator[PlannedRow]:
    """Yield the decisions as rows, each with the batch that answers it."""
    bought = {key: batch.submission_id for batch in batches for key, _, _ in batch.identifiers}
    firsts: dict[tuple[date, str], str | None] = {}
    for decision in decisions:
        day, key = decision.row.partition_date, decision.row.subject_key
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
