"""How Pronto's results are read: bodies of its webhooks, one in a line."""

from typing import Final

from crust_pipeline.vendors.lines import Delivered, Line

VENDOR: Final = "pronto"

# A value comes as a lone text, or as a list of texts or objects. `finished` without a value is all
# that the vendor says of somebody whom it did not find.
RESULT: Final = Line(
    name="result",
    vendor=VENDOR,
    identifiers=("custom.key",),
    delivered=(
        Delivered("business_email", "email[]", (".",), status=("email_status",)),
        Delivered("personal_email", "personal_email[]", (".",), status=("personal_email_status",)),
        Delivered("phone_number", "phone[]", (".number", "."), excluded="@"),
        Delivered("phone_number", "phones[]", (".number", "."), excluded="@"),
    ),
    # The asynchronous and the synchronous form of the vendor's documents.
    unread=frozenset(
        (
            *("enrichment_id", "status", "message", "phone_status"),
            *("first_name", "last_name", "linkedin_profile_url"),
        )
    ),
)
