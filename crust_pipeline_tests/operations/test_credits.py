"""Computed is billed: what we say a purchase cost is what the sandbox took, to the last credit."""

import pytest

from crust_pipeline_tests.operations.conftest import WITH_CONSENT, Buy

PEOPLE = [f"linkedin.com/in/person-{number}" for number in range(60)]
EMAILS = [f"person.{number}@works.example" for number in range(20)]
VERIFIED = WITH_CONSENT | {"CRUST_CONTACT_VERIFIED": "true"}
SYNC = {"CRUST_CONTACT_MODE": "sync"}
DEAR = {"CRUST_ENRICH_FIELDS": "basic_profile,dev_platform_profiles,social_posts"}
LIVE = {"CRUST_ENRICH_MODE": "live"}


WAYS = pytest.mark.parametrize(
    ("operation", "settings"),
    [
        ("identify", {}),
        ("contact", {}),
        ("contact", WITH_CONSENT),
        ("contact", VERIFIED),
        ("contact", SYNC),
        ("contact", SYNC | VERIFIED),
        ("enrich", {}),
        ("enrich", DEAR),
        ("enrich", LIVE),
        ("enrich", LIVE | DEAR),
    ],
    ids=[
        *("identify", "contact", "contact, all", "contact, verified"),
        *("sync contact", "sync contact, verified"),
        *("enrich", "enrich, dear fields", "live enrich", "live enrich, dear fields"),
    ],
)


@WAYS
def test_what_is_computed_is_what_was_billed(
    buy: Buy, operation: str, settings: dict[str, str]
) -> None:
    people = PEOPLE if "live" in settings.values() else [*PEOPLE, *EMAILS]
    bought = buy(operation, *people, settings=settings, balance=10_000)
    assert bought.computed == bought.billed > 0
    assert sum(usage.credits_reserved for usage in bought.usage) >= bought.billed


@pytest.mark.parametrize("settings", [{}, SYNC], ids=["batch", "sync"])
def test_it_is_so_too_when_one_kind_of_contact_is_billed_as_all(
    buy: Buy, settings: dict[str, str]
) -> None:
    switches = {"contact_narrowing": "ignored"}
    bought = buy("contact", *PEOPLE, *EMAILS, switches=switches, settings=settings)
    assert bought.computed == bought.billed > 0
    assert sum(usage.credits_reserved for usage in bought.usage) >= bought.billed
