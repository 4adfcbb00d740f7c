"""Every product of the registry, from the plan to its tables: what is forgotten fails here."""

import time
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from crust_pipeline.app.installation import Installation
from crust_pipeline.app.orders import operations_of
from crust_pipeline.app.run_loop import run_to_end
from crust_pipeline.ledger import queries
from crust_pipeline.sandbox.pronto.account import ProntoSwitches
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.settings import Settings, SettingsError
from crust_pipeline.tables.specs import tables_of
from crust_pipeline.vendors.catalog import OPERATIONS, PRODUCTS, products_of
from crust_pipeline_tests.people import write_people

DAY = date(2026, 1, 5)
COLUMNS = ("added_on", "profile_url", "first_name", "last_name", "company_name", "company_domain")
# How each product is asked for. A bulk request needs an inbox (see waterfall/); its twin for one
# person is read and priced the same.
WAYS: Mapping[str, Mapping[str, str]] = {
    "identify": {},
    "contact": {},
    "contact_sync": {"CRUST_CONTACT_MODE": "sync"},
    "enrich": {},
    "live_enrich": {"CRUST_ENRICH_MODE": "live"},
    "company_enrich": {"CRUST_OPERATIONS": "enrich,company_enrich"},
    "single_contact": {"CRUST_BUSINESS_EMAIL_VENDORS": "pronto"},
    "single_contact_personal_email": {"CRUST_PERSONAL_EMAIL_VENDORS": "pronto"},
    "single_contact_phone_number": {"CRUST_PHONE_NUMBER_VENDORS": "pronto"},
}
BULK = {name for name, product in PRODUCTS.items() if product.alone}


def test_every_product_has_its_way_here() -> None:
    assert set(WAYS) | BULK == set(PRODUCTS)
    for name in BULK:
        bulk, alone = PRODUCTS[name], PRODUCTS[name].alone
        assert alone
        assert (bulk.line, bulk.items, bulk.operation) == (alone.line, alone.items, alone.operation)


@pytest.mark.parametrize("name", WAYS)
def test_a_product_is_planned_bought_settled_and_flattened(
    name: str, settings: dict[str, str], sandbox: RunningSandbox, upstream: Path
) -> None:
    people = [
        (DAY, f"https://www.linkedin.com/in/person-{n}", "Ada", f"Example{n}", "Example", "")
        for n in range(20)
    ]
    write_people(upstream, people, columns=COLUMNS)
    sandbox.pronto.switches = ProntoSwitches(seconds=0)
    pronto = {"PRONTO_API_KEY": sandbox.api_key, "PRONTO_BASE_URL": sandbox.pronto_url}
    consent = {"CRUST_PERSONAL_CONTACT_CONSENT": "true"}
    pipeline = Installation(
        settings=Settings.from_env({**settings, **pronto, **consent, **WAYS[name]})
    )
    product = PRODUCTS[name]
    report = run_to_end(
        pipeline,
        operations=operations_of(pipeline.settings),
        start=DAY,
        end=DAY,
        policy=pipeline.policy,
        run_id="test",
        show=lambda _: None,
        sleep=time.sleep,
    )
    assert (report.stopped, report.rows_open, report.rows_troubled) == (None, 0, 0)
    assert sum(report.outcomes[product.operation].values()) == len(people)
    assert report.outcomes[product.operation]["matched"] > 0
    batches = [row for row in queries.batches(pipeline.ledger) if row["product"] == name]
    assert batches
    assert {row["state"] for row in batches} == {"loaded"}
    assert sum(row["credits_computed"] for row in batches) > Decimal(0)
    with pipeline.lake.connect() as connection:
        filled = [
            connection.execute(f"SELECT count(*) FROM {table.name}").fetchall()[0][0]
            for table in tables_of(product.operation)
        ]
    assert sum(filled) > 0
    pipeline.ledger.close()


def test_operations_wait_for_those_that_fill_the_tables_they_read() -> None:
    for operation in OPERATIONS:
        reads = {name for product in products_of(operation) for name in product.reads}
        known = {table.name for other in OPERATIONS for table in tables_of(other)}
        assert reads <= known, operation


def test_vendors_of_contact_data_that_would_wait_for_each_other_are_refused() -> None:
    settings = Settings(business_email_vendors=("pronto", "elsewhere"))
    with pytest.raises(SettingsError, match=r"CRUST_BUSINESS_EMAIL_VENDORS names elsewhere"):
        operations_of(settings)


def test_an_operation_that_there_is_not_is_refused_with_the_list_of_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"CRUST_OPERATIONS names enrch.*company_enrich"):
        operations_of(Settings(operations=("enrch",)))


def test_companies_are_bought_only_when_they_are_asked_for() -> None:
    assert "company_enrich" not in operations_of(Settings())
    asked = Settings(operations=("company_enrich", "enrich"))
    assert operations_of(asked) == ("enrich", "company_enrich")
