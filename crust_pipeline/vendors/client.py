"""What a vendor's client must be able to do; `CrustdataClient` says what each call means."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from crust_pipeline.keys import KeyKind
from crust_pipeline.vendors.models import (
    Accepted,
    Answers,
    Downloaded,
    EndpointAccess,
    Job,
    JobPage,
)
from crust_pipeline.vendors.product import Product


class JobClient(Protocol):
    """A vendor of jobs. Paid calls are sent once and never repeated; reads are free."""

    @property
    def reads_per_minute(self) -> int | None:
        """Return what the vendor allows, if it has said."""
        ...

    def submit(
        self,
        product: Product,
        *,
        identifier_type: KeyKind,
        identifiers: Sequence[str],
        fields: Sequence[str] = (),
        webhook_url: str | None = None,
    ) -> Accepted:
        """Submit one batch, once."""
        ...

    def answer_at_once(
        self,
        product: Product,
        *,
        identifier_type: KeyKind,
        identifiers: Sequence[str],
        fields: Sequence[str],
    ) -> Answers:
        """Buy through a synchronous product, once."""
        ...

    def job(self, batch_id: str) -> Job:
        """Ask how a job is doing."""
        ...

    def jobs(self, *, limit: int = 100, cursor: str | None = None) -> JobPage:
        """List the account's jobs, newest first."""
        ...

    def download(self, url: str, to: Path, *, take_what_comes: bool = False) -> Downloaded:
        """Bring a job's file."""
        ...

    def credits(self) -> Decimal | None:
        """Return the account's balance, if the vendor tells."""
        ...

    def charged_since(self, day: date) -> Decimal | None:
        """Return what the usage report adds up to since a day (UTC), if there is one."""
        ...

    def endpoints(self) -> tuple[EndpointAccess, ...]:
        """List what the account may call; () when the vendor lists nothing."""
        ...
