"""The tables that vendor files do not fill: the input, and what ledger and checks say about it."""

from typing import Final

from crust_pipeline.tables.spec import Column, Table
from crust_pipeline.tables.specs.common import (
    LINEAGE,
    PARTITION_DATE,
    PROFILE_KEY,
    RUN,
    SUBMISSION,
)

_ROW_ID: Final = Column(
    "row_id", "VARCHAR", "Id of the input row; the same whenever it is read again."
)
_OPERATION: Final = Column(
    "operation", "VARCHAR", "identify, contact, enrich, or bulk_contact (Pronto) and its like."
)
_CREDITS: Final = (
    Column(
        "credits_reserved", "DECIMAL(18,4)", "Credits set aside before submitting: the worst case."
    ),
    Column(
        "credits_computed", "DECIMAL(18,4)", "Credits for what was delivered, by our price list."
    ),
    Column("credits_reported", "DECIMAL(18,4)", "Credits the vendor says it took."),
)

PROFILE_URLS: Final = Table(
    name="profile_urls",
    one_row_per="input row",
    order=("profile_key", "row_id"),
    columns=(
        PARTITION_DATE,
        _ROW_ID,
        Column("profile_url", "VARCHAR", "Profile URL as given."),
        Column(
            "profile_key",
            "VARCHAR",
            "Canonical key of the row's identifier; null when it names nobody.",
        ),
        Column("business_email", "VARCHAR", "Business e-mail address as given."),
        Column("first_name", "VARCHAR", "First name as given."),
        Column("last_name", "VARCHAR", "Last name as given."),
        Column("company_name", "VARCHAR", "Employer as given."),
        Column("company_domain", "VARCHAR", "The employer's domain as given."),
        Column("external_id", "VARCHAR", "The row's id in the system it comes from."),
        Column("source", "VARCHAR", "Where the row comes from, as given."),
        Column("added_on", "DATE", "The day the row was added; its partition."),
        Column("extra", "JSON", "All other columns of the input, untouched."),
    ),
)

OUTCOMES: Final = Table(
    name="outcomes",
    one_row_per="input row and operation",
    order=("profile_key", "row_id", "operation"),
    columns=(
        PARTITION_DATE,
        _ROW_ID,
        _OPERATION,
        PROFILE_KEY,
        Column(
            "outcome",
            "VARCHAR",
            "What became of the row, such as matched, not_found, reused or invalid_input.",
        ),
        *SUBMISSION,
        Column("detail", "VARCHAR", "Why, where the outcome alone does not say."),
        *RUN,
    ),
)

BATCHES: Final = Table(
    name="batches",
    one_row_per="batch and partition it has identifiers of",
    order=("submission_id",),
    columns=(
        *SUBMISSION,
        Column("vendor", "VARCHAR", "crustdata or pronto."),
        Column("account", "VARCHAR", "The account it was bought with."),
        _OPERATION,
        Column("state", "VARCHAR", "Where the batch is in its life."),
        Column("action", "VARCHAR", "What the vendor calls the job."),
        Column("identifier_type", "VARCHAR", "Profile URLs or e-mail addresses."),
        Column("fields", "VARCHAR[]", "The field groups asked for."),
        Column(
            "fields_not_permitted",
            "VARCHAR[]",
            "Those left out, because the account may not have them.",
        ),
        Column("priority", "INTEGER", "Order among planned batches."),
        Column("attempt", "INTEGER", "Which try this is, from 1."),
        Column("parent_submission_id", "VARCHAR", "The batch that this one repeats or splits."),
        Column("identifier_count", "BIGINT", "Identifiers in the batch."),
        Column("result_count", "BIGINT", "Lines in the vendor's file, as the vendor says."),
        Column("entities_requested", "BIGINT", "Identifiers asked for, as the vendor says."),
        Column("entities_fulfilled", "BIGINT", "Identifiers delivered, as the vendor says."),
        *_CREDITS,
        Column("created_at", "TIMESTAMPTZ", "When it was planned (UTC)."),
        Column("submitted_at", "TIMESTAMPTZ", "When it was sent (UTC)."),
        Column("vendor_created_at", "TIMESTAMPTZ", "When the vendor accepted it (UTC)."),
        Column("vendor_completed_at", "TIMESTAMPTZ", "When the vendor finished it (UTC)."),
        Column("landed_at", "TIMESTAMPTZ", "When its file was safe on our side (UTC)."),
        Column("source_file", "VARCHAR", "Its landed file."),
        Column("file_sha256", "VARCHAR", "SHA-256 of the landed file."),
        Column("file_bytes", "BIGINT", "Bytes of the landed file."),
        Column("file_lines", "BIGINT", "Lines in the landed file."),
        Column("error", "VARCHAR", "What went wrong, when something did."),
        PARTITION_DATE,
        *RUN,
    ),
)

CREDIT_USAGE: Final = Table(
    name="credit_usage",
    one_row_per="batch and partition",
    order=("submission_id",),
    columns=(
        PARTITION_DATE,
        _OPERATION,
        Column(
            "vendor",
            "VARCHAR",
            "crustdata or pronto; credits of different vendors are different currencies.",
        ),
        *SUBMISSION,
        Column("identifiers", "BIGINT", "Identifiers of this partition in the batch."),
        Column(
            "delivered", "BIGINT", "Identifiers of this partition that something came back for."
        ),
        Column(
            "unrequested",
            "BIGINT",
            "Those of them for which a kind of contact data came that was not asked for. It is "
            "kept, and may be billed.",
        ),
        *_CREDITS,
        *RUN,
    ),
)

QUARANTINE: Final = Table(
    name="quarantine",
    one_row_per="input line, or field of one, that could not be used",
    order=("source_file", "source_line", "reason"),
    columns=(
        Column(
            "reason", "VARCHAR", "Why it could not be used; names the field where it is one field."
        ),
        Column(
            "line",
            "VARCHAR",
            "The line, or the field's value, as received; bytes that are no text are escaped.",
        ),
        Column(
            "operation", "VARCHAR", "The operation whose file it is; upstream for the input table."
        ),
        PROFILE_KEY,
        *LINEAGE,
    ),
)
