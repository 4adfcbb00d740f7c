"""Access: what the vendor says that the account may buy, asked before anything is bought.

It is asked once in the life of an `Account`: a run. When there is no answer, or one that says
nothing about an endpoint, everything is tried: a refusal costs nothing.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.client import JobClient
from crust_pipeline.vendors.models import EndpointAccess
from crust_pipeline.vendors.product import Product, under


@dataclass(slots=True)
class Access:
    """What is known of the account's endpoints; None until the vendor was asked."""

    _endpoints: dict[str, EndpointAccess] | None = None

    @property
    def is_known(self) -> bool:
        """Whether the vendor has been asked."""
        return self._endpoints is not None

    def ask(self, client: JobClient) -> None:
        """Ask the vendor; no answer counts as an empty one."""
        self._endpoints = {}
        with suppress(errors.VendorError):
            self._endpoints = {entry.path: entry for entry in client.endpoints()}

    def check(self, product: Product, requested: Sequence[str]) -> None:
        """Refuse what the vendor would refuse.

        Args:
            product: what is to be bought.
            requested: its fields, as the request calls them.

        Raises:
            NotPermitted: the endpoint is not enabled.
            FieldsDenied: some of the fields are disabled.
        """
        entry = (self._endpoints or {}).get(product.path)
        if entry is None:
            return
        if entry.is_refused:
            raise errors.NotPermitted(
                f"The vendor lists {product.path} as not enabled for this account; nothing was "
                "sent. Ask the vendor to enable it"
            )
        disabled = tuple(
            name
            for name in entry.disabled_fields
            if any(under(name, asked) or under(asked, name) for asked in requested)
        )
        if disabled:
            raise errors.FieldsDenied(
                f"The vendor lists fields of {product.path} as disabled for this account: "
                f"{', '.join(disabled)}",
                fields=disabled,
            )
