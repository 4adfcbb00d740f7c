"""A vendor: what it sells, and how an installation's settings make an account of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from crust_pipeline.settings import Settings
from crust_pipeline.vendors.client import JobClient
from crust_pipeline.vendors.known import KnownPerson
from crust_pipeline.vendors.product import Product, Products

if TYPE_CHECKING:  # the registry is read where no ledger is opened
    from crust_pipeline.ledger.store import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What an installation hands to a client.

    Attributes:
        ledger: the account's ledger.
        known: what is known of people, by key; those of whom nothing is known are left out.
        clock: the present time, aware.
    """

    ledger: "Ledger"
    known: Callable[[Sequence[str]], Mapping[str, KnownPerson]]
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A vendor.

    Attributes:
        name: its name, in settings and tables.
        products: all that it sells.
        account: the name that purchases are remembered under.
        max_active: the jobs allowed at a time.
        choose: the product that an operation is bought through, for each kind of identifier.
        fields: what an operation asks for, of these types of contact data.
        connect: makes a client; raises SettingsError without a usable key.
        former_account: the name that release 0.1 gave by itself: the host, a proxy's as well.
    """

    name: str
    products: tuple[Product, ...]
    account: Callable[[Settings], str]
    max_active: Callable[[Settings], int]
    choose: Callable[[Settings, str], Products]
    fields: Callable[[Settings, str, Collection[str]], tuple[str, ...]]
    connect: Callable[[Settings, Means], JobClient]
    former_account: Callable[[Settings], str] | None = None
