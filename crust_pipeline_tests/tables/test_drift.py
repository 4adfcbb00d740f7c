"""Keys that no column reads are found, named and counted, and their values never shown."""

import json
from pathlib import Path

from crust_pipeline.tables.flatten.drift import Drift, unknown_keys
from crust_pipeline.vendors.catalog import line_of
from crust_pipeline_tests.tables.landing import enriched, flattened, landed, url


def _drift(folder: Path, *lines: object) -> tuple[Drift, ...]:
    asked = [url(f"p{number}") for number in range(len(lines))]
    return flattened(folder, landed(folder, lines, asked=asked)).report.files[0].drift


def test_unknown_keys_are_named_with_count_and_type(tmp_path: Path) -> None:
    lines = [
        enriched("p0", basic_profile={"new": 1}, brand_new={"x": 1}),
        enriched("p1", basic_profile={"new": None}),
        enriched("p2", skills={"other_skills": ["a"]}) | {"extra": "x"},
    ]

    assert _drift(tmp_path, *lines) == (
        Drift("data.basic_profile.new", 2, "number"),
        Drift("data.brand_new", 1, "object"),
        Drift("data.skills.other_skills", 1, "array"),
        Drift("extra", 1, "string"),
    )


def test_keys_inside_lists_are_found(tmp_path: Path) -> None:
    roles = {"current": [{"name": "A"}, {"bonus": True}], "past": []}

    found = _drift(tmp_path, enriched("p0", experience={"employment_details": roles}))

    assert found == (Drift("data.experience.employment_details.current[].bonus", 1, "boolean"),)


def test_what_is_kept_as_delivered_does_not_drift(tmp_path: Path) -> None:
    assert _drift(tmp_path, enriched("p0", honors=[{"anything": 1}], social_posts={"a": 1})) == ()


def test_a_key_seen_in_the_sample_is_counted_in_the_whole_file(tmp_path: Path) -> None:
    lines = [enriched(f"p{number}", new=1) for number in range(500)]

    assert _drift(tmp_path, *lines) == (Drift("data.new", 500, "number"),)


def test_bad_lines_do_not_hide_drift(tmp_path: Path) -> None:
    assert _drift(tmp_path, b"{", enriched("p1", new="x")) == (Drift("data.new", 1, "string"),)


def test_all_keys_are_counted_when_asked_for_whatever_the_sample_shows(tmp_path: Path) -> None:
    lines = [enriched(f"p{number}") for number in range(400)]
    lines[300] = enriched("p300", rare=1)
    file = landed(tmp_path, lines, asked=[url(f"p{number}") for number in range(400)])

    sampled = flattened(tmp_path, file).report.files[0].drift
    counted = flattened(tmp_path, file, count_all_keys=True).report.files[0].drift

    assert sampled == ()
    assert counted == (Drift("data.rare", 1, "number"),)


def test_what_the_second_vendor_documents_is_no_drift() -> None:
    line = {"custom": {"key": "k"}, "status": "finished", "first_name": "Ada", "shoe_size": 43}
    found = unknown_keys(line_of("bulk_contact"), [json.dumps(line).encode()])
    assert [drift.path for drift in found] == ["shoe_size"]
