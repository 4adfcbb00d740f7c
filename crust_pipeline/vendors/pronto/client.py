"""The client of Pronto's contact enrichment (the vendor is called Pipecorn today).

Its documents contradict each other in places; what is documented and what is assumed is listed in
docs/vendors.md. Nothing here decides what to buy or remembers what was bought.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.complaints import Complaint
from crust_pipeline.vendors.http import Api, Reply, new_client
from crust_pipeline.vendors.known import KnownPerson
from crust_pipeline.vendors.masking import WITHHELD
from crust_pipeline.vendors.parsing import number, object_or_empty, text
from crust_pipeline.vendors.refusals import circumstances, lacks_credits, refusal

# The documented address. The vendor's own programs also use https://app.pipecorn.com/api/v2 and
# https://api.pipecorn.com/v2; the paths below them are the same.
BASE_URL: Final = "https://app.prontohq.com/api/v2"
# What one bulk request takes (vendor documents, bulk contact enrichment).
LEAST_CONTACTS, MOST_CONTACTS = 2, 100

_ABOUT_CREDITS: Final = re.compile(r"enrichment credits|insufficient.*credits", re.IGNORECASE)
_ABOUT_CONSENT: Final = re.compile(r"\bconsent", re.IGNORECASE)
_ABOUT_PLAN: Final = re.compile(r"import limits?|plan limits?|\byour plan\b", re.IGNORECASE)
_ABOUT_INPUT: Final = re.compile(
    r"\bcontacts?\b|\bfirst_?name|\blast_?name|\bdomain|\bcompany|\blinkedin_url|\bwebhook|"
    r"\benrichment_type|\bcountry|\bmust\b|\brequired\b|\binvalid\b|\bmissing\b|\bblank\b",
    re.IGNORECASE,
)


class EnrichmentType(StrEnum):
    """What is looked for, by the vendor's word; one for all contacts of a request."""

    EMAIL = "email"
    PHONE = "phone"
    PERSONAL_EMAIL = "personal_email"

    @classmethod
    def of(cls, contact_type: str) -> "EnrichmentType":
        """Return the vendor's word for one of our types of contact data."""
        ours = {"business_email": cls.EMAIL, "phone_number": cls.PHONE}
        return ours.get(contact_type) or cls(contact_type)


def as_request(person: KnownPerson) -> dict[str, Any]:
    """Return a person as the vendor takes it."""
    values = {
        "firstname": person.firstname,
        "lastname": person.lastname,
        "domain": person.domain,
        "company_name": person.company_name,
        "linkedin_url": person.linkedin_url,
    }
    given = {name: value for name, value in values.items() if value}
    return {**given, "custom": {"key": person.key}}


