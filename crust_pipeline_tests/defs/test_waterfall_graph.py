"""The asset graph follows the orders of vendors, read when the code location is loaded."""

import json
import os
import subprocess
import sys

import pytest

PARENTS = """
import json
from crust_pipeline.definitions import defs
graph = defs.resolve_asset_graph()
print(json.dumps({
    key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
    for key in graph.get_all_asset_keys()
}))
"""
UPSTREAM = {"identify_batches", "identities", "profile_urls"}


def parents(**orders: str) -> dict[str, set[str]]:
    """Every asset of an installation with these orders, with those that it comes after."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARENTS],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            **{f"CRUST_{name}_VENDORS": order for name, order in orders.items()},
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return {name: set(names) for name, names in json.loads(done.stdout).items()}


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


@pytest.mark.parametrize("order", ["crustdata", "none"])
def test_without_pronto_nothing_of_it_is_there(order: str) -> None:
    graph = parents(BUSINESS_EMAIL=order)
    assert not [name for name in graph if "bulk" in name]
    assert ("contact_batches" in graph) == (order == "crustdata")
