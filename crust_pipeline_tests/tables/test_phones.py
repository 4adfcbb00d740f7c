"""Phone numbers in international form: what can be told, and what is not guessed."""

from pathlib import Path

import pytest

from crust_pipeline.tables.flatten.phones import e164
from crust_pipeline_tests.tables.landing import flattened, landed, url


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+1 202-555-0142", "+12025550142"),
        ("+1-202-555-0142", "+12025550142"),
        ("0047 22 00 00 00", "+4722000000"),
        (" +44 (0)20 7946 0958 ", "+442079460958"),
        ("tel:+1-202-555-0142", "+12025550142"),
        ("+1-555-0100", None),
        ("202-555-0142", None),
        ("+999 1", None),
        ("call me", None),
        ("", None),
    ],
)
def test_a_number_is_told_or_left_alone(text: str, number: str | None) -> None:
    assert e164(text) == number


def test_both_forms_stand_side_by_side(tmp_path: Path) -> None:
    numbers = {"personal_contact_info": {"phone_numbers": ["+1 202-555-0142", "ext. 5"]}}
    line = {"original_identifier": url("ada"), "data": numbers}
    file = landed(tmp_path, [line], asked=[url("ada")], operation="contact")

    rows = flattened(tmp_path, file, operations=["contact"]).rows("contact_phones")

    assert [(row["phone_number"], row["phone_e164"]) for row in rows] == [
        ("+1 202-555-0142", "+12025550142"),
        ("ext. 5", None),
    ]
