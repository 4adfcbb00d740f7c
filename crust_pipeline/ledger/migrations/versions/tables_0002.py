"""The tables as all ledgers of version 2 have them. Columns are not explained here: see git."""

from typing import Any

import sqlalchemy as sa

TABLES = sa.MetaData()


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, TABLES, *columns)


def _key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True)


def _must(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _may(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind)


TEXT, WORD, ID, SHA = sa.String(), sa.String(16), sa.String(32), sa.String(64)
NUMBER, LARGE, YES_NO = sa.Integer(), sa.BigInteger(), sa.Boolean()
DAY, TIME = sa.Date(), sa.DateTime(timezone=True)

_table("ledger_info", _must("version", NUMBER))

submissions = _table(
    "submissions",
    _key("submission_id", ID),
    _must("account", TEXT),
    _must("vendor", TEXT),
    _must("operation", TEXT),
    _must("product", TEXT),
    _must("takes_slot", YES_NO),
    _must("state", WORD),
    _must("identifier_type", WORD),
    _must("field_set", TEXT),
    _must("covers", TEXT),
    _must("identifier_count", NUMBER),
    _must("priority", NUMBER),
    _must("first_partition", DAY),
    _must("attempt", NUMBER),
    _may("parent_submission_id", ID),
    _must("root_submission_id", ID),
    _must("credits_reserved", LARGE),
    _may("credits_computed", LARGE),
    _may("credits_reported", LARGE),
    _must("perhaps_billed", YES_NO),
    _may("batch_id", TEXT),
    _may("action", TEXT),
    _must("adopted", YES_NO),
    _may("owner", TEXT),
    _may("taken_at", TIME),
    _may("run_id", TEXT),
    _may("submit_run_id", TEXT),
    _must("created_at", TIME),
    _may("intent_at", TIME),
    _may("submitted_at", TIME),
    _may("vendor_created_at", TIME),
    _may("vendor_completed_at", TIME),
    _may("completed_at", TIME),
    _may("landed_at", TIME),
    _may("loaded_at", TIME),
    _must("not_before", TIME),
    _must("tries", NUMBER),
    _may("missing_since", TIME),
    _must("dead_links", NUMBER),
    _may("result_count", NUMBER),
    _may("entities_requested", NUMBER),
    _may("entities_fulfilled", NUMBER),
    _may("source_file", TEXT),
    _may("file_sha256", SHA),
    _may("file_bytes", LARGE),
    _may("kept_at", TIME),
    _may("refused_sha256", SHA),
    _may("file_lines", NUMBER),
    _may("error", TEXT),
    sa.UniqueConstraint("account", "batch_id", name="one_submission_per_vendor_job"),
    sa.Index("submissions_by_state", "account", "state", "not_before"),
    sa.Index("submissions_by_root", "root_submission_id"),
    sa.Index("submissions_by_end", "account", "product", "completed_at"),
)

_table(
    "identifiers",
    _key("submission_id", ID),
    _key("profile_key", TEXT),
    _must("identifier", TEXT),
    _must("partition_date", DAY),
    _may("answer", WORD),
    _may("person_id", LARGE),
    _may("source_line", NUMBER),
    _may("credits", LARGE),
    _may("resolved_key", TEXT),
    _may("unrequested", TEXT),
    sa.Index("identifiers_by_day", "partition_date"),
)

field_sets = _table(
    "field_sets", _key("id", NUMBER), sa.Column("fields", TEXT, nullable=False, unique=True)
)

claims = _table(
    "claims",
    _key("account", TEXT),
    _key("operation", TEXT),
    _key("profile_key", TEXT),
    _key("field_set_id", NUMBER),
    _must("submission_id", ID),
    _may("answer", WORD),
    _may("answered_at", TIME),
    sa.Index("claims_by_submission", "submission_id"),
)

_table("suppressions", _key("profile_key", TEXT), _must("reason", TEXT), _must("at", TIME))

rows = _table(
    "rows",
    _key("partition_date", DAY),
    _key("operation", TEXT),
    _key("row_id", TEXT),
    _may("profile_key", TEXT),
    _must("verdict", WORD),
    _may("submission_id", ID),
    _may("detail", TEXT),
    sa.Index("rows_by_submission", "submission_id"),
    sa.Index("rows_by_verdict", "verdict", "operation", "partition_date"),
)

days = _table(
    "days",
    _key("partition_date", DAY),
    _key("operation", TEXT),
    _must("planned_at", TIME),
    _must("input_rows", NUMBER),
    _must("version", NUMBER),
    _must("flattened_version", NUMBER),
    _may("flattened_at", TIME),
    _must("loaded_version", NUMBER),
    _must("load_requests", NUMBER),
    _may("load_requested_at", TIME),
    _may("load_error", TEXT),
)

submission_days = _table(
    "submission_days",
    _key("submission_id", ID),
    _key("partition_date", DAY),
    _key("operation", TEXT),
    sa.Index("submission_days_by_day", "partition_date", "operation"),
)

transitions = _table(
    "transitions",
    _key("id", NUMBER),
    _must("submission_id", ID),
    _must("at", TIME),
    _may("from_state", WORD),
    _must("to_state", WORD),
    _may("reason", TEXT),
    sa.Index("transitions_by_submission", "submission_id"),
)

_table(
    "pauses",
    _key("account", TEXT),
    _key("takes_slot", YES_NO),
    _must("until", TIME),
    _must("kind", WORD),
    _must("tries", NUMBER),
    _must("detail", TEXT),
)

denied_fields = _table(
    "denied_fields",
    _key("account", TEXT),
    _key("operation", TEXT),
    _key("field", TEXT),
    _must("seen_at", TIME),
)

_table(
    "foreign_jobs",
    _key("account", TEXT),
    _key("batch_id", TEXT),
    _key("submission_id", ID),
    _must("seen_at", TIME),
)

_table(
    "hooks",
    _key("token_sha256", SHA),
    _must("submission_id", ID),
    _must("issued_at", TIME),
    sa.Index("hooks_by_submission", "submission_id"),
)

_table(
    "deliveries",
    _key("id", NUMBER),
    _must("submission_id", ID),
    _must("received_at", TIME),
    _must("body", sa.LargeBinary()),
    _must("body_sha256", SHA),
    sa.UniqueConstraint("submission_id", "body_sha256", name="a_delivery_is_kept_once"),
)
