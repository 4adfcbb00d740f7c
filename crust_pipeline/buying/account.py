"""Account: one account at one vendor, and what every step needs to work it."""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crust_pipeline.buying.access import Access
from crust_pipeline.errors import CrustError
from crust_pipeline.ledger.limits import NO_LIMITS, Limits
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.vendors.client import JobClient
from crust_pipeline.vendors.prices import PRICES, Prices
from crust_pipeline.vendors.product import Product

# A submit is given up after 60 s (vendors/http.py): no process still waits for an intent this old.
INTENT_EXPIRES = timedelta(minutes=5)


class UnknownProductError(CrustError):
    """A batch is of a product that this program does not know: another release has planned it."""


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account at one vendor, and the means to work it.

    Attributes:
        ledger: the account's ledger.
        client: speaks to the vendor.
        products: what this vendor sells, by name.
        raw: the folder in which vendor files are kept as received.
        max_active: vendor jobs allowed at a time.
        poll_seconds: between two polls of one job.
        resubmit_unknown: whether a submit that cannot be found again is bought again.
        prices: credits by operation and item.
        limits: what may be spent, for what is bought again without a plan.
        inbox_url: where the vendor can reach our inbox; None: no callbacks.
        clock: the present time.
        access: what the vendor says that the account may buy, once it was asked.
        owner: names this process in intents.
    """

    ledger: Ledger
    client: JobClient
    products: Mapping[str, Product]
    raw: Path
    max_active: int
    poll_seconds: float
    resubmit_unknown: bool = False
    prices: Prices = PRICES
    limits: Limits = NO_LIMITS
    inbox_url: str | None = None
    clock: Callable[[], datetime] = utc_now
    access: Access = field(default_factory=Access)
    owner: str = field(default_factory=lambda: this_process())  # noqa: PLW0108 - defined below

    def now(self) -> datetime:
        """Return the present time, aware."""
        return self.clock()

    def product(self, name: str) -> Product:
        """Return one of the products.

        Raises:
            UnknownProductError: there is none of this name.
        """
        if name not in self.products:
            raise UnknownProductError(
                f"This release does not know the product {name}. Use the release that planned it"
            )
        return self.products[name]


def this_process() -> str:
    """Return a name that no other process has: host, process id, and when the process started."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def owner_is_gone(owner: str | None, *, at: datetime, now: datetime) -> bool:
    """Return whether the process that took up a batch at a time can no longer finish with it."""
    if owner is None or now - at > INTENT_EXPIRES:
        return True
    host, pid, started = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return False  # another machine: only time can tell
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _started(int(pid)) != started


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks, where the system tells: ids are used again."""
    with suppress(OSError):
        # Field 22, counted from behind the command, which may itself hold spaces and brackets.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return "0"