class ProntoClient:
    """Everything the project asks of Pronto. Safe to share between threads; close it after use.

    Paid calls are sent once and never repeated here; free reads are repeated a few times.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = BASE_URL,
        transport: httpx.BaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare the client; nothing is sent.

        Args:
            api_key: the account's key; white space around it is dropped.
            base_url: where the API is.
            transport: takes the place of the network in tests.
            now: gives the current time, aware.
            sleep: waits that many seconds between two attempts of a free request.

        Raises:
            ValueError: the key or the address cannot be used; the message does not show the key.
        """
        key = api_key.strip()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("The Pronto API key is empty or holds characters that no key has.")
        if urlsplit(base_url).scheme not in {"http", "https"} or not urlsplit(base_url).hostname:
            raise ValueError("The base URL of the Pronto API is not an http or https address.")
        self._http = new_client(transport, user_agent=f"crust-pipeline/{version('crust-pipeline')}")
        self._api = Api(
            self._http,
            base_url=base_url,
            headers={"x-api-key": key},
            secret=key,
            now=now,
            sleep=sleep,
            refused=pronto_refusal,
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def bulk_enrich(
        self,
        contacts: Sequence[KnownPerson],
        *,
        kind: EnrichmentType,
        webhook_url: str,
        phone_countries: Sequence[str] = (),
    ) -> str:
        """Look for 2 to 100 people; results come one by one to `webhook_url`, and only there.

        Args:
            contacts: whom to look for.
            kind: what to look for.
            webhook_url: where the vendor posts each result.
            phone_countries: ISO 3166-1 alpha-2 codes that numbers are wanted from; () for the
                account's own list.

        Returns:
            The vendor's id of the job.

        Raises:
            ValueError: the request cannot be right, and was not sent.
            NotSent: nothing reached the vendor.
            MaybeStarted: it may be running and billed.
            VendorError: the class for the vendor's refusal; nothing is looked for.
        """
        if not LEAST_CONTACTS <= len(contacts) <= MOST_CONTACTS:
            raise ValueError(
                f"A bulk request takes {LEAST_CONTACTS} to {MOST_CONTACTS} contacts, "
                f"not {len(contacts)}."
            )
        body = {"contacts": [as_request(contact) for contact in contacts]}
        extra = _extra(kind, webhook_url=webhook_url, phone_countries=phone_countries)
        return self._started("/contacts/bulk_enrich", body | extra)

    def single_enrich(
        self,
        contact: KnownPerson,
        *,
        kind: EnrichmentType,
        webhook_url: str | None = None,
        phone_countries: Sequence[str] = (),
    ) -> str:
        """Look for one person. The result can be asked for with `contact`, unlike a bulk one's.

        Args:
            contact: whom to look for.
            kind: what to look for.
            webhook_url: where the vendor posts the result as well; None for nowhere.
            phone_countries: as for `bulk_enrich`.

        Returns:
            The vendor's id of the search, for `contact`.

        Raises:
            ValueError: the request cannot be right, and was not sent.
            VendorError: as for `bulk_enrich`.
        """
        extra = _extra(kind, webhook_url=webhook_url, phone_countries=phone_countries)
        return self._started("/contacts/single_enrich", as_request(contact) | extra)

    def contact(self, enrichment_id: str) -> Reply:
        """Ask for the result of a single search, which may not have ended.

        Raises:
            NotFound: no search of this account has the id.
            VendorError: as for every free read.
        """
        return self._api.read(f"/contacts/{quote(enrichment_id, safe='')}")

    def credits(self) -> Decimal | None:
        """Return the account's balance, None if it cannot be made out.

        The fields of the answer are not documented: the one number, or the one that is called so.

        Raises:
            VendorError: as for every free read.
        """
        balance = object_or_empty(self._api.read("/credits").document)
        balance = object_or_empty(balance.get("credits")) or balance
        for name in ("enrichment_credits", "credits", "remaining", "balance", "credits_remaining"):
            if (amount := number(balance.get(name))) is not None:
                return amount
        return None

    def _started(self, path: str, body: Mapping[str, Any]) -> str:
        reply = self._api.pay(path, body)
        answer = object_or_empty(reply.document)
        # Copies of the documents show the id alone, with a `status`, and as `id`.
        started = text(answer.get("enrichment_id")) or text(answer.get("id"))
        if started is None:
            raise self._api.unreadable_sale(reply.response)
        return started


def _extra(
    kind: EnrichmentType, *, webhook_url: str | None, phone_countries: Sequence[str]
) -> dict[str, Any]:
    extra: dict[str, Any] = {"enrichment_type": [kind.value]}
    if webhook_url is not None:
        extra["webhook_url"] = webhook_url
    if phone_countries and kind is EnrichmentType.PHONE:
        # Named so by the vendor's own n8n node; the documents leave the name out.
        extra["phone_country_codes"] = list(phone_countries)
    return extra


def pronto_refusal(
    response: httpx.Response, *, paid: bool, secret: str, now: Callable[[], datetime]
) -> errors.VendorError:
    """Make the error for a 4xx, which proves that nothing was looked for."""
    complaint = Complaint.read(response)
    match response.status_code:
        case 403 if not lacks_credits(complaint, status=403):
            known = circumstances(response, secret=secret)
            # The vendor's own command line takes it for 401's sibling.
            return errors.InvalidKey("The vendor does not accept the API key: check it", **known)
        case 400 | 422:
            return _unprocessable(response, complaint.message, secret=secret)
        case _:
            return refusal(response, paid=paid, secret=secret, now=now)


def _unprocessable(response: httpx.Response, said: str, *, secret: str) -> errors.VendorError:
    """Tell the causes of a 422 apart by its words."""
    known = circumstances(response, secret=secret)
    if _ABOUT_CREDITS.search(said):
        return errors.OutOfCredits("The account has too few credits left", **known)
    if _ABOUT_CONSENT.search(said):
        return errors.NotPermitted(
            "Personal e-mails need the vendor's terms accepted in the account's settings", **known
        )
    if _ABOUT_PLAN.search(said):
        return errors.NotPermitted("The account's plan does not include this", **known)
    if words := sorted({word.lower() for word in _ABOUT_INPUT.findall(said)}):
        # Such a message may repeat a name that was sent: only its known words are shown.
        known["vendor_message"] = f"{', '.join(words)} {WITHHELD}"
        return errors.InvalidRequest("The vendor refused the request as it was written", **known)
    return errors.NotUnderstood(
        "The vendor refused the request for a reason that is not known", **known
    )
