"""One account at Pronto: what it accepts, what it finds, and what that costs.

What is found about somebody depends on the name alone, so it is the same in every run.
"""

import hashlib
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, cast

from crust_pipeline.sandbox.clock import Clock
from crust_pipeline.sandbox.refusals import RefusalBody

LEAST, MOST = 2, 100
TYPES = ("email", "phone", "personal_email")
# Of 100 people so many are found, and so many of those with a lesser status.
FOUND = {"email": 65, "phone": 45, "personal_email": 50}
LESSER = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class ProntoSwitches:
    """One choice for each thing that Pronto's documents leave open or contradict.

    Attributes:
        accepted: The answer to a request: the id alone, or with a status and HTTP 202.
        shape: Results as documented, as the synchronous endpoint's, or with phones as objects.
        prices: Credits by type; copies of the documents say 1 and 10, and 3 and 30.
        consent: Whether the account has accepted the terms for personal e-mails.
        seconds: How long a search takes, on average.
        deliveries: Each result once, twice, or at times not at all.
        lost_of_ten: Of ten results so many are never delivered, with `deliveries` "lossy".
        forged: Whether somebody posts made-up results to the same addresses.
        tries: How often a delivery is tried that was not answered with 2xx.
        refusal: The words of a 422 for every paid request; "" for none.
        refusal_body: Shape of every refusal: documented, as frameworks write it, or as a proxy.
        requests_per_second: More are answered with 429.
    """

    accepted: Literal["id", "id_and_status"] = "id"
    shape: Literal["documented", "synchronous", "phone_objects"] = "documented"
    prices: Mapping[str, int] = field(
        default_factory=lambda: {"email": 3, "phone": 30, "personal_email": 30}
    )
    consent: bool = True
    seconds: float = 1.0
    deliveries: Literal["once", "twice", "lossy"] = "once"
    lost_of_ten: int = 2
    forged: bool = False
    tries: int = 5
    refusal: str = ""
    refusal_body: RefusalBody = "documented"
    requests_per_second: int = 50


class ProntoRefused(Exception):  # noqa: N818 - named for what it is
    """A request that is answered with an error."""

    def __init__(self, status: int, words: str, *, retry_after: int | None = None) -> None:
        """Answer with `status` and `words`."""
        super().__init__(words)
        self.status, self.words, self.retry_after = status, words, retry_after


@dataclass(slots=True)
class Search:
    """One person that is looked for.

    Attributes:
        enrichment_id: What the vendor calls the search, or the bulk request it came in.
        kind: What is looked for.
        contact: As sent.
        webhook_url: Where the result goes; None: nowhere.
        ready_at: When it ends.
        delivered: Whether the result was given out for posting.
    """

    enrichment_id: str
    kind: str
    contact: Mapping[str, Any]
    webhook_url: str | None
    ready_at: datetime
    delivered: bool = False


