"""Pronto as a vendor of jobs: what its webhooks deliver is the file of a job.

It has no status and no file of its own for a bulk request. A job has ended when everybody in it
has been delivered, or when its deadline has passed; its file is what was delivered, as received. A
single search can be asked for, and is.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from crust_pipeline.keys import KeyKind
from crust_pipeline.ledger import inbox
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger.inbox import Awaited
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.private_files import open_private
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.known import KnownPerson
from crust_pipeline.vendors.models import (
    Accepted,
    Answers,
    Downloaded,
    EndpointAccess,
    Job,
    JobPage,
    JobStatus,
)
from crust_pipeline.vendors.parsing import object_or_empty, text
from crust_pipeline.vendors.product import Product
from crust_pipeline.vendors.pronto.client import EnrichmentType, ProntoClient
from crust_pipeline.vendors.pronto.lines import RESULT


@dataclass(frozen=True, slots=True, kw_only=True)
class ProntoJobs:
    """The client of an account, over Pronto's API and the inbox's deliveries.

    Attributes:
        ledger: the account's ledger.
        client: speaks to the vendor.
        known: what is known of people, by key.
        phone_countries: where phone numbers are wanted from; () for the account's own list.
        deadline: how long a job is waited for.
        clock: the present time.
    """

    ledger: Ledger
    client: ProntoClient
    known: Callable[[Sequence[str]], Mapping[str, KnownPerson]]
    phone_countries: tuple[str, ...]
    deadline: timedelta
    clock: Callable[[], datetime]

    @property
    def reads_per_minute(self) -> int | None:
        """Nothing is known of a limit on reads; 50 requests a second are allowed on others."""
        return None

    def credits(self) -> Decimal | None:
        """Return the account's balance, None if the vendor does not say.

        Raises:
            VendorError: as for every free read.
        """
        return self.client.credits()

    def endpoints(self) -> tuple[EndpointAccess, ...]:
        """Nothing can be asked of what the account may call."""
        return ()

    def submit(
        self,
        product: Product,
        *,
        identifier_type: KeyKind,
        identifiers: Sequence[str],
        fields: Sequence[str] = (),
        webhook_url: str | None = None,
    ) -> Accepted:
        """Submit one batch, once.

        Raises:
            InvalidRequest: of somebody too little is known; nothing was sent.
            NotSent: nothing reached the vendor.
            MaybeStarted: it may be running and billed.
            VendorError: the class for the vendor's refusal; nothing started.
        """
        del identifier_type  # the opaque keys are of one kind
        (field,) = fields
        kind = EnrichmentType.of(field)
        keys = inbox.being_submitted(self.ledger, identifiers)
        known = self.known([keys[identifier] for identifier in identifiers])
        found = [known.get(keys[identifier]) for identifier in identifiers]
        contacts = [
            person for person in found if person and not (product.lacks and product.lacks(person))
        ]
        if len(contacts) < len(identifiers):
            raise errors.InvalidRequest(
                f"Of {len(identifiers) - len(contacts)} of {len(identifiers)} people too little is "
                "known to look for them"
            )
        if product.least > 1:
            if webhook_url is None:
                raise errors.InvalidRequest("Without CRUST_INBOX_URL no bulk result can arrive")
            batch_id = self.client.bulk_enrich(
                contacts,
                kind=kind,
                webhook_url=webhook_url,
                phone_countries=self.phone_countries,
            )
        else:
            batch_id = self.client.single_enrich(
                contacts[0],
                kind=kind,
                webhook_url=webhook_url,
                phone_countries=self.phone_countries,
            )
        return Accepted(
            batch_id=batch_id,
            status=JobStatus.PENDING,
            entity=None,
            action=None,
            identifier_count=len(identifiers),
            entities_requested=None,
            credits_used=None,
            request_id=None,
        )

    def answer_at_once(
        self,
        product: Product,
        *,
        identifier_type: KeyKind,
        identifiers: Sequence[str],
        fields: Sequence[str],
    ) -> Answers:
        """Refuse: nothing here answers at once."""
        del identifier_type, identifiers, fields
        raise ValueError(f"{product.name} is no synchronous product.")

    def charged_since(self, day: date) -> Decimal | None:
        """Return None: the vendor has no report of what it charged."""
        del day
        return None

    def job(self, batch_id: str) -> Job:
        """Say how a job is doing. Free; only single searches are asked for.

        Raises:
            NotFound: no job of ours has the id.
            VendorError: as for every free read.
        """
        awaited = self._awaited(batch_id)
        answered = {key for key, _ in self._results(awaited) if key is not None}
        over = self.clock() - awaited.submitted_at > self.deadline
        ended = over or answered >= set(awaited.identifiers)
        return _job(awaited, JobStatus.COMPLETED if ended else JobStatus.PROCESSING)

    def jobs(self, *, limit: int = 100, cursor: str | None = None) -> JobPage:
        """List the jobs that nobody saw start and that have delivered something since."""
        del limit, cursor  # there is one page of them
        started: list[Job] = []
        for submit in ledger_poll.unknown_submits(self.ledger):
            awaited = inbox.awaited(self.ledger, submission_id=submit.submission_id)
            if awaited and any(key for key, _ in _deliveries(self.ledger, awaited)):
                started.append(_job(awaited, JobStatus.PROCESSING))
        return JobPage(jobs=tuple(started), next_cursor=None, has_more=False, server_time=None)

    def download(self, url: str, to: Path, *, take_what_comes: bool = False) -> Downloaded:
        """Write what has been delivered for a job to `to`, answers first, each in a line.

        Raises:
            NotFound: no job of ours has the id in `url`.
            VendorError: as for every free read.
            OSError: the file cannot be written.
        """
        del take_what_comes  # nothing can come broken
        results = list(self._results(self._awaited(url)))
        lines = [line for key, line in results if key] + [line for key, line in results if not key]
        content = gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
        unfinished = to.with_suffix(".unfinished")
        with open_private(unfinished) as file:
            file.write(content)
        unfinished.replace(to)
        return Downloaded(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    def _awaited(self, batch_id: str) -> Awaited:
        awaited = inbox.awaited(self.ledger, batch_id=batch_id)
        if awaited is None:
            raise errors.NotFound("No batch of ours has this job")
        return awaited

    def _results(self, awaited: Awaited) -> Iterator[tuple[str | None, bytes]]:
        """Return what has come, as received, with whom in the batch it is an answer about."""
        if awaited.can_be_asked:
            body = self.client.contact(awaited.batch_id or "").response.content
            key = _answered(body, awaited)
            if key is not None:  # a search that has not ended says nothing
                yield key, _one_line(body)
        else:
            yield from _deliveries(self.ledger, awaited)


def _deliveries(ledger: Ledger, awaited: Awaited) -> Iterator[tuple[str | None, bytes]]:
    for body in inbox.delivered(ledger, awaited.submission_id):
        yield _answered(body, awaited), _one_line(body)


def _answered(body: bytes, awaited: Awaited) -> str | None:
    """Return whom in a batch a search has ended for, with or without a result."""
    try:
        key = RESULT.read(body).identifier
        # The synchronous endpoint says `success` where the asynchronous one says `finished`.
        status = text(object_or_empty(json.loads(body)).get("status")) or ""
    except Exception:
        return None
    ended = status.lower() not in {"pending", "processing"}
    return key if ended and key in awaited.identifiers else None


def _one_line(body: bytes) -> bytes:
    """Return a body as it came; on one line, where it came on several or is no JSON at all."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return json.dumps(body.decode(errors="replace")).encode()
    if b"\n" in body or b"\r" in body:
        return json.dumps(document, ensure_ascii=False).encode()
    return body


def _job(awaited: Awaited, status: JobStatus) -> Job:
    # A submit whose answer was lost never learns what the vendor calls it.
    batch_id = awaited.batch_id or f"delivered-{awaited.submission_id}"
    return Job(
        batch_id=batch_id,
        status=status,
        raw_status=status.value,
        action=None,
        entity=None,
        identifier_count=len(awaited.identifiers),
        result_count=None,
        entities_requested=None,
        entities_fulfilled=None,
        created_at=awaited.submitted_at,
        completed_at=None,
        download_url=batch_id if status is JobStatus.COMPLETED else None,
        download_urls=(),
        error_message=None,
    )
