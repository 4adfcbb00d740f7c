"""The invented people: always the same, as varied as the real ones, and nobody real."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.sandbox.fields import ENRICH_FIELDS
from crust_pipeline.sandbox.people import Standing, person_of_slug, slug_of
from crust_pipeline.sandbox.records import person

Path = tuple[str, ...]


@pytest.fixture(scope="module")
def crowd() -> list[dict[str, Any]]:
    everybody = [person(f"{first}-person-{n}") for first in ("ada", "Zoë") for n in range(1500)]
    return [record for record in everybody if record is not None]


def paths(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    if isinstance(value, list):
        return [pair for item in value for pair in paths(item, path)]
    if isinstance(value, dict):
        below = [pair for key, item in value.items() for pair in paths(item, (*path, key))]
        return [(path, value), *below]
    return [(path, value)]


@pytest.mark.parametrize(
    "written",
    [
        "https://www.linkedin.com/in/jane-doe",
        "http://linkedin.com/in/jane-doe/",
        "https://uk.linkedin.com/in/JANE-DOE?originalSubdomain=uk",
        "m.linkedin.com/in/jane%2Ddoe#about",
        "jane-doe",
    ],
)
def test_every_way_of_writing_a_url_is_the_same_person(written: str) -> None:
    assert person(written) == person("jane-doe") is not None


def test_a_slug_is_compared_decoded_and_composed() -> None:
    composed = "https://www.linkedin.com/in/jos%C3%A9-doe"
    assert slug_of(composed) == slug_of("https://www.linkedin.com/in/JOSE%CC%81-doe") == "josé-doe"


@pytest.mark.parametrize(
    "text",
    [
        "https://www.linkedin.com/company/example",
        "https://www.linkedin.com/in/",
        "https://www.example.com/in/jane",
        "https://linkedin.com.example.com/in/jane",
        "http://[::1",
        "",
        "jane doe",
    ],
)
def test_what_is_no_profile_url_leads_to_nobody(text: str) -> None:
    assert slug_of(text) is None


@given(st.text())
def test_no_text_is_too_odd_to_look_up(text: str) -> None:
    assert slug_of(text) == slug_of(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    json.dumps(person(text))


def test_the_shares_of_fates_are_as_stated() -> None:
    fates = Counter(person_of_slug(f"somebody-{n}").standing for n in range(20_000))
    shares = {standing: count / 20_000 for standing, count in fates.items()}
    assert shares[Standing.UNKNOWN] == pytest.approx(0.08, abs=0.01)
    assert shares[Standing.REDACTED] == pytest.approx(0.015, abs=0.005)
    assert shares[Standing.SHELL] == pytest.approx(0.01, abs=0.005)


def test_a_small_share_of_emails_leads_to_somebody() -> None:
    known = sum(person(f"some.body{n}@example.org") is not None for n in range(2000))
    assert 0.15 < known / 2000 < 0.4


def test_an_empty_shell_has_an_id_and_nothing_else(crowd: list[dict[str, Any]]) -> None:
    shells = [record for record in crowd if not record["basic_profile"]]
    assert shells
    assert all(set(shell) == {"crustdata_person_id", "basic_profile"} for shell in shells)


def test_every_selectable_field_occurs_and_nothing_else(crowd: list[dict[str, Any]]) -> None:
    seen = {".".join(path) for record in crowd for path, _ in paths(record) if path}
    posts = {path for path in seen if path.startswith("social_posts.")}
    assert seen - posts == set(ENRICH_FIELDS)


def test_ids_are_always_there_and_hardly_ever_shared(crowd: list[dict[str, Any]]) -> None:
    ids = [record["crustdata_person_id"] for record in crowd]
    assert len(set(ids)) == len(ids)


def test_a_record_is_a_few_kilobytes(crowd: list[dict[str, Any]]) -> None:
    size = sum(len(json.dumps(record, ensure_ascii=False).encode()) for record in crowd)
    assert 2_000 < size / len(crowd) < 8_000


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("basic_profile.first_name", {None}),
        ("basic_profile.summary", {""}),
        ("basic_profile.location.city", {""}),
        ("experience.employment_details.current.function_category", {""}),
        ("experience.employment_details.current.start_date", {None}),
        ("education.schools.start_year", {None}),
        ("social_handles.dev_platform_identifier.profile_url", {None}),
        ("social_handles.twitter_identifier.slug", {""}),
        ("certifications.expiration_date", {None}),
        ("dev_platform_profiles.is_hireable", {None, True, False}),
    ],
)
def test_empty_values_come_in_every_form(
    crowd: list[dict[str, Any]], path: str, values: set[object]
) -> None:
    wanted = tuple(path.split("."))
    seen = {value for record in crowd for where, value in paths(record) if where == wanted}
    assert values <= seen
    assert len(seen) > 1


@pytest.mark.parametrize(
    "group",
    ["professional_network", "experience", "education", "skills", "certifications", "honors"],
)
def test_groups_may_be_missing(crowd: list[dict[str, Any]], group: str) -> None:
    assert {True, False} == {group in record for record in crowd}


def test_dates_come_with_and_without_offset(crowd: list[dict[str, Any]]) -> None:
    dates = {
        value[19:]
        for record in crowd
        for path, value in paths(record)
        if path[-1:] == ("start_date",) and value is not None
    }
    assert dates == {"", "+00:00"}


def test_there_may_be_several_current_jobs_and_the_main_one_need_not_be_first(
    crowd: list[dict[str, Any]],
) -> None:
    currents = [
        [role["is_default"] for role in record["experience"]["employment_details"]["current"]]
        for record in crowd
        if "experience" in record
    ]
    assert {len(roles) for roles in currents} == {0, 1, 2, 3}
    assert all(sum(roles) == 1 for roles in currents if roles)
    assert any(not roles[0] for roles in currents if roles)


def test_the_main_job_is_what_the_profile_says(crowd: list[dict[str, Any]]) -> None:
    for record in crowd:
        for role in record.get("experience", {}).get("employment_details", {}).get("current", []):
            if role["is_default"]:
                assert role["title"] == record["basic_profile"]["current_title"]


def test_names_are_not_all_ascii(crowd: list[dict[str, Any]]) -> None:
    names = [record["basic_profile"].get("name", "") for record in crowd]
    assert any(not name.isascii() for name in names)


def test_contact_details_of_invented_people_are_nobodys(crowd: list[dict[str, Any]]) -> None:
    emails = {
        value
        for record in crowd
        for path, value in paths(record)
        if path[-1:] == ("email",) and value
    }
    assert emails
    assert all(email.endswith(".example") for email in emails)
