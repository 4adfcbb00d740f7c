"""What was refused or left out, in sentences for the last lines of a command."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

from crust_pipeline.buying.plan import PlanReport
from crust_pipeline.ledger import queries
from crust_pipeline.ledger.queries import fields_not_permitted
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.vendors.errors import without_request_id


def refused_in_words(
    ledger: Ledger, operations: Sequence[str], days: Sequence[date]
) -> Iterator[str]:
    """Say why rows of these days were refused, once for each reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for refused in queries.rows_refused(ledger, operations, days):
        counts[refused.operation, without_request_id(refused.reason)] += refused.rows
    for (operation, reason), rows in counts.items():
        yield f"{operation}: {rows:,} rows were refused: {reason}."


def left_out_in_words(
    ledger: Ledger, operations: Sequence[str], days: Sequence[date]
) -> Iterator[str]:
    """Say which fields rows of these days go without, because the account may not have them."""
    for left_out in queries.rows_without_fields(ledger, operations, days):
        yield without_fields(left_out.operation, left_out.fields, rows=left_out.rows)


def left_out_of_plan(report: PlanReport) -> Iterator[str]:
    """Say which fields a plan does not ask for, because the account may not have them."""
    counts: Counter[tuple[str, ...]] = Counter()
    for batch in report.batches:
        fields = fields_not_permitted(",".join(batch.covers), ",".join(batch.fields))
        counts[fields] += len(batch.identifiers)
    for fields, rows in counts.items():
        if fields:
            yield without_fields(report.operation, fields, rows=rows)


def without_fields(operation: str, fields: Sequence[str], *, rows: int) -> str:
    """Say that rows go without fields."""
    return (
        f"{operation}: {rows:,} rows without {', '.join(fields)}: the account's plan does not "
        "permit these fields, and the rest was asked for."
    )
