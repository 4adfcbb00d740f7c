"""The ledger's tables. Column types that SQLite lacks (UTC times, exact credits) are made here."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

# A ledger of another version is upgraded by `migrations`, which says how to change this file.
VERSION = 5


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC. SQLite drops time zones, so what comes back gets it again."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone: it would be a different moment on another machine."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the ledger keeps times with a time zone only")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the zone back."""
        del dialect
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC)


class Credits(TypeDecorator[Decimal]):
    """Credits, exact: whole ten-thousandths, because SQLite would keep a decimal as a float."""

    impl = sa.BigInteger
    cache_ok = True
    scale = Decimal(10_000)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Convert credits to ten-thousandths."""
        del dialect
        return None if value is None else int((value * self.scale).to_integral_value())

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:  # noqa: ANN401
        """Convert ten-thousandths to credits."""
        del dialect
        return None if value is None else Decimal(int(value)) / self.scale


metadata = sa.MetaData()

info = sa.Table(
    "ledger_info",
    metadata,
    sa.Column("version", sa.Integer, nullable=False),
)

submissions = sa.Table(
    "submissions",
    metadata,
    sa.Column("submission_id", sa.String(32), primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("vendor", sa.String, nullable=False),
    sa.Column("operation", sa.String, nullable=False),
    sa.Column("product", sa.String, nullable=False),  # which of the requests that serve it
    sa.Column("takes_slot", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("identifier_type", sa.String(16), nullable=False),
    sa.Column(
        "field_set", sa.String, nullable=False
    ),  # the fields to ask for, sorted, comma-joined
    # The fields that its people count as asked for: with those that the account may not have.
    sa.Column("covers", sa.String, nullable=False),
    sa.Column("identifier_count", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),  # lower goes first
    sa.Column("first_partition", sa.Date, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("parent_submission_id", sa.String(32)),
    sa.Column(
        "root_submission_id", sa.String(32), nullable=False
    ),  # the first of a line of re-plans
    sa.Column("credits_reserved", Credits, nullable=False),
    sa.Column("credits_computed", Credits),
    sa.Column("credits_reported", Credits),
    # Given up for another one, though it may be running and billed: its worst case counts on.
    sa.Column("perhaps_billed", sa.Boolean, nullable=False, default=False),
    sa.Column("batch_id", sa.String),
    sa.Column("entity", sa.String),
    sa.Column("action", sa.String),
    sa.Column("adopted", sa.Boolean, nullable=False, default=False),
    sa.Column("owner", sa.String),  # the process that holds the intent, or lands the file
    sa.Column("taken_at", UtcDateTime),  # when it took up the landing
    sa.Column("run_id", sa.String),  # that planned it; limits per run go by it
    sa.Column("submit_run_id", sa.String),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("intent_at", UtcDateTime),
    sa.Column("submitted_at", UtcDateTime),
    sa.Column("vendor_created_at", UtcDateTime),
    sa.Column("vendor_completed_at", UtcDateTime),
    sa.Column("completed_at", UtcDateTime),  # when we saw it
    sa.Column("landed_at", UtcDateTime),
    sa.Column("loaded_at", UtcDateTime),
    sa.Column("not_before", UtcDateTime, nullable=False),  # next submit, poll or landing
    sa.Column("tries", sa.Integer, nullable=False, default=0),  # of the step it is at
    sa.Column("missing_since", UtcDateTime),  # the vendor says that it knows no such job
    sa.Column("dead_links", sa.Integer, nullable=False, default=0),  # found one after the other
    sa.Column("result_count", sa.Integer),
    sa.Column("entities_requested", sa.Integer),
    sa.Column("entities_fulfilled", sa.Integer),
    sa.Column("source_file", sa.String),  # below the raw folder
    sa.Column("file_sha256", sa.String(64)),
    sa.Column("file_bytes", sa.BigInteger),
    sa.Column("kept_at", UtcDateTime),  # when that file was kept; null: it is still to be fetched
    # Of the last file that failed its checks: if the next is the same, it is taken as it is.
    sa.Column("refused_sha256", sa.String(64)),
    sa.Column("file_lines", sa.Integer),
    sa.Column("error", sa.String),  # for people; bounded, without personal data
    sa.UniqueConstraint("account", "batch_id", name="one_submission_per_vendor_job"),
)
sa.Index(
    "submissions_by_state", submissions.c.account, submissions.c.state, submissions.c.not_before
)
sa.Index("submissions_by_root", submissions.c.root_submission_id)
sa.Index(
    "submissions_by_end", submissions.c.account, submissions.c.product, submissions.c.completed_at
)

identifiers = sa.Table(
    "identifiers",
    metadata,
    sa.Column("submission_id", sa.String(32), primary_key=True),
    sa.Column("subject_key", sa.String, primary_key=True),
    sa.Column("identifier", sa.String, nullable=False),  # as sent
    sa.Column("partition_date", sa.Date, nullable=False),  # the day that asked for it first
    sa.Column("answer", sa.String(16)),
    sa.Column("person_id", sa.BigInteger),
    sa.Column("source_line", sa.Integer),
    sa.Column("credits", Credits),
    # identify: whose profile it is; others ask for this person from then on
    sa.Column("resolved_key", sa.String),
    # billable items that came without having been asked for, comma-joined
    sa.Column("unrequested", sa.String),
)

sa.Index("identifiers_by_day", identifiers.c.partition_date)

# A set of fields takes a kilobyte, and a claim is kept for every person: so they are numbered.
field_sets = sa.Table(
    "field_sets",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("fields", sa.String, nullable=False, unique=True),  # sorted, comma-joined
)

# Who owns a purchase: the memory that keeps anyone from buying it again.
claims = sa.Table(
    "claims",
    metadata,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("operation", sa.String, primary_key=True),
    sa.Column("subject_key", sa.String, primary_key=True),
    sa.Column("field_set_id", sa.Integer, primary_key=True),
    sa.Column("submission_id", sa.String(32), nullable=False),
    sa.Column("answer", sa.String(16)),  # null: planned or in flight
    sa.Column("answered_at", UtcDateTime),
)
sa.Index("claims_by_submission", claims.c.submission_id)

# People who are never asked for, and left out of all tables.
suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("subject_key", sa.String, primary_key=True),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

rows = sa.Table(
    "rows",
    metadata,
    sa.Column("partition_date", sa.Date, primary_key=True),
    sa.Column("operation", sa.String, primary_key=True),
    sa.Column("row_id", sa.String, primary_key=True),
    sa.Column("subject_key", sa.String),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("submission_id", sa.String(32)),
    sa.Column("detail", sa.String),
)
sa.Index("rows_by_submission", rows.c.submission_id)
sa.Index("rows_by_verdict", rows.c.verdict, rows.c.operation, rows.c.partition_date)

days = sa.Table(
    "days",
    metadata,
    sa.Column("partition_date", sa.Date, primary_key=True),
    sa.Column("operation", sa.String, primary_key=True),
    sa.Column("planned_at", UtcDateTime, nullable=False),
    sa.Column("input_rows", sa.Integer, nullable=False),
    # Raised whenever the day's tables would come out different; the others follow it.
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("flattened_version", sa.Integer, nullable=False, default=0),
    sa.Column("flattened_at", UtcDateTime),
    sa.Column("loaded_version", sa.Integer, nullable=False, default=0),
    sa.Column("load_requests", sa.Integer, nullable=False, default=0),
    sa.Column("load_requested_at", UtcDateTime),
    # Why its tables could not be written; for people, without personal data. Null: they could.
    sa.Column("load_error", sa.String),
)

# Which days wait for a batch: those that bought through it and those that reuse it.
submission_days = sa.Table(
    "submission_days",
    metadata,
    sa.Column("submission_id", sa.String(32), primary_key=True),
    sa.Column("partition_date", sa.Date, primary_key=True),
    sa.Column("operation", sa.String, primary_key=True),
)
sa.Index("submission_days_by_day", submission_days.c.partition_date, submission_days.c.operation)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("submission_id", sa.String(32), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("from_state", sa.String(16)),
    sa.Column("to_state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String),
)
sa.Index("transitions_by_submission", transitions.c.submission_id)

# Why an account must wait before its next submit.
pauses = sa.Table(
    "pauses",
    metadata,
    sa.Column("account", sa.String, primary_key=True),
    # Batches, and synchronous requests, wait each for themselves: their limits are not the same.
    sa.Column("takes_slot", sa.Boolean, primary_key=True),
    sa.Column("until", UtcDateTime, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("detail", sa.String, nullable=False),
)

denied_fields = sa.Table(
    "denied_fields",
    metadata,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("operation", sa.String, primary_key=True),
    sa.Column("field", sa.String, primary_key=True),
    sa.Column("seen_at", UtcDateTime, nullable=False),
)

# Vendor jobs adopted for a submit that turned out not to be its own; another submit may have them.
foreign_jobs = sa.Table(
    "foreign_jobs",
    metadata,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("batch_id", sa.String, primary_key=True),
    sa.Column("submission_id", sa.String(32), primary_key=True),
    sa.Column("seen_at", UtcDateTime, nullable=False),
)

# Addresses given to vendors, one for each submit. Who knows the token may deliver for that batch.
hooks = sa.Table(
    "hooks",
    metadata,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("submission_id", sa.String(32), nullable=False),
    sa.Column("issued_at", UtcDateTime, nullable=False),
)
sa.Index("hooks_by_submission", hooks.c.submission_id)

# What came in through them, as received.
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("submission_id", sa.String(32), nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("body_sha256", sa.String(64), nullable=False),
    sa.UniqueConstraint("submission_id", "body_sha256", name="a_delivery_is_kept_once"),
)

# Which raw folder and which lake the purchases of an account are kept in. Each folder holds the
# same id in a file, so that neither is used with another ledger, nor a second one with this one.
stores = sa.Table(
    "stores",
    metadata,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("place", sa.String(8), primary_key=True),  # raw or lake
    sa.Column("store_id", sa.String(32), nullable=False),
    sa.Column("path", sa.String, nullable=False),  # where it was when it was last used
)

# Batches that lie in a raw folder or lake and are not in this ledger, as somebody has accepted.
set_aside = sa.Table(
    "set_aside",
    metadata,
    sa.Column("submission_id", sa.String(32), primary_key=True),
)
