"""What is checked of tables and ledger, as questions with numbers for an answer; no Dagster.

`defs/checks.py` says which of them belongs to which asset and which of them stop a run.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from crust_pipeline.app.installation import Installation
from crust_pipeline.buying.land import LINK_LIVES
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.outcomes import ROWS_ANSWERED, ROWS_FOUND
from crust_pipeline.tables.flatten.files import FileReport
from crust_pipeline.tables.spec import Table
from crust_pipeline.vendors.catalog import OPERATIONS

# With what days are compared: the four weeks before them, so that every weekday counts alike.
TRAILING_DAYS = 28
# A share that is off by less than this, or by what chance explains, is as usual.
LEAST_DIFFERENCE, STANDARD_ERRORS = 0.10, 3.0
# A file is landed within minutes; a link of which a fifth is left has a reason to be looked at.
LINK_NEAR_END = LINK_LIVES * 0.8
EMAIL_STATUSES = ("deliverable", "catch_all", "invalid", "unknown", "valid")

# What makes a row unique where that is less than what it is sorted by.
KEYS: Mapping[str, tuple[str, ...]] = {
    "profile_urls": ("row_id",),
    "outcomes": ("row_id", "operation"),
}
# Without these a row can neither be joined nor traced.
NEVER_NULL = frozenset({"row_id", "operation", "outcome", "submission_id", "source_file"})
MAY_BE_NULL: Mapping[str, frozenset[str]] = {
    "outcomes": frozenset({"submission_id"}),
    "batches": frozenset({"source_file"}),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `numbers` are shown also when it passed."""

    passed: bool
    numbers: Mapping[str, int | float | str]


def keys_are_unique(installation: Installation, table: Table, days: Sequence[date]) -> Finding:
    """Return whether no two rows of a day have the same key."""
    key = KEYS.get(table.name) or tuple(name.split()[0] for name in table.order)
    ((rows, distinct),) = installation.lake.rows(
        f"SELECT count(*), count(DISTINCT ({', '.join(('partition_date', *key))})) "  # noqa: S608 - our own names
        f"FROM {{{table.name}}}",
        days[0],
        days[-1],
    )
    return Finding(
        rows == distinct,
        {"rows": rows, "rows_again": rows - distinct, "key": ", ".join(("partition_date", *key))},
    )


def columns_are_as_specified(
    installation: Installation, table: Table, days: Sequence[date]
) -> Finding:
    """Return whether files have the columns of the spec, typed, and nulls only where allowed."""
    import pyarrow.parquet as pq

    paths = [path for day in days if (path := installation.lake.path(table.name, day)).exists()]
    wrong: set[str] = set()
    for path in paths:
        types = {field.name: field.type for field in pq.read_schema(path)}
        wrong |= {
            field.name for field in table.arrow_schema() if types.get(field.name) != field.type
        }
    needed = [
        column.name
        for column in table.stored_columns()
        if column.name in NEVER_NULL - MAY_BE_NULL.get(table.name, frozenset())
    ]
    nulls = 0
    if paths and needed and not wrong:
        ((nulls,),) = installation.lake.rows(
            f"SELECT count(*) FILTER ({' OR '.join(f'{name} IS NULL' for name in needed)}) "  # noqa: S608 - our own names
            f"FROM {{{table.name}}}",
            days[0],
            days[-1],
        )
    return Finding(
        not wrong and not nulls,
        {
            "files": len(paths),
            "columns": len(table.columns),
            "columns_wrong": ", ".join(sorted(wrong)) or "none",
            "rows_with_forbidden_nulls": nulls,
        },
    )


def outcomes_add_up(installation: Installation, days: Sequence[date]) -> Finding:
    """Return whether each row that was planned has exactly one outcome for that operation.

    Compared with what the plan counted, not with the upstream table of now: rows that came since
    are late, not lost.
    """
    counted = {
        (operation, day): (outcomes, rows)
        for operation, day, outcomes, rows in installation.lake.rows(
            "SELECT operation, partition_date, count(*), count(DISTINCT row_id) "
            "FROM {outcomes} GROUP BY ALL",
            days[0],
            days[-1],
        )
    }
    planned = {
        (operation, day): rows
        for operation in OPERATIONS
        for day, rows in ledger_load.days_planned(installation.ledger, operation).items()
        if day in set(days)
    }
    wrong = [
        f"{operation} {day}"
        for operation, day in sorted(planned.keys() | counted.keys())
        if counted.get((operation, day), (0, 0)) != (planned.get((operation, day), 0),) * 2
    ]
    return Finding(
        not wrong,
        {
            "rows_planned": sum(planned.values()),
            "outcomes": sum(outcomes for outcomes, _ in counted.values()),
            "do_not_add_up": ", ".join(wrong) or "none",
        },
    )


