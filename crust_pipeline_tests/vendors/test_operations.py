"""The descriptions of what can be bought."""

import subprocess
import sys

import pytest

from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC, ENRICH, IDENTIFY, LIVE_ENRICH
from crust_pipeline.vendors.product import Product

OPERATIONS = [ENRICH, IDENTIFY, CONTACT, LIVE_ENRICH, CONTACT_SYNC]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.path)
def test_what_is_asked_by_default_can_be_asked(operation: Product) -> None:
    assert operation.unknown_fields(operation.fields) == ()


def test_a_leaf_of_a_known_group_is_known() -> None:
    assert ENRICH.unknown_fields(["basic_profile.name", "basic_profiles", "salary"]) == (
        "basic_profiles",
        "salary",
    )


def test_the_dear_group_is_never_asked_by_default() -> None:
    assert "social_posts" not in ENRICH.fields
    assert "social_posts" in ENRICH.known_fields


def test_personal_contacts_are_never_asked_by_default() -> None:
    assert CONTACT.fields == ("business_email",)
    assert CONTACT_SYNC.as_requested(CONTACT_SYNC.fields) == [
        "contact.business_emails",
        "contact.websites",
    ]


@pytest.mark.process
def test_the_client_does_not_import_heavy_libraries() -> None:
    script = (
        "import sys, crust_pipeline.vendors.crustdata.client as _; "
        "print({'duckdb', 'pandas', 'pyarrow', 'dagster', 'sqlalchemy'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "set()"
