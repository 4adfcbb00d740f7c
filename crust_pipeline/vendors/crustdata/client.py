"""The client of the Crustdata API, version 2025-11-01: its endpoints and what they answer.

How requests are sent and repeated is in `vendors/http.py`; files come by `vendors/download.py`.
Nothing here decides what to buy or remembers what was bought.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast
from urllib.parse import quote, urlsplit

import httpx

from crust_pipeline.keys import KeyKind
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.download import Storage
from crust_pipeline.vendors.http import Api, Reply, new_client
from crust_pipeline.vendors.models import (
    Accepted,
    Answers,
    Downloaded,
    EndpointAccess,
    Job,
    JobPage,
    JobStatus,
)
from crust_pipeline.vendors.parsing import (
    Json,
    as_object,
    elements_as_written,
    number,
    object_or_empty,
    objects,
    text,
    whole_number,
)
from crust_pipeline.vendors.product import Product

BASE_URL: Final = "https://api.crustdata.com"
API_VERSION: Final = "2025-11-01"

_Shape = TypeVar("_Shape")


def _utc_now() -> datetime:
    return datetime.now(tz=UTC)


class CrustdataClient:
    """Everything the project asks of Crustdata. Safe to share between threads; close it after use.

    Paid calls (`submit`, `answer_at_once`) are sent once and never repeated here. Free reads are
    repeated a few times before they fail.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = BASE_URL,
        transport: httpx.BaseTransport | None = None,
        now: Callable[[], datetime] = _utc_now,
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
        key = _usable_key(api_key)
        if urlsplit(base_url).scheme not in {"http", "https"} or not urlsplit(base_url).hostname:
            raise ValueError("The base URL of the Crustdata API is not an http or https address.")
        user_agent = f"crust-pipeline/{version('crust-pipeline')}"
        self._http = new_client(transport, user_agent=user_agent)
        self._storage = Storage(
            api=base_url, user_agent=user_agent, transport=transport, sleep=sleep
        )
        self._api = Api(
            self._http,
            base_url=base_url,
            headers={"authorization": f"Bearer {key}", "x-api-version": API_VERSION},
            secret=key,
            now=now,
            sleep=sleep,
        )

    def __enter__(self) -> Self:
        """Use the client in a `with` block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()
        self._storage.close()

    def submit(
        self,
        product: Product,
        *,
        identifier_type: KeyKind,
        identifiers: Sequence[str],
        fields: Sequence[str] = (),
        webhook_url: str | None = None,
    ) -> Accepted:
        """Submit one batch, once. It costs credits when it completes.

        Args:
            product: what to buy.
            identifier_type: what `identifiers` are, all of them.
            identifiers: profile URLs or e-mail addresses; duplicates may be billed twice.
            fields: what to ask for, flags included; for operations without fields leave it empty.
            webhook_url: where the vendor posts when the job ends.

        Raises:
            ValueError: the request cannot be right, and was not sent.
            NotSent: nothing reached the vendor.
            MaybeStarted: a job may be running and billed.
            VendorError: the class for the vendor's refusal; no job started.
        """
        body = _body(product, identifier_type, identifiers, fields)
        if webhook_url is not None:
            body["webhook_url"] = webhook_url
        reply = self._api.pay(product.path, body)
        try:
            job = as_object(reply.document)
        except ValueError as error:
            raise self._api.unreadable_sale(reply.response) from error
        batch_id = text(job.get("batch_id"))
        if batch_id is None:
            raise self._api.unreadable_sale(reply.response)
        return Accepted(
            batch_id=batch_id,
            status=JobStatus.of(str(job.get("status", JobStatus.PENDING))),
            entity=text(job.get("entity")),
            action=text(job.get("action")),
            identifier_count=whole_number(job.get("identifier_count")),
            entities_requested=whole_number(job.get("entities_requested")),
            credits_used=reply.credits_used,
            request_id=reply.request_id,
        )

    def answer_at_once(
        self,
        product: Product,
        *,
        identifier_type: KeyKind,
        identifiers: Sequence[str],
        fields: Sequence[str],
    ) -> Answers:
        """Buy through a synchronous product, such as contact data of at most 25 people, once.

        Args:
            product: what to buy.
            identifier_type: what `identifiers` are, all of them.
            identifiers: profile URLs, or business e-mails for the reverse lookup.
            fields: `contact` or leaves of it such as `contact.business_emails`; never empty,
                because without fields the vendor sells everything. `verified` re-checks business
                e-mails now, for half a credit more a person.

        Raises:
            ValueError: the request cannot be right, and was not sent.
            NotSent: nothing reached the vendor.
            MaybeStarted: it may be billed.
            VendorError: the class for the vendor's refusal; nothing is billed.
        """
        body = _body(product, identifier_type, identifiers, fields)
        reply = self._api.pay(product.path, body)
        rows = reply.document
        # The older answer wraps the list in an object.
        if isinstance(rows, dict):
            rows = as_object(rows).get("results")
        if not isinstance(rows, list):
            raise self._api.unreadable_sale(reply.response)
        return Answers(
            lines=elements_as_written(reply.response.content, cast("list[Any]", rows)),
            credits_used=reply.credits_used,
            request_id=reply.request_id,
        )

    @property
    def reads_per_minute(self) -> int | None:
        """What the vendor allowed at the last free read; None while it has not said."""
        return self._api.reads_per_minute

    def job(self, batch_id: str) -> Job:
        """Ask how a job is doing. Its links are fresh, as far as the vendor makes fresh ones.

        Raises:
            NotFound: no job of this account has the id.
            VendorError: as for every free read.
        """
        reply = self._api.read(f"/batch/{quote(batch_id, safe='')}")
        return self._readable(reply, Job.read)

    def jobs(self, *, limit: int = 100, cursor: str | None = None) -> JobPage:
        """List the account's jobs, newest first and without links, from all its keys and programs.

        Args:
            limit: rows on a page; the vendor gives 100 at most.
            cursor: `next_cursor` of the page before.

        Raises:
            VendorError: as for every free read.
        """
        params: dict[str, str | int] = {"limit": limit}
        if cursor is not None:
            params["cursor"] = cursor
        reply = self._api.read("/batch", params)
        page = self._readable(reply, as_object)
        jobs: list[Job] = []
        for row in self._listed(reply, "jobs"):
            # A row without id or status says nothing; the page's other rows still count.
            with suppress(ValueError):
                jobs.append(Job.read(row))
        return JobPage(
            jobs=tuple(jobs),
            next_cursor=text(page.get("next_cursor")),
            has_more=page.get("has_more") is True,
            server_time=reply.server_time,
        )

    def credits(self) -> Decimal | None:
        """Return the account's balance, None if the vendor does not say.

        Raises:
            VendorError: as for every free read.
        """
        for path, group in (("/account/credits", "account"), ("/user/credits", None)):
            # The first is newer and not on every plan.
            with suppress(errors.NotFound, errors.NotPermitted, errors.InvalidRequest):
                reply = self._api.read(path)
                balance = object_or_empty(reply.document)
                if group is not None:
                    balance = object_or_empty(balance.get(group))
                if (amount := number(balance.get("credits"))) is not None:
                    return amount
        return None

    def endpoints(self, path: str | None = None) -> tuple[EndpointAccess, ...]:
        """List what the account may call, and with which fields; () when nothing matches.

        Args:
            path: only this endpoint, such as `/person/contact/enrich`.

        Raises:
            VendorError: as for every free read.
        """
        reply = self._api.read("/account/endpoints", None if path is None else {"path": path})
        access: list[EndpointAccess] = []
        for row in self._listed(reply, "endpoints"):
            # As with jobs: one row that says nothing does not hide the others.
            with suppress(ValueError):
                access.append(EndpointAccess.read(row))
        return tuple(access)

    def usage_events(self, *, limit: int = 500) -> Iterator[Json]:
        """Go through the account's requests and what each was charged, newest first.

        An event has `event_id` (the request id), `ts` and `credits_used` among others. One appears
        about 10 seconds after its response.

        Args:
            limit: events asked for at a time, at most 500; all pages are gone through.

        Raises:
            VendorError: as for every free read.
        """
        params: dict[str, str | int] = {"limit": limit}
        while True:
            reply = self._api.read("/account/usage/events", params)
            page = self._readable(reply, as_object)
            yield from self._listed(reply, "events")
            cursor = page.get("next_cursor")
            if not page.get("has_more") or not cursor or cursor == params.get("cursor"):
                return
            params["cursor"] = str(cursor)

    def charged_since(self, day: date) -> Decimal | None:
        """Return what the usage report adds up to since a day (UTC).

        Raises:
            VendorError: as for every free read.
        """
        charged = Decimal(0)
        for event in self.usage_events():  # newest first
            if datetime.fromisoformat(str(event["ts"])).astimezone(UTC).date() < day:
                break
            charged += Decimal(str(event.get("credits_used") or 0))
        return charged

    def download(self, url: str, to: Path, *, take_what_comes: bool = False) -> Downloaded:
        """Bring a result file to `to`; it appears there whole or not at all. Free.

        Args:
            url: the signed link.
            to: where the file belongs.
            take_what_comes: keep the beginning of a file that breaks off again and again.

        Raises:
            LinkDead: the storage does not serve the link; ask for the job again.
            TargetRefused: the link leads to where downloads do not go.
            OutOfBounds: the file is larger than any that was bought, or does not end.
            DownloadBroken: the file did not come over whole.
            Unavailable: the storage cannot be reached or fails.
            OSError: the file cannot be written.
        """
        return self._storage.download(url, to, take_what_comes=take_what_comes)

    def _readable(self, reply: Reply, read: Callable[[Any], _Shape]) -> _Shape:
        try:
            return read(reply.document)
        except ValueError as error:
            raise self._api.unreadable(reply.response) from error

    def _listed(self, reply: Reply, key: str) -> tuple[Json, ...]:
        """Return the objects of a list in the answer; a list alone is taken as it is."""
        rows = reply.document
        if not isinstance(rows, list):
            rows = self._readable(reply, as_object).get(key)
        if not isinstance(rows, list):
            raise self._api.unreadable(reply.response)
        return objects(rows)


def _body(
    product: Product,
    identifier_type: KeyKind,
    identifiers: Sequence[str],
    fields: Sequence[str],
) -> dict[str, Any]:
    """Build a paid request, or refuse one that would be a 400 or would buy too much."""
    key = product.identifier_keys.get(identifier_type)
    if key is None:
        raise ValueError(f"{product.name} at {product.path} takes no {identifier_type}.")
    if not 1 <= len(identifiers) <= product.cap:
        raise ValueError(
            f"{product.name} takes 1 to {product.cap} identifiers, not {len(identifiers)}."
        )
    named = [name for name in fields if name not in product.flags]
    if product.needs_fields and not named:
        raise ValueError(f"{product.name} needs fields: {', '.join(product.known_fields)}.")
    if fields and not product.known_fields:
        raise ValueError(f"{product.name} takes no fields.")
    # Always lists: in the other form, one comma-separated string, a comma in a name would split it.
    body: dict[str, Any] = {key: list(identifiers)}
    if identifier_type == "company_id":  # the vendor takes ids as numbers
        body[key] = [int(identifier) for identifier in identifiers]
    if named:
        body["fields"] = named
    body |= {flag: True for flag in product.flags if flag in fields}
    return body


def _usable_key(api_key: str) -> str:
    key = api_key.strip()
    if not key:
        raise ValueError("The Crustdata API key is empty.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError(
            "The Crustdata API key holds a space, a control character or a letter outside ASCII; "
            "give the key alone, without 'Bearer' or quotes."
        )
    return key
