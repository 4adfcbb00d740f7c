"""Prices, the account's balance, and the record of everything bought (vendor documents, credits).

`Account` remembers how often every person was submitted and billed, which is what tests ask it.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

PRICES: dict[str, Decimal] = {
    "profile": Decimal(1),
    "live_profile": Decimal(7),
    "dev_platform_profiles": Decimal(1),
    "social_posts": Decimal(5),
    "match": Decimal(1),
    "company": Decimal(2),
    "business_email": Decimal(1),
    "personal_email": Decimal(2),
    "phone_number": Decimal(2),
    "verified": Decimal("0.5"),
}
"""Credits per item delivered for one person or company."""


def price(items: Iterable[str]) -> Decimal:
    """Return credits for the items delivered for one identifier."""
    return sum((PRICES[item] for item in items), Decimal(0))


def as_number(amount: Decimal) -> int | float:
    """Return an amount as the JSON number the API shows: an integer where it is whole."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


@dataclass(frozen=True, slots=True)
class BilledItem:
    """One item bought for one identifier.

    Attributes:
        key: Who is meant: slug, address or id, however the identifier was written.
        identifier: As submitted.
        product: `enrich`, `enrich_live`, `contact_enrich`, `identify`, `company_enrich`.
        item: A key of `PRICES`.
        credits: What it cost.
        source: The batch id, or the request id of a sync call.
    """

    key: str
    identifier: str
    product: str
    item: str
    credits: Decimal
    source: str


class Account:
    """Credits shared by all keys, and what they were spent on."""

    def __init__(self, *, balance: Decimal) -> None:
        """Open the account."""
        self._lock = threading.RLock()
        self._balance = balance
        self.purchases: list[BilledItem] = []
        self._items: dict[str, Counter[str]] = {}
        self.submitted: Counter[tuple[str, str]] = Counter()
        """How often a (product, key) was part of an accepted request."""

    @property
    def balance(self) -> Decimal:
        """The balance."""
        return self._balance

    @balance.setter
    def balance(self, amount: Decimal) -> None:
        self._balance = amount

    @property
    def spent(self) -> Decimal:
        """What all purchases cost together."""
        with self._lock:
            return sum((purchase.credits for purchase in self.purchases), Decimal(0))

    def note_submitted(self, product: str, keys: Iterable[str]) -> None:
        """Count identifiers of an accepted request, delivered or not."""
        with self._lock:
            self.submitted.update((product, key) for key in keys)

    def take(self, amount: Decimal) -> None:
        """Set credits aside for a batch that is charged at submit; a negative amount gives back."""
        with self._lock:
            self._balance -= amount

    def buy(self, purchases: list[BilledItem]) -> None:
        """Charge for what was delivered."""
        with self._lock:
            self._balance -= sum((purchase.credits for purchase in purchases), Decimal(0))
            self.purchases.extend(purchases)
            for purchase in purchases:
                self._items.setdefault(purchase.source, Counter())[purchase.item] += 1

    def items_of(self, source: str) -> Counter[str]:
        """Count how much of each item a batch or a sync request bought."""
        with self._lock:
            return Counter(self._items.get(source, Counter()))

    def billed(self) -> Counter[tuple[str, str, str]]:
        """Count how often each (product, item, key) was paid for."""
        with self._lock:
            return Counter((p.product, p.item, p.key) for p in self.purchases)