class ProntoAccount:
    """The state of the account. Safe to use from several threads."""

    def __init__(
        self, *, keys: tuple[str, ...], credits_at_start: Decimal, switches: ProntoSwitches
    ) -> None:
        """Open the account."""
        self.keys = keys
        self.balance = credits_at_start
        self.switches = switches
        self.clock = Clock()
        self.requests: Counter[str] = Counter()
        self.searches: list[Search] = []
        self.posts_ended = 0  # results that were posted, lost on purpose, or given up
        self._reserved = Decimal(0)
        self._second: tuple[int, int] = (0, 0)
        self._lock = threading.RLock()

    def admit(self, key: str | None) -> None:
        """Check the key and the rate.

        Raises:
            ProntoRefused: the request is not answered.
        """
        if key not in self.keys:
            raise ProntoRefused(401, "Unauthorized")
        with self._lock:
            now = int(self.clock.now().timestamp())
            second, count = self._second
            self._second = (now, count + 1 if second == now else 1)
            if self._second[1] > self.switches.requests_per_second:
                raise ProntoRefused(429, "Too many requests", retry_after=1)

    def start_bulk(self, body: Mapping[str, Any]) -> str:
        """Accept a bulk request; give its id.

        Raises:
            ProntoRefused: nothing is looked for.
        """
        contacts = body.get("contacts")
        if not isinstance(contacts, list):
            raise ProntoRefused(422, "contacts must be a list")
        items = cast("list[Any]", contacts)
        if not LEAST <= len(items) <= MOST:
            raise ProntoRefused(422, f"contacts must hold {LEAST} to {MOST} items")
        return self._start(items, body)

    def start_single(self, body: Mapping[str, Any]) -> str:
        """Accept a request for one contact; give its id.

        Raises:
            ProntoRefused: nothing is looked for.
        """
        return self._start([body], body)

    def result(self, enrichment_id: str) -> dict[str, Any]:
        """Return the state of a single search.

        Raises:
            ProntoRefused: there is none of this id; bulk requests cannot be asked for.
        """
        with self._lock:
            found = [search for search in self.searches if search.enrichment_id == enrichment_id]
            if len(found) != 1:
                raise ProntoRefused(404, "Not found")
            if found[0].ready_at > self.clock.now():
                return {"enrichment_id": enrichment_id, "status": "pending"}
            return self._found(found[0])

    def due(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return addresses and bodies of the results to post now; each is returned once."""
        with self._lock:
            now = self.clock.now()
            for search in self.searches:
                if search.delivered or search.ready_at > now:
                    continue
                search.delivered = True
                self._bill(search)
                if search.webhook_url is not None:
                    yield search.webhook_url, self._found(search)

    def _start(self, contacts: list[Any], body: Mapping[str, Any]) -> str:
        switches = self.switches
        if switches.refusal:
            raise ProntoRefused(422, switches.refusal)
        kind = _kind(body.get("enrichment_type"))
        if kind == "personal_email" and not switches.consent:
            raise ProntoRefused(
                422,
                "You can't use the personal email enrichment feature without consenting with our "
                "terms of use",
            )
        for contact in contacts:
            _check(contact, kind)
        cost = Decimal(switches.prices[kind]) * len(contacts)
        with self._lock:
            if self.balance - self._reserved < cost:
                raise ProntoRefused(422, "Insufficient enrichment credits")
            self._reserved += cost
            enrichment_id = str(uuid.uuid4())
            for contact in contacts:
                share = 0.5 + _percent(contact, "seconds") / 100
                ready_at = self.clock.now() + timedelta(seconds=switches.seconds * share)
                url = body.get("webhook_url")
                self.searches.append(Search(enrichment_id, kind, contact, url, ready_at))
        return enrichment_id

    def _bill(self, search: Search) -> None:
        price = Decimal(self.switches.prices[search.kind])
        self._reserved -= price
        if _percent(search.contact, search.kind) < FOUND[search.kind]:
            self.balance -= price

    def _found(self, search: Search) -> dict[str, Any]:
        contact, kind = search.contact, search.kind
        number = _percent(contact, kind)
        found, lesser = number < FOUND[kind], number < LESSER
        first, last = contact["firstname"].lower(), contact["lastname"].lower()
        place = contact.get("domain") or "example.com"
        phones = [f"+3361234{number:04d}"] if found and kind == "phone" else []
        work = found and kind == "email"
        private = found and kind == "personal_email"
        result: dict[str, Any] = {
            "enrichment_id": search.enrichment_id,
            "first_name": contact["firstname"],
            "last_name": contact["lastname"],
            "status": "success" if self.switches.shape == "synchronous" else "finished",
            "email": f"{first}.{last}@{place}" if work else None,
            "email_status": ("catch-all" if lesser else "deliverable") if work else "N/A",
            "personal_email": f"{first}.{last}@mail.example" if private else None,
            "personal_email_status": ("invalid" if lesser else "valid") if private else "N/A",
            "custom": contact.get("custom"),
        }
        match self.switches.shape:
            case "documented":
                result["phone"] = phones
            case "synchronous":
                result["phones"] = phones
            case "phone_objects":
                result["phones"] = [{"number": phone, "type": "mobile"} for phone in phones]
        return result


def _kind(value: Any) -> str:  # noqa: ANN401 - whatever was sent
    kinds = cast("list[Any]", value) if isinstance(value, list) else []
    if len(kinds) != 1 or kinds[0] not in TYPES:
        raise ProntoRefused(422, f"enrichment_type must hold one of {', '.join(TYPES)}")
    return str(kinds[0])


def _check(contact: Any, kind: str) -> None:  # noqa: ANN401 - whatever was sent
    if not isinstance(contact, dict):
        raise ProntoRefused(422, "a contact must be an object")
    given = cast("dict[str, Any]", contact)
    for name in ("firstname", "lastname"):
        if not isinstance(given.get(name), str) or not given[name].strip():
            raise ProntoRefused(422, f"{name} is missing")
    if kind == "email" and not (given.get("domain") or given.get("company_name")):
        raise ProntoRefused(422, "domain or company_name is missing")
    if kind != "email" and not given.get("linkedin_url"):
        raise ProntoRefused(422, "linkedin_url is missing")


def _percent(contact: Mapping[str, Any], what: str) -> int:
    """Return a number from 0 to 99 that depends on the name and on `what`."""
    name = f"{what}:{contact['firstname']}:{contact['lastname']}".lower()
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % 100
