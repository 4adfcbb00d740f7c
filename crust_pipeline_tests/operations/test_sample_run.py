"""The command on the sample week: all operations, down to outcomes that add up for each."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from crust_pipeline.sandbox.serve import RunningSandbox, running_sandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline_tests.bought import FIRST_DAY, LAST_DAY, SAMPLE
from crust_pipeline_tests.command_line import Ended, crust

OPERATIONS = ("identify", "contact", "enrich")
ROWS = 600


class Week:
    """The sample week, run once through the command line."""

    def __init__(self, sandbox: RunningSandbox, settings: dict[str, str]) -> None:
        self.sandbox = sandbox
        self.settings = settings
        self.ended = self.run()

    def run(self) -> Ended:
        """Run the week, with every operation named."""
        named = [word for name in OPERATIONS for word in ("--operation", name)]
        days = ["--from", str(FIRST_DAY), "--to", str(LAST_DAY)]
        return crust("run", *days, *named, "--json", settings=self.settings)

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Ask the tables."""
        return crust("sql", query, "--json", settings=self.settings).json


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    with running_sandbox(switches=Switches(instant_jobs=True)) as sandbox:
        yield Week(
            sandbox,
            {
                "CRUSTDATA_API_KEY": sandbox.api_key,
                "CRUSTDATA_BASE_URL": sandbox.base_url,
                "CRUST_DATA_DIR": str(tmp_path_factory.mktemp("week")),
                "CRUST_UPSTREAM": str(SAMPLE),
                "CRUST_POLL_SECONDS": "0",
            },
        )


def test_the_outcomes_of_each_operation_add_up_to_the_rows(week: Week) -> None:
    assert week.ended.code == 0
    outcomes = week.ended.json["outcomes"]
    assert set(outcomes) == set(OPERATIONS)
    placed = ROWS - week.ended.json["rows_in_no_partition"]
    assert {sum(counts.values()) for counts in outcomes.values()} == {placed}


def test_they_add_up_for_each_day_as_well(week: Week) -> None:
    counted = week.ask(
        "SELECT partition_date, operation, count(*) AS outcomes, count(DISTINCT row_id) AS rows "
        "FROM outcomes GROUP BY ALL"
    )
    rows = {
        row["partition_date"]: row["rows"]
        for row in week.ask(
            "SELECT partition_date, count(*) AS rows FROM profile_urls GROUP BY ALL"
        )
    }
    assert len(rows) == (LAST_DAY - FIRST_DAY).days + 1
    assert len(counted) == len(rows) * len(OPERATIONS)
    for row in counted:
        assert row["outcomes"] == row["rows"] == rows[row["partition_date"]]


def test_no_row_is_left_open_or_in_trouble(week: Week) -> None:
    everything = sum(map(Counter, week.ended.json["outcomes"].values()), start=Counter[str]())
    assert not set(everything) & {"pending", "unknown", "failed", "expired"}


def test_addresses_became_people_that_contact_and_enrich_asked_for(week: Week) -> None:
    chained = week.ask(
        "SELECT operation, count(*) AS rows FROM outcomes SEMI JOIN profile_urls ON "
        "profile_urls.row_id = outcomes.row_id AND profile_urls.profile_key LIKE '%@%' "
        "WHERE outcomes.profile_key LIKE 'linkedin.com/in/%' GROUP BY ALL"
    )
    assert {row["operation"] for row in chained} == {"contact", "enrich"}
    assert all(row["rows"] > 0 for row in chained)


def test_what_is_computed_is_what_the_vendor_took(week: Week) -> None:
    (spent,) = week.ask("SELECT sum(credits_computed)::DOUBLE AS credits FROM credit_usage")
    assert spent["credits"] == week.sandbox.state.account.spent


def test_nobody_was_bought_twice_and_a_second_run_buys_nothing(week: Week) -> None:
    assert week.run().json["outcomes"] == week.ended.json["outcomes"]
    assert set(week.sandbox.state.times_submitted().values()) == {1}
