"""The client of Acme, which answers at once and keeps no jobs."""

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from crust_pipeline.keys import KeyKind
from crust_pipeline.vendors.errors import NotFound
from crust_pipeline.vendors.models import (
    Accepted,
    Answers,
    Downloaded,
    EndpointAccess,
    Job,
    JobPage,
)
from crust_pipeline.vendors.product import Product


class AcmeClient:
    """Acme."""

    reads_per_minute: int | None = None

    def submit(
        self,
        product: Product,
        *,
        identifier_type: KeyKind,
        identifiers: Sequence[str],
        fields: Sequence[str] = (),
        webhook_url: str | None = None,
    ) -> Accepted:
        raise NotFound(product.name)  # everything that it sells is answered at once

    def answer_at_once(
        self,
        product: Product,
        *,
        identifier_type: KeyKind,
        identifiers: Sequence[str],
        fields: Sequence[str],
    ) -> Answers:
        lines = (
            json.dumps({"who": who, "mail": [f"{who.rpartition('/')[2]}@example.com"]})
            for who in identifiers
        )
        return Answers(lines=tuple(lines), credits_used=None, request_id=None)

    def job(self, batch_id: str) -> Job:
        raise NotFound(batch_id)

    def jobs(self, *, limit: int = 100, cursor: str | None = None) -> JobPage:
        return JobPage(jobs=(), next_cursor=None, has_more=False, server_time=None)

    def download(self, url: str, to: Path, *, take_what_comes: bool = False) -> Downloaded:
        raise NotFound(url)

    def credits(self) -> Decimal | None:
        return None

    def charged_since(self, day: date) -> Decimal | None:
        return None

    def endpoints(self) -> tuple[EndpointAccess, ...]:
        return ()
