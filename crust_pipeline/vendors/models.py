"""What the vendor answers, as frozen records. `parsing` reads the single values."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from crust_pipeline.vendors.masking import masked
from crust_pipeline.vendors.parsing import (
    as_object,
    moment,
    number,
    object_or_empty,
    text,
    texts,
    whole_number,
)


class JobStatus(StrEnum):
    """What the vendor says of a job."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Tell whether the job has ended and its slot is free."""
        return self in {JobStatus.COMPLETED, JobStatus.FAILED}

    @classmethod
    def of(cls, word: str) -> "JobStatus":
        """Read the vendor's word; an unknown one counts as processing, which frees no slot."""
        try:
            return cls(word.strip().lower())
        except ValueError:
            return cls.PROCESSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A submitted job as the vendor confirmed it.

    Attributes:
        identifier_count: how many identifiers the vendor took.
        credits_used: what the response header says was charged, usually nothing yet.
        request_id: the key into the vendor's usage report.
    """

    batch_id: str
    status: JobStatus
    entity: str | None
    action: str | None
    identifier_count: int | None
    entities_requested: int | None
    credits_used: Decimal | None
    request_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as GET /batch and GET /batch/{batch_id} describe it. Times are in UTC.

    Attributes:
        raw_status: the vendor's own word for the status.
        result_count: records so far; when completed, lines in the file.
        download_url: the whole file. With `result_count` 0 it may lead nowhere.
        download_urls: the same rows again, in parts.
        error_message: the vendor's reason for a failure, masked, at most 300 characters.
    """

    batch_id: str
    status: JobStatus
    raw_status: str
    action: str | None
    entity: str | None
    identifier_count: int | None
    result_count: int | None
    entities_requested: int | None
    entities_fulfilled: int | None
    created_at: datetime | None
    completed_at: datetime | None
    # Links are signed: anyone who sees one can read the people in the file.
    download_url: str | None = field(repr=False)
    download_urls: tuple[str, ...] = field(repr=False)
    error_message: str | None

    @classmethod
    def read(cls, document: Any) -> Self:  # noqa: ANN401 - whatever the vendor sent
        """Read a job.

        Raises:
            ValueError: it is not an object with a batch id and a status.
        """
        job = as_object(document)
        batch_id, status = text(job.get("batch_id")), text(job.get("status"))
        if batch_id is None or status is None:
            raise ValueError("a job without batch_id or status")
        error_message = text(job.get("error_message"))
        return cls(
            batch_id=batch_id,
            status=JobStatus.of(status),
            raw_status=masked(status),
            action=text(job.get("action")),
            entity=text(job.get("entity")),
            identifier_count=whole_number(job.get("identifier_count")),
            result_count=whole_number(job.get("result_count")),
            entities_requested=whole_number(job.get("entities_requested")),
            entities_fulfilled=whole_number(job.get("entities_fulfilled")),
            created_at=moment(job.get("created_at")),
            completed_at=moment(job.get("completed_at")),
            download_url=text(job.get("download_url")),
            download_urls=texts(job.get("download_urls")),
            error_message=error_message and masked(error_message),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """One page of the account's jobs, newest first.

    Attributes:
        next_cursor: what to ask the next page with, None on the last.
        server_time: the vendor's clock, to compare `created_at` with; None if it does not say.
    """

    jobs: tuple[Job, ...]
    next_cursor: str | None
    has_more: bool
    server_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAccess:
    """What the account may do with one endpoint.

    Attributes:
        status: the vendor's word, `enabled` or another; "" if it gives none.
        rpm: requests a minute, None if the vendor does not say.
    """

    path: str
    status: str
    rpm: float | None
    enabled_fields: tuple[str, ...]
    disabled_fields: tuple[str, ...]

    @property
    def is_refused(self) -> bool:
        """Tell whether a call would be refused: every word but `enabled` says so."""
        return self.status.strip().lower() not in {"", "enabled"}

    @classmethod
    def read(cls, document: Any) -> Self:  # noqa: ANN401 - whatever the vendor sent
        """Read one entry of GET /account/endpoints.

        Raises:
            ValueError: it is not an object with a path.
        """
        entry = as_object(document)
        path = text(entry.get("path"))
        if path is None:
            raise ValueError("an endpoint without path")
        fields = object_or_empty(entry.get("fields"))
        rpm = number(entry.get("effective_rate_limit_rpm"))
        return cls(
            path=path,
            status=text(entry.get("status")) or "",
            rpm=None if rpm is None else float(rpm),
            enabled_fields=texts(fields.get("enabled")),
            disabled_fields=texts(fields.get("disabled")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a synchronous call returned.

    Attributes:
        lines: the answer for each identifier as the vendor wrote it, to be landed.
        credits_used: what the response header says was charged.
    """

    lines: tuple[str, ...] = field(repr=False)
    credits_used: Decimal | None
    request_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A file that came over whole."""

    bytes: int
    sha256: str
