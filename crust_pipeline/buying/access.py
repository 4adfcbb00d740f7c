"""Access: what the vendor says that the account may buy, asked before anything is bought.

It is asked once in the life of an `Account`: a run. When there is no answer, or one that says
nothing about an endpoint, everything is tried: a refusal costs nothing. What a refusal says of
fields that do not exist is remembered as long.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.client import JobClient
from crust_pipeline.vendors.field_names import not_among, under, with_nearest
from crust_pipeline.vendors.models import EndpointAccess
from crust_pipeline.vendors.product import Product


@dataclass(slots=True)
class Access:
    """What is known of the account's endpoints; None until the vendor was asked."""

    _endpoints: dict[str, EndpointAccess] | None = None
    _unknown_fields: dict[str, errors.FieldsUnsupported] = field(
        default_factory=dict[str, errors.FieldsUnsupported]
    )

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

    def note_unknown_fields(
        self, product: Product, requested: Sequence[str], refusal: errors.FieldsUnsupported
    ) -> errors.FieldsUnsupported | None:
        """Remember which fields the vendor does not know.

        Args:
            product: what was to be bought.
            requested: its fields, as the request calls them.
            refusal: what the vendor said.

        Returns:
            The refusal in words that name the fields and those most like them; None when it speaks
            of no field that was asked for.
        """
        offered = refusal.available_fields or product.known_fields
        unknown = tuple(name for name in requested if name in refusal.fields) or not_among(
            requested, offered
        )
        if not unknown:
            return None
        mend = f"Correct {product.fields_setting or 'what is asked for'}, and run it again"
        told = errors.FieldsUnsupported(
            f"The vendor does not know {with_nearest(unknown, offered)}, so nothing was bought. "
            + mend,
            fields=unknown,
            status=refusal.status,
            request_id=refusal.request_id,
        )
        self._unknown_fields[product.name] = told
        return told

    def unknown_fields(
        self, product: Product, requested: Sequence[str]
    ) -> errors.FieldsUnsupported | None:
        """Return the refusal that names one of these fields, if there was one."""
        told = self._unknown_fields.get(product.name)
        return told if told and set(told.fields) & set(requested) else None
