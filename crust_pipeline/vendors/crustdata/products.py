"""What Crustdata sells, as data, and which of it the settings choose.

Sources: the vendor's documents on /batch/person/*, /batch/company/enrich, /person/contact/enrich,
GET /batch/{batch_id}, and its pages on prices.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final

from crust_pipeline.settings import Settings, SettingsError
from crust_pipeline.vendors.client import JobClient
from crust_pipeline.vendors.crustdata.fields import PERSON_FIELDS
from crust_pipeline.vendors.crustdata.lines import COMPANY, CONTACT, IDENTITY, PROFILE, VENDOR
from crust_pipeline.vendors.field_names import with_nearest
from crust_pipeline.vendors.product import Item, Product, Products
from crust_pipeline.vendors.vendor import Means, Vendor

_PRICING_PAGE: Final = "https://docs.crustdata.com/general/pricing"
_CONTACT_PAGE: Final = "https://docs.crustdata.com/person-docs/contact/enrich"
_COMPANY_PAGE: Final = "https://docs.crustdata.com/company-docs/enrichment/batch"
_SEEN: Final = "seen on bills"
_API_VERSION_DAY: Final = date(2025, 11, 1)


def _item(
    name: str,
    credits: str,  # noqa: A002 - the name of the unit
    source: str,
    *,
    asked_by: tuple[str, ...] = (),
    brought_by: tuple[str, ...] = (),
) -> Item:
    return Item(
        name=name,
        credits=Decimal(credits),
        source=source,
        valid_from=_API_VERSION_DAY,
        asked_by=asked_by,
        brought_by=brought_by,
    )


def _parts(group: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{group}.{name}" for name in names)


IDENTIFY: Final = Product(
    name="identify",
    operation="identify",
    vendor=VENDOR,
    path="/batch/person/identify",
    cap=300,
    # `emails` is the newer key and takes personal addresses too; the older is `business_emails`.
    identifier_keys={"profile_url": "professional_network_profile_urls", "email": "emails"},
    line=IDENTITY,
    items=(_item("match", "1", _PRICING_PAGE),),
    jobs=frozenset({("person", "identify")}),
)

_CONTACT_PARTS: Final = _parts("personal_contact_info", "personal_emails", "phone_numbers")

CONTACT_BATCH: Final = Product(
    name="contact",
    operation="contact",
    vendor=VENDOR,
    path="/batch/person/contact/enrich",
    cap=300,
    identifier_keys={"profile_url": "professional_network_profile_urls"},
    line=CONTACT,
    # The vendor warns that a request for one kind of contact has been billed as all three, so none
    # of them depends on what was asked.
    items=(
        _item("business_email", "1", _CONTACT_PAGE, brought_by=("business_email",)),
        _item(
            "personal_email",
            "2",
            _CONTACT_PAGE,
            brought_by=("personal_contact_info", _CONTACT_PARTS[0]),
        ),
        _item(
            "phone_number",
            "2",
            _CONTACT_PAGE,
            brought_by=("personal_contact_info", _CONTACT_PARTS[1]),
        ),
        _item("verified", "0.5", _CONTACT_PAGE, asked_by=("verified",)),
    ),
    reads=("identities",),
    contact_types={
        "business_email": "business_email",
        "personal_email": _CONTACT_PARTS[0],
        "phone_number": _CONTACT_PARTS[1],
    },
    fields=("business_email",),
    known_fields=("business_email", "personal_contact_info", *_CONTACT_PARTS),
    leaves={"personal_contact_info": _CONTACT_PARTS},
    jobs=frozenset({("person", "contact_enrich")}),
    needs_fields=True,
    # Addresses are checked now, and only those that pass are delivered.
    flags={"verified": "business_email"},
)

CONTACT_SYNC: Final = replace(
    CONTACT_BATCH,
    name="contact_sync",
    path="/person/contact/enrich",
    cap=25,
    identifier_keys={
        "profile_url": "professional_network_profile_urls",
        "email": "business_emails",
    },
    # Fields are called as in the batch: what was bought through one is not bought through the
    # other. Without `fields` it sells all three paid kinds, the dearest call there is.
    request_fields={
        "business_email": ("contact.business_emails",),
        "personal_contact_info": ("contact.personal_emails", "contact.phone_numbers"),
        _CONTACT_PARTS[0]: ("contact.personal_emails",),
        _CONTACT_PARTS[1]: ("contact.phone_numbers",),
    },
    always_fields=("contact.websites",),
    jobs=frozenset(),
    is_synchronous=True,
)

_ENRICH_GROUPS: Final = (
    *("basic_profile", "professional_network", "skills", "social_handles", "experience"),
    *("education", "certifications", "honors", "dev_platform_profiles", "assessment"),
)
_ENRICH_LEAVES: Final = {
    "basic_profile": _parts(
        "basic_profile",
        *("name", "first_name", "last_name", "headline", "current_title", "summary", "languages"),
        *("professional_network_name", "profile_picture_permalink", "location"),
        *("normalized_title", "last_updated"),
    ),
    "professional_network": _parts(
        "professional_network",
        *("connections", "followers", "name", "headline", "current_title", "summary", "pronoun"),
        *("profile_picture_permalink", "location", "metadata", "open_to_cards"),
        *("joined_date", "verifications"),
    ),
    "social_handles": _parts(
        "social_handles",
        *("professional_network_identifier", "dev_platform_identifier", "twitter_identifier"),
    ),
    "skills": _parts("skills", "professional_network_skills"),
    "experience": _parts(
        "experience", "employment_details", "years_of_experience", "years_of_experience_raw"
    ),
    "experience.employment_details": _parts("experience.employment_details", "current", "past"),
    "education": _parts("education", "schools"),
    "assessment": _parts("assessment", "authenticity"),
    "assessment.authenticity": _parts("assessment.authenticity", "verdict", "tier"),
}

ENRICH: Final = Product(
    name="enrich",
    operation="enrich",
    vendor=VENDOR,
    path="/batch/person/enrich",
    cap=10_000,
    identifier_keys={
        "profile_url": "professional_network_profile_urls",
        "email": "business_emails",
    },
    line=PROFILE,
    items=(
        _item("profile", "1", _PRICING_PAGE),
        _item("dev_platform_profiles", "1", _PRICING_PAGE, asked_by=("dev_platform_profiles",)),
        _item("social_posts", "5", _SEEN, asked_by=("social_posts",)),
    ),
    reads=("identities",),
    fields=_ENRICH_GROUPS,
    # Among them social_posts: five more credits for each person, so never by default.
    known_fields=PERSON_FIELDS,
    fields_setting="CRUST_ENRICH_FIELDS",
    leaves=_ENRICH_LEAVES,
    jobs=frozenset({("person", "enrich")}),
    lists_unresolved=False,
)

LIVE_ENRICH: Final = replace(
    ENRICH,
    name="live_enrich",
    path="/batch/person/professional_network/enrich/live",
    cap=300,
    identifier_keys={"profile_url": "professional_network_profile_urls"},
    # A flat price: seen on bills of the synchronous endpoint, the batch's own is not published.
    items=tuple(
        _item(name, price, _SEEN)
        for name, price in {
            "profile": "7",
            "dev_platform_profiles": "0",
            "social_posts": "0",
        }.items()
    ),
    jobs=frozenset({("person", "enrich_live")}),
)

_COMPANY_GROUPS: Final = ("basic_info", "headcount", "funding", "locations", "taxonomy")

COMPANY_ENRICH: Final = Product(
    name="company_enrich",
    operation="company_enrich",
    vendor=VENDOR,
    path="/batch/company/enrich",
    cap=10_000,
    identifier_keys={"company_id": "crustdata_company_ids", "company_domain": "domains"},
    line=COMPANY,
    items=(_item("company", "2", _COMPANY_PAGE),),
    subject="company",
    reads=("employment",),
    fields=_COMPANY_GROUPS,
    known_fields=(
        *_COMPANY_GROUPS,
        *("revenue", "roles", "hiring", "followers", "competitors", "social_profiles"),
        *("web_traffic", "seo", "employee_reviews", "software_reviews", "news", "people"),
    ),
    jobs=frozenset({("company", "enrich")}),
    lists_unresolved=False,
)


def _choose(settings: Settings, operation: str) -> Products:
    match operation:
        case "identify":
            keys = {**IDENTIFY.identifier_keys, "email": settings.identify_email_key}
            product = replace(IDENTIFY, identifier_keys=keys)
            return {"profile_url": product, "email": product}
        case "contact":
            by_url = CONTACT_SYNC if settings.contact_mode == "sync" else CONTACT_BATCH
            # The batch takes no e-mail addresses; the synchronous request does.
            return {"profile_url": by_url, "email": CONTACT_SYNC}
        case "enrich" if settings.enrich_mode == "live":
            return {"profile_url": LIVE_ENRICH}
        case "enrich":
            return {"profile_url": ENRICH, "email": ENRICH}
        case _:
            return {"company_id": COMPANY_ENRICH, "company_domain": COMPANY_ENRICH}


def _fields(settings: Settings, operation: str, contact_types: Collection[str]) -> tuple[str, ...]:
    match operation:
        case "identify":
            return IDENTIFY.fields
        case "contact":
            named = CONTACT_BATCH.contact_types
            fields = tuple(named[name] for name in named if name in contact_types)
            verified = settings.contact_verified and "business_email" in fields
            return (*fields, "verified") if verified else fields
        case "enrich":
            fields = settings.enrich_fields or ENRICH.fields
            if unknown := ENRICH.unknown_fields(fields):
                groups = (name for name in ENRICH.known_fields if "." not in name)
                raise SettingsError(
                    f"{ENRICH.fields_setting} names fields that do not exist: "
                    f"{with_nearest(unknown, ENRICH.known_fields)}. Nothing was planned or bought. "
                    f"There are: {', '.join(groups)}, and what lies under them."
                )
            return fields
        case _:
            return COMPANY_ENRICH.fields


def _connect(settings: Settings, means: Means) -> JobClient:
    # Here, because the registry is read where nothing is sent: `--help` needs no HTTP.
    from crust_pipeline.vendors.crustdata.client import CrustdataClient

    del means  # keys and identifiers are all that it is sent
    if not settings.api_key:
        raise SettingsError(
            "CRUSTDATA_API_KEY is not set. Set it to your Crustdata API key; to try things out "
            "without one, use `crust-pipeline demo`."
        )
    try:
        return CrustdataClient(api_key=settings.api_key, base_url=settings.base_url)
    except ValueError as error:
        raise SettingsError(f"CRUSTDATA_API_KEY cannot be used: {error}") from None


def _former_account(settings: Settings) -> str:
    is_set = settings.account != settings.account_host("base_url")
    return settings.account if is_set else settings.host_of("base_url")


CRUSTDATA: Final = Vendor(
    name=VENDOR,
    products=(IDENTIFY, CONTACT_BATCH, CONTACT_SYNC, ENRICH, LIVE_ENRICH, COMPANY_ENRICH),
    account=lambda settings: settings.account,
    max_active=lambda settings: settings.max_active_batches,
    choose=_choose,
    fields=_fields,
    connect=_connect,
    former_account=_former_account,
)
