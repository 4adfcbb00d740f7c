"""The paths that sell, and what each accepts; validation and permissions read this list."""

from dataclasses import dataclass

from crust_pipeline.sandbox import fields

URLS = "professional_network_profile_urls"
BUSINESS_EMAILS = "business_emails"
EMAILS = "emails"
SCHOLAR_URLS = "research_profile_urls"
DOMAINS = "domains"
NAMES = "names"
COMPANY_IDS = "crustdata_company_ids"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A path that sells people or companies.

    Attributes:
        path: Path of the request.
        product: What is delivered: `enrich`, `enrich_live`, `contact_enrich`,
            `identify` or `company_enrich`.
        identifier_types: Body keys that may carry the identifiers; a request has exactly one.
        cap: Most identifiers in one request.
        batch: Whether it starts a job (otherwise it answers at once).
        fields: Values that `fields` may have; empty: the key `fields` is not known here.
        fields_required: Whether `fields` must be given.
        options: Further body keys.
        entity: `person` or `company`.
        usual_rpm: Requests per minute the vendor's table names; None where it names none.
    """

    path: str
    product: str
    identifier_types: tuple[str, ...]
    cap: int
    batch: bool = True
    fields: tuple[str, ...] = ()
    fields_required: bool = False
    options: frozenset[str] = frozenset()
    entity: str = "person"
    usual_rpm: int | None = None


BATCH_ENRICH = Endpoint(
    path="/batch/person/enrich",
    product="enrich",
    identifier_types=(URLS, BUSINESS_EMAILS),
    cap=10_000,
    fields=fields.ENRICH_FIELDS,
    options=frozenset(("webhook_url", "chunk_size")),
)
BATCH_LIVE = Endpoint(
    path="/batch/person/professional_network/enrich/live",
    product="enrich_live",
    identifier_types=(URLS,),
    cap=300,
    fields=fields.ENRICH_FIELDS,
    options=frozenset(("webhook_url", "chunk_size")),
)
BATCH_CONTACT = Endpoint(
    path="/batch/person/contact/enrich",
    product="contact_enrich",
    identifier_types=(URLS,),
    cap=300,
    fields=fields.BATCH_CONTACT_FIELDS,
    fields_required=True,
    options=frozenset(("webhook_url", "chunk_size", "verified")),
)
BATCH_IDENTIFY = Endpoint(
    path="/batch/person/identify",
    product="identify",
    identifier_types=(EMAILS, BUSINESS_EMAILS, URLS),
    cap=300,
    options=frozenset(("webhook_url",)),
)
BATCH_COMPANY = Endpoint(
    path="/batch/company/enrich",
    product="company_enrich",
    identifier_types=(DOMAINS, NAMES, URLS, COMPANY_IDS),
    cap=10_000,
    fields=fields.COMPANY_FIELDS,
    options=frozenset(("webhook_url", "chunk_size")),
    entity="company",
)
SYNC_CONTACT = Endpoint(
    path="/person/contact/enrich",
    product="contact_enrich",
    identifier_types=(URLS, BUSINESS_EMAILS),
    cap=25,
    batch=False,
    fields=fields.SYNC_CONTACT_FIELDS,
    options=frozenset(("verified",)),
    usual_rpm=15,
)
SYNC_ENRICH = Endpoint(
    path="/person/enrich",
    product="enrich",
    identifier_types=(URLS,),
    cap=25,
    batch=False,
    fields=fields.ENRICH_FIELDS,
    options=frozenset(("preview",)),
    usual_rpm=15,
)
SYNC_IDENTIFY = Endpoint(
    path="/person/identify",
    product="identify",
    identifier_types=(URLS, EMAILS, SCHOLAR_URLS),
    cap=25,
    batch=False,
    usual_rpm=30,
)

BY_PATH = {
    endpoint.path: endpoint
    for endpoint in (
        BATCH_ENRICH,
        BATCH_LIVE,
        BATCH_CONTACT,
        BATCH_IDENTIFY,
        BATCH_COMPANY,
        SYNC_CONTACT,
        SYNC_ENRICH,
        SYNC_IDENTIFY,
    )
}
