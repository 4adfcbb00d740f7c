"""The asset graph follows the orders of vendors."""

import pytest

from crust_pipeline.definitions import build_defs
from crust_pipeline.settings import Settings

UPSTREAM = {"identify_batches", "identities", "profile_urls"}


def parents(**orders: str) -> dict[str, set[str]]:
    """Every asset of an installation with these orders, with those that it comes after."""
    environment = {f"CRUST_{name}_VENDORS": order for name, order in orders.items()}
    graph = build_defs(settings=Settings.from_env(environment)).resolve_asset_graph()
    return {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }


def test_the_vendor_named_second_comes_after_contact() -> None:
    graph = parents(BUSINESS_EMAIL="crustdata,pronto")
    assert graph["contact_batches"] == UPSTREAM
    assert graph["bulk_contact_batches"] == UPSTREAM | {"contact_batches", "enrich_batches"}
    assert graph["contact_emails"] == {"contact_batches", "bulk_contact_batches"}


def test_each_type_has_its_own_place_before_or_after_contact() -> None:
    graph = parents(BUSINESS_EMAIL="pronto,crustdata", PHONE_NUMBER="crustdata,pronto")
    phones = "bulk_contact_phone_number_batches"
    assert graph["bulk_contact_batches"] == UPSTREAM | {"enrich_batches"}
    assert graph["contact_batches"] == UPSTREAM | {"bulk_contact_batches"}
    assert graph[phones] == UPSTREAM | {"contact_batches", "enrich_batches"}
    assert graph["contact_phones"] == {"contact_batches", "bulk_contact_batches", phones}
    assert "bulk_contact_personal_email_batches" not in graph


def test_without_crustdata_its_contact_is_not_there() -> None:
    graph = parents(BUSINESS_EMAIL="pronto")
    assert "contact_batches" not in graph
    assert graph["contact_emails"] == {"bulk_contact_batches"}


def test_without_contact_data_its_tables_are_not_there() -> None:
    assert not [name for name in parents(BUSINESS_EMAIL="none") if name.startswith("contact_")]


@pytest.mark.parametrize("order", ["crustdata", "none"])
def test_without_pronto_nothing_of_it_is_there(order: str) -> None:
    graph = parents(BUSINESS_EMAIL=order)
    assert not [name for name in graph if "bulk" in name]
    assert ("contact_batches" in graph) == (order == "crustdata")
