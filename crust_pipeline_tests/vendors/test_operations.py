"""The descriptions of what can be bought."""

import subprocess
import sys

import pytest

from crust_pipeline.sandbox.fields import BATCH_CONTACT_FIELDS, ENRICH_FIELDS
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC, ENRICH, IDENTIFY, LIVE_ENRICH
from crust_pipeline.vendors.field_names import is_among, with_nearest
from crust_pipeline.vendors.product import Product

OPERATIONS = [ENRICH, IDENTIFY, CONTACT, LIVE_ENRICH, CONTACT_SYNC]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.path)
def test_what_is_asked_by_default_can_be_asked(operation: Product) -> None:
    assert operation.unknown_fields(operation.fields) == ()


def test_a_name_is_known_as_a_group_or_as_what_is_known_to_lie_under_it() -> None:
    known = ["basic_profile.name", "education.schools", "education", "social_posts.text"]
    unknown = ("basic_profiles", "salary", "education.schoolz", "basic_profile.nam")

    assert ENRICH.unknown_fields([*known, *unknown]) == unknown


def test_every_field_of_the_vendors_documents_is_known() -> None:
    assert ENRICH.unknown_fields(ENRICH_FIELDS) == ()
    assert CONTACT.unknown_fields(BATCH_CONTACT_FIELDS) == ()


def test_what_is_asked_for_in_place_of_a_group_is_known() -> None:
    for product in (ENRICH, CONTACT):
        for leaves in product.leaves.values():
            assert set(leaves) <= set(product.known_fields)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    assert with_nearest(["educationn", "zzz"], ["skills", "education"]) == (
        "educationn (nearest: education), zzz"
    )


@pytest.mark.parametrize(
    ("listed", "among"),
    [
        (["a", "a.b"], True),
        (["a.b.c"], True),
        (["a"], True),
        (["a", "a.x"], False),
        (["x"], False),
        ([], False),
    ],
)
def test_a_name_is_among_those_listed_unless_the_list_names_other_parts(
    listed: list[str], *, among: bool
) -> None:
    assert is_among("a.b", listed) is among


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