def every_row_is_planned(installation: Installation, days: Sequence[date]) -> Finding:
    """Return whether the upstream table has no rows that came after their day was planned."""
    ((rows, late, gone),) = installation.lake.rows(
        "WITH input AS (FROM {profile_urls}), known AS (FROM {outcomes}), "
        "operations AS (SELECT DISTINCT partition_date, operation FROM known) "
        "SELECT (SELECT count(*) FROM input), "
        "(SELECT count(*) FROM input JOIN operations USING (partition_date) "
        "ANTI JOIN known USING (partition_date, row_id, operation)), "
        "(SELECT count(DISTINCT (partition_date, row_id)) FROM known "
        "ANTI JOIN input USING (partition_date, row_id))",
        days[0],
        days[-1],
    )
    return Finding(
        late == 0,
        {"input_rows": rows, "rows_to_plan": late, "rows_gone_from_the_upstream": gone},
    )


def fill_rate_is_usual(installation: Installation, operation: str, days: Sequence[date]) -> Finding:
    """Return whether about as many rows were found as in the four weeks before."""
    return _compare_shares(
        installation,
        "fill_rate",
        f"SELECT {ROWS_FOUND}, {ROWS_ANSWERED} "  # noqa: S608 - our own names
        f"FROM {{outcomes}} WHERE operation = '{operation}'",
        days,
    )


def profiles_are_of_those_asked_for(
    installation: Installation, table: Table, days: Sequence[date]
) -> Finding:
    """Return whether no record's own profile URL is somebody else's, where both are known."""
    ((rows, compared, mismatches),) = installation.lake.rows(
        "SELECT count(*), count(identity_mismatch), count(*) FILTER (identity_mismatch) "  # noqa: S608 - our own names
        f"FROM {{{table.name}}}",
        days[0],
        days[-1],
    )
    return Finding(
        mismatches == 0,
        {"rows": rows, "rows_compared": compared, "rows_of_somebody_else": mismatches},
    )


def email_statuses_are_usual(installation: Installation, days: Sequence[date]) -> Finding:
    """Return whether the usual share of addresses is deliverable, and all statuses are known."""
    words = ", ".join(f"'{status}'" for status in EMAIL_STATUSES)
    ((new_words,),) = installation.lake.rows(
        f"SELECT count(*) FROM {{contact_emails}} WHERE status NOT IN ({words})",  # noqa: S608 - our own names
        days[0],
        days[-1],
    )
    mix = _compare_shares(
        installation,
        "share_deliverable",
        "SELECT count(*) FILTER (status = 'deliverable'), count(*) FROM {contact_emails}",
        days,
    )
    return Finding(
        mix.passed and not new_words, {**mix.numbers, "addresses_of_unknown_status": new_words}
    )


def _compare_shares(
    installation: Installation, name: str, query: str, days: Sequence[date]
) -> Finding:
    """Compare a share, given as a query for (part, whole), with that of the days before."""
    before = (days[0] - timedelta(days=TRAILING_DAYS), days[0] - timedelta(days=1))
    ((part, whole),) = installation.lake.rows(query, days[0], days[-1])
    ((usual_part, usual_whole),) = installation.lake.rows(query, *before)
    numbers: dict[str, int | float | str] = {"rows": whole, "rows_before": usual_whole}
    if not whole or not usual_whole:
        return Finding(passed=True, numbers=numbers | {"compared": "no: nothing to compare with"})
    share, usual = part / whole, usual_part / usual_whole
    by_chance = STANDARD_ERRORS * math.sqrt(usual * (1 - usual) * (1 / whole + 1 / usual_whole))
    return Finding(
        abs(share - usual) <= max(LEAST_DIFFERENCE, by_chance),
        numbers | {name: share, f"{name}_before": usual},
    )


def credits_are_as_reported(installation: Installation, days: Sequence[date]) -> Finding:
    """Return whether the vendor took what we computed, for batches whose price it tells."""
    ((batches, differing, computed, reported),) = installation.lake.rows(
        "WITH usage AS (SELECT submission_id, sum(credits_computed) AS computed, "
        "sum(credits_reported) AS reported FROM {credit_usage} "
        "WHERE credits_computed IS NOT NULL AND credits_reported IS NOT NULL GROUP BY ALL) "
        "SELECT count(*), count(*) FILTER (abs(computed - reported) >= 0.01), "
        "coalesce(sum(computed), 0), coalesce(sum(reported), 0) FROM usage",
        days[0],
        days[-1],
    )
    return Finding(
        differing == 0,
        {
            "batches_with_a_report": batches,
            "batches_that_differ": differing,
            "credits_computed": float(computed),
            "credits_reported": float(reported),
        },
    )


