"""The rule of each mart, on a few invented rows."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crust_pipeline.ledger.outcomes import Outcome
from crust_pipeline.marts import MARTS
from crust_pipeline.tables.specs import TABLES
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.tables.store.warehouse import Warehouse, publish_views
from crust_pipeline_tests.marts.conftest import DAY, EARLY, NEXT_DAY, Rows, Shop

ANN, BEN = "linkedin.com/in/ann-example", "linkedin.com/in/ben-example"
TwoPurchases = Callable[[str, Rows, Rows], None]


def email(address: str, status: str | None, **more: Any) -> dict[str, Any]:
    return {
        "profile_key": ANN,
        "email": address,
        "email_type": "business",
        "status": status,
        "position": 1,
        "vendor": "crustdata",
        **more,
    }


def outcome(row_id: str, name: str, **more: Any) -> dict[str, Any]:
    return {"row_id": row_id, "operation": "enrich", "outcome": name, **more}


@pytest.mark.parametrize("mart", MARTS)
def test_a_mart_of_an_empty_lake_is_empty(shop: Shop, mart: str) -> None:
    assert shop.ask(f"FROM {mart}") == []


@pytest.mark.parametrize("mart", MARTS.values(), ids=MARTS)
def test_a_mart_documents_every_column(shop: Shop, mart: Any) -> None:
    with shop.lake.connect() as con:
        columns = [column[0] for column in con.execute(f"FROM {mart.name}").description]
    inherited = {column.name for column in TABLES["people"].columns}
    own = [name for name in columns if mart.name != "people_latest" or name not in inherited]
    assert list(mart.columns) == own
    assert mart.description.startswith("One row per ")


def test_the_newest_profile_of_a_person_is_the_latest(
    shop: Shop, two_purchases: TwoPurchases
) -> None:
    two_purchases(
        "people",
        [{"profile_key": ANN, "headline": "before"}, {"profile_key": BEN, "headline": "only"}],
        [{"profile_key": ANN, "headline": "after"}],
    )
    people = shop.ask("SELECT profile_key, headline FROM people_latest ORDER BY 1")
    assert people == [(ANN, "after"), (BEN, "only")]


def test_the_employer_is_that_of_the_default_role(shop: Shop) -> None:
    shop.put("people", [{"profile_key": ANN, "submission_id": "s"}])
    role = {"profile_key": ANN, "submission_id": "s", "is_current": True}
    shop.put(
        "employment",
        [
            {**role, "company_name": "Side Ltd", "start_date": date(2026, 1, 1), "position": 1},
            {**role, "company_name": "Main Ltd", "is_default": True, "position": 2},
            {**role, "company_name": "Old Ltd", "is_current": False, "is_default": True},
        ],
    )
    assert shop.ask("SELECT company_name FROM people_latest") == [("Main Ltd",)]


@pytest.mark.parametrize(
    ("addresses", "best"),
    [
        ([email("a@example.com", "catch_all"), email("b@example.com", "deliverable")], "b"),
        ([email("a@example.com", None), email("b@example.com", "catch_all")], "b"),
        (
            [
                email("a@example.com", "deliverable", vendor="pronto"),
                email("b@example.com", "deliverable", position=9),
            ],
            "b",
        ),
        (
            [
                email("a@example.com", "deliverable", position=2),
                email("b@example.com", "deliverable"),
            ],
            "b",
        ),
        (
            [
                email("a@example.com", "deliverable", email_type="personal"),
                email("b@example.com", "deliverable"),
            ],
            "b",
        ),
    ],
    ids=["deliverable", "catch_all before unknown", "vendor order", "position", "business"],
)
def test_the_best_address_is_chosen_by_status_vendor_and_position(
    shop: Shop, addresses: Rows, best: str
) -> None:
    shop.put("contact_emails", addresses)
    assert shop.ask("SELECT email, addresses FROM contactable_people") == [
        (f"{best}@example.com", 2)
    ]


def test_an_address_that_became_invalid_is_not_used(
    shop: Shop, two_purchases: TwoPurchases
) -> None:
    two_purchases(
        "contact_emails",
        [email("a@example.com", "deliverable")],
        [email("a@example.com", "invalid"), email("b@example.com", "catch_all", position=2)],
    )
    assert shop.ask("SELECT email FROM contactable_people") == [("b@example.com",)]


@pytest.mark.parametrize("outcome_name", ["redacted", "suppressed"])
def test_who_asked_to_be_left_out_is_not_contactable(shop: Shop, outcome_name: str) -> None:
    shop.put("contact_emails", [email("a@example.com", "deliverable")])
    shop.put("outcomes", [outcome("1", outcome_name, profile_key=ANN)])
    assert shop.ask("FROM contactable_people") == []


def test_the_stages_of_the_funnel_follow_from_the_outcomes(shop: Shop) -> None:
    names = [*Outcome, Outcome.MATCHED]
    shop.put("outcomes", [outcome(str(row), name) for row, name in enumerate(names)])
    (stages,) = shop.ask(
        "SELECT input_rows, identifiable, distinct_people, allowed, answered, found, reused "
        "FROM enrichment_funnel"
    )
    assert stages == (16, 15, 13, 11, 7, 3, 1)


def test_the_funnel_is_told_by_source(shop: Shop) -> None:
    shop.put("profile_urls", [{"row_id": "1", "source": "crm"}, {"row_id": "2", "source": "fair"}])
    shop.put("outcomes", [outcome("1", "matched"), outcome("2", "pending")])
    rates = shop.ask("SELECT source, fill_rate FROM enrichment_funnel ORDER BY 1")
    assert rates == [("crm", 1.0), ("fair", None)]


def spend(shop: Shop, state: str, *, computed: int | None) -> tuple[Any, ...]:
    shop.put("batches", [{"submission_id": "s", "submitted_at": EARLY, "state": state}])
    usage = {
        "submission_id": "s",
        "vendor": "crustdata",
        "operation": "enrich",
        "identifiers": 2,
        "credits_reserved": Decimal(6),
        "credits_computed": computed,
    }
    shop.put("credit_usage", [usage])
    shop.put("credit_usage", [usage], day=NEXT_DAY)
    (row,) = shop.ask(
        "SELECT spent_on, batches, identifiers, credits_computed, credits_open, credits_lost "
        "FROM credit_spend_daily"
    ) or [()]
    return row


def test_credits_count_on_the_day_of_the_submit(shop: Shop) -> None:
    assert spend(shop, "loaded", computed=3) == (DAY, 1, 4, 6, 0, 0)


def test_credits_of_a_running_batch_are_open(shop: Shop) -> None:
    assert spend(shop, "processing", computed=None)[3:] == (0, 12, 0)


def test_credits_of_a_dead_link_are_lost(shop: Shop) -> None:
    assert spend(shop, "expired", computed=None)[3:] == (0, 0, 12)


def test_a_failed_batch_cost_nothing(shop: Shop) -> None:
    assert spend(shop, "failed", computed=None) == ()


def cost(shop: Shop, outcomes: dict[str, str], credits_computed: int) -> Rows:
    sources = ["crm", "fair", "crm"]
    shop.put(
        "profile_urls",
        [{"row_id": row, "source": sources[number]} for number, row in enumerate(outcomes)],
    )
    rows = [outcome(row, name, submission_id="s") for row, name in outcomes.items()]
    shop.put("outcomes", rows)
    usage = {"submission_id": "s", "vendor": "crustdata", "operation": "enrich"}
    shop.put("credit_usage", [usage | {"credits_computed": Decimal(credits_computed)}])
    answers = shop.ask(
        "SELECT source, asked, results, credits, credits_per_result FROM cost_per_result ORDER BY 1"
    )
    return [
        dict(zip(["source", "asked", "results", "credits", "each"], a, strict=True))
        for a in answers
    ]


def test_credits_are_shared_out_among_the_results(shop: Shop) -> None:
    assert cost(shop, {"1": "matched", "2": "dropped", "3": "matched"}, 6) == [
        {"source": "crm", "asked": 2, "results": 2, "credits": 6.0, "each": 3.0},
        {"source": "fair", "asked": 1, "results": 0, "credits": 0.0, "each": None},
    ]


def test_credits_without_a_result_are_shared_out_among_all(shop: Shop) -> None:
    assert [row["credits"] for row in cost(shop, {"1": "not_found", "2": "not_found"}, 6)] == [3, 3]


def test_what_a_row_reuses_costs_it_nothing(shop: Shop) -> None:
    cost(shop, {"1": "matched"}, 3)
    shop.put("outcomes", [outcome("9", "not_found", submission_id="s")], day=NEXT_DAY)
    assert shop.ask("SELECT asked, credits FROM cost_per_result") == [(1, 3.0)]


@pytest.mark.parametrize("kind", ["warehouse", "views"])
def test_marts_are_in_the_files_that_readers_open(shop: Shop, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tables.duckdb"
    shop.put("contact_emails", [email("a@example.com", "deliverable")])
    if kind == "warehouse":
        Warehouse(path).load(shop.lake)
    else:
        publish_views(shop.lake, path)
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("SELECT email FROM contactable_people").fetchall() == [
            ("a@example.com",)
        ]
        comments = con.execute(
            "SELECT comment FROM duckdb_views() WHERE view_name = 'contactable_people'"
        ).fetchall()
    assert comments == [(MARTS["contactable_people"].description,)]


def test_a_warehouse_with_marts_can_be_compacted(shop: Shop, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    warehouse.load(shop.lake)
    warehouse.compact()
    assert warehouse.verify(Lake(shop.lake.root)) == []
    with duckdb.connect(str(warehouse.path), read_only=True) as con:
        assert con.execute("FROM people_latest").fetchall() == []
