"""What the report tells: rows from the marts and the ledger. Counts and ids only, no people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crust_pipeline.app.installation import Installation
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import slots
from crust_pipeline.ledger.outcomes import (
    OPEN_OUTCOMES,
    TROUBLED_OUTCOMES,
    Outcome,
    sql_words,
)

Row = dict[str, Any]

# The stages of the mart `enrichment_funnel`, in order, in words.
STAGES = {
    "input_rows": "input rows",
    "identifiable": "identifiable",
    "distinct_people": "distinct people",
    "allowed": "allowed",
    "answered": "answered",
    "found": "found",
}

_SPEND = """
SELECT spent_on::VARCHAR AS day, vendor, operation, batches, identifiers, delivered,
    credits_computed::DOUBLE AS credits, credits_open::DOUBLE AS "open",
    credits_lost::DOUBLE AS lost
FROM credit_spend_daily ORDER BY ALL
"""
_FUNNEL = f"""
UNPIVOT (
    SELECT operation, {", ".join(f"sum({stage})::BIGINT AS {stage}" for stage in STAGES)}
    FROM enrichment_funnel GROUP BY operation
) ON {", ".join(STAGES)} INTO NAME stage VALUE "rows"
"""  # noqa: S608 - the stages above
_FILL_RATE = """
SELECT partition_date::VARCHAR AS day, operation, sum(answered)::BIGINT AS answered,
    sum(found)::BIGINT AS found, sum(found) / nullif(sum(answered), 0) AS fill_rate
FROM enrichment_funnel GROUP BY ALL HAVING sum(answered) > 0 ORDER BY ALL
"""
_COST = """
SELECT vendor, operation, coalesce(source, 'not given') AS source, asked, results, credits,
    round(credits_per_result, 2) AS credits_per_result
FROM cost_per_result ORDER BY ALL
"""
# A later run can still buy these rows, or a person has to look.
_UNFINISHED = OPEN_OUTCOMES | TROUBLED_OUTCOMES | {Outcome.OVER_BUDGET}
_DAYS = f"""
SELECT partition_date::VARCHAR AS day, operation,
    CASE
        WHEN bool_or(outcome IN ({sql_words(TROUBLED_OUTCOMES)})) THEN 'needs a decision'
        WHEN bool_or(outcome IN ({sql_words(OPEN_OUTCOMES)})) THEN 'waiting'
        WHEN bool_or(outcome = '{Outcome.OVER_BUDGET}') THEN 'over budget'
        ELSE 'complete'
    END AS state,
    count(*) AS "rows",
    count(*) FILTER (
        outcome IN ({sql_words(_UNFINISHED)})
    ) AS "open"
FROM outcomes GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 - the words of the enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that is on the page."""

    made_at: datetime
    account: str
    slots: int
    spend: list[Row]
    funnel: list[Row]
    fill_rate: list[Row]
    cost: list[Row]
    days: list[Row]
    slots_held: list[Row]
    unknown_submits: int


def gather(installation: Installation) -> Facts:
    """Read the facts from the lake, which no writer blocks, and from the ledger."""
    with installation.lake.connect() as con:

        def rows(query: str) -> list[Row]:
            names, found = installation.lake.ask(con, query)
            return [dict(zip(names, row, strict=True)) for row in found]

        spend, funnel, fill_rate, cost, days = map(
            rows, (_SPEND, _FUNNEL, _FILL_RATE, _COST, _DAYS)
        )
    return Facts(
        made_at=installation.clock(),
        account=installation.settings.account,
        slots=installation.settings.max_active_batches,
        spend=spend,
        funnel=[row | {"stage": STAGES[row["stage"]]} for row in funnel],
        fill_rate=fill_rate,
        cost=cost,
        days=days,
        slots_held=[
            {"at": moment.at.isoformat(timespec="milliseconds"), "held": moment.held}
            for moment in slots.slots_over_time(installation.ledger)
        ],
        unknown_submits=len(ledger_poll.unknown_submits(installation.ledger)),
    )