def costs_are_within_what_was_reserved(installation: Installation, days: Sequence[date]) -> Finding:
    """Return whether no batch cost more than reserved, by our prices and the vendor's report."""
    ((batches, over, credits_over),) = installation.lake.rows(
        "WITH usage AS (SELECT submission_id, sum(credits_reserved) AS reserved, "
        "greatest(sum(credits_computed), sum(credits_reported)) AS cost FROM {credit_usage} "
        "WHERE credits_computed IS NOT NULL OR credits_reported IS NOT NULL GROUP BY ALL) "
        "SELECT count(*), count(*) FILTER (cost - reserved >= 0.01), "
        "coalesce(sum(cost - reserved) FILTER (cost - reserved >= 0.01), 0) FROM usage",
        days[0],
        days[-1],
    )
    return Finding(
        over == 0,
        {
            "batches_with_a_cost": batches,
            "batches_over_what_was_reserved": over,
            "credits_over_what_was_reserved": float(credits_over),
        },
    )


def files_are_as_long_as_the_vendor_says(
    installation: Installation, days: Sequence[date]
) -> Finding:
    """Return whether every landed file has the lines that the vendor announced, or more."""
    landed = [
        batch
        for batch in queries.batches(installation.ledger, first_partitions=days)
        if batch["file_lines"] is not None and batch["result_count"] is not None
    ]
    # More lines than announced are no loss: empty ones, for instance.
    shorter = [batch for batch in landed if batch["file_lines"] < batch["result_count"]]
    return Finding(
        not shorter,
        {
            "files": len(landed),
            "files_that_are_shorter": len(shorter),
            "lines_announced": sum(batch["result_count"] for batch in landed),
            "lines_landed": sum(batch["file_lines"] for batch in landed),
            "batches": ", ".join(batch["submission_id"] for batch in shorter) or "none",
        },
    )


def no_key_is_unknown(files: Sequence[FileReport]) -> Finding:
    """Return whether the vendor sent no key that no column reads."""
    paths = sorted({drift.path for file in files for drift in file.drift})
    return Finding(not paths, {"unknown_keys": len(paths), "paths": ", ".join(paths) or "none"})


def no_line_is_unreadable(installation: Installation, days: Sequence[date]) -> Finding:
    """Return whether nothing had to be set aside."""
    ((rows, upstream),) = installation.lake.rows(
        "SELECT count(*), count(*) FILTER (operation = 'upstream') FROM {quarantine}",
        days[0],
        days[-1],
    )
    return Finding(
        rows == 0, {"lines_of_the_vendor": rows - upstream, "lines_of_the_upstream": upstream}
    )


def no_submit_is_unknown(installation: Installation) -> Finding:
    """Return whether the fate of every submit is known, with every account."""
    unknown = [
        submit for ledger in installation.ledgers for submit in ledger_poll.unknown_submits(ledger)
    ]
    return Finding(
        not unknown,
        {
            "unknown_submits": len(unknown),
            "identifiers": sum(submit.identifier_count for submit in unknown),
            "batches": ", ".join(submit.submission_id for submit in unknown) or "none",
        },
    )


def no_link_is_near_its_end(installation: Installation) -> Finding:
    """Return whether the files of all accounts are landed long before their links die."""
    now = installation.clock()
    summaries = [queries.summary(ledger, now=now) for ledger in installation.ledgers]
    oldest = min(filter(None, (summary.oldest_link for summary in summaries)), default=None)
    if oldest is None:
        return Finding(passed=True, numbers={"files_to_land": 0})
    age = now - oldest
    return Finding(
        age < LINK_NEAR_END,
        {
            "files_to_land": sum(summary.batches.get("completed", 0) for summary in summaries),
            "oldest_hours": age.total_seconds() / 3600,
            "hours_left": (LINK_LIVES - age).total_seconds() / 3600,
        },
    )


def warehouse_is_up_to_date(installation: Installation) -> Finding:
    """Return whether the warehouse holds what the lake holds."""
    behind = installation.warehouse.behind(installation.lake)
    return Finding(behind == 0, {"partitions_behind": behind})
