"""The fill rate has one definition: every place that shows it shows the same number."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from crust_pipeline.app import checks
from crust_pipeline.app.days import DayAccount
from crust_pipeline.app.installation import Installation
from crust_pipeline.cli.demo import print_summary
from crust_pipeline.ledger.outcomes import Outcome, fill_rate
from crust_pipeline.report.facts import gather
from crust_pipeline.settings import Settings

DAY = date(2026, 11, 2)
NOW = datetime(2026, 11, 3, tzinfo=UTC)
# The sample week; the rate is that of docs/outcomes.md, by hand.
SAMPLES: dict[str, tuple[dict[str, int], float]] = {
    "contact": ({"matched": 303, "reused": 20, "no_data": 162, "not_found": 77}, 323 / 562),
    "identify": ({"matched": 458, "reused": 27, "not_found": 72, "redacted": 5}, 485 / 562),
    "enrich": ({"matched": 3, "dropped": 1}, 3 / 4),
}


@pytest.fixture(params=SAMPLES)
def operation(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def rate(operation: str) -> float:
    return SAMPLES[operation][1]


@pytest.fixture
def counts(operation: str) -> Counter[str]:
    """The sample, and rows that nobody answered."""
    sample = SAMPLES[operation][0]
    return Counter(
        {outcome: sample.get(outcome, 0 if outcome.answered else 2) for outcome in Outcome}
    )


@pytest.fixture
def pipeline(tmp_path: Path, operation: str, counts: Counter[str]) -> Iterator[Installation]:
    pipeline = Installation(
        settings=Settings.from_env({"CRUST_DATA_DIR": str(tmp_path)}), clock=lambda: NOW
    )
    rows = [
        {"row_id": str(number), "operation": operation, "outcome": outcome}
        for number, outcome in enumerate(counts.elements())
    ]
    usage = {"operation": operation, "vendor": "crustdata", "credits_reserved": Decimal(1)}
    for day in (DAY - timedelta(days=1), DAY):
        put(pipeline, "outcomes", rows, day)
        put(pipeline, "credit_usage", [usage], day)
    yield pipeline
    pipeline.ledger.close()


def put(pipeline: Installation, table: str, rows: list[dict[str, Any]], day: date) -> None:
    pipeline.lake.write_rows(table, day, rows, run_id="run", loaded_at=NOW)


def test_the_function(counts: Counter[str], rate: float) -> None:
    assert fill_rate(counts) == rate


def test_the_check(pipeline: Installation, operation: str, rate: float) -> None:
    numbers = checks.fill_rate_is_usual(pipeline, operation, [DAY]).numbers
    assert numbers["fill_rate"] == rate
    assert numbers["fill_rate_before"] == rate
    assert numbers["rows"] == sum(SAMPLES[operation][0].values())


def test_the_metadata(counts: Counter[str], rate: float) -> None:
    from crust_pipeline.defs.metadata import day_metadata

    account = DayAccount(
        outcomes=counts, credits_reserved=Decimal(0), credits_computed=Decimal(0), batch_ids=()
    )
    assert day_metadata(account)["crust/fill_rate"] == round(rate, 4)


def test_the_mart(pipeline: Installation, rate: float) -> None:
    with pipeline.lake.connect() as con:
        rates = con.execute("SELECT fill_rate FROM enrichment_funnel").fetchall()
    assert rates == [(rate,), (rate,)]


def test_the_report(pipeline: Installation, rate: float) -> None:
    assert [row["fill_rate"] for row in gather(pipeline).fill_rate] == [rate, rate]


def test_the_demonstration(pipeline: Installation, rate: float) -> None:
    pipeline.warehouse.load(pipeline.lake)
    text = StringIO()
    print_summary(Console(file=text, width=200), pipeline.settings)
    (line,) = [line for line in text.getvalue().splitlines() if "(crustdata)" in line]
    assert line.split()[-1] == f"{rate:.1%}"
