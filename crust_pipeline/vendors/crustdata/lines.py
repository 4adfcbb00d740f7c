"""How the lines of Crustdata's files are read: one description for each kind of line.

Sources: the vendor's documents on the batch and contact endpoints; where they conflict with what
users saw, every variant is read.
"""

from typing import Final

from crust_pipeline.keys import company_key_of_echo
from crust_pipeline.vendors.lines import Delivered, Line

VENDOR: Final = "crustdata"

PROFILE: Final = Line(
    name="profile",
    vendor=VENDOR,
    identifiers=("original_identifier",),
    required=("data",),
    delivered=(
        # An empty shell is delivered, and billed, like any other profile.
        Delivered("profile"),
        Delivered("dev_platform_profiles", "data.dev_platform_profiles[]"),
        Delivered("social_posts", "data.social_posts"),
    ),
    subject_id=("data.crustdata_person_id", "internal_id"),
    content="data",
    ids=frozenset({"crustdata_person_id", "updated_at"}),
)

IDENTITY: Final = Line(
    name="identity",
    vendor=VENDOR,
    identifiers=("matched_on",),
    delivered=(Delivered("match", "matches[]"),),
    subject_id=("matches[].person_data.crustdata_person_id",),
    best="matches[].confidence_score",
    profile_url="matches[].person_data.social_handles.professional_network_identifier.profile_url",
)

# Contact data comes in three shapes: the documented envelope (`data.…`), the flat one that users
# saw, and the synchronous endpoint's. A single value may stand for a list, and an e-mail address
# may be an object or plain text.
_PERSON: Final = "matches[].person_data"


def _in_all_shapes(
    item: str, batch: str, sync: str, value: str, *, excluded: str = ""
) -> tuple[Delivered, ...]:
    return tuple(
        Delivered(item, f"{path}[]", (f".{value}", "."), excluded, (".status",))
        for path in (f"data.{batch}", batch, f"{_PERSON}.contact.{sync}")
    )


CONTACT: Final = Line(
    name="contact",
    vendor=VENDOR,
    identifiers=("original_identifier", "professional_network_url", "matched_on"),
    delivered=(
        *_in_all_shapes("business_email", "business_email", "business_emails", "email"),
        *_in_all_shapes(
            "personal_email", "personal_contact_info.personal_emails", "personal_emails", "email"
        ),
        *_in_all_shapes(
            "phone_number",
            *("personal_contact_info.phone_numbers", "phone_numbers", "phone_number"),
            excluded="@",  # the vendor has been seen to put e-mail addresses among the numbers
        ),
    ),
    free=_in_all_shapes("website", "websites", "websites", "website"),
    subject_id=("internal_id", "person_id", f"{_PERSON}.crustdata_person_id"),
    unread=frozenset(
        (
            *("match_type", "match_status", "matches[].confidence_score"),
            f"{_PERSON}.contact.business_emails_message",
        )
    ),
)

COMPANY: Final = Line(
    name="company",
    vendor=VENDOR,
    identifiers=("original_identifier",),
    required=("data",),
    delivered=(Delivered("company"),),
    subject_id=("data.crustdata_company_id", "internal_id"),
    content="data",
    ids=frozenset({"crustdata_company_id", "updated_at"}),
    key_of=company_key_of_echo,
)
