"""`crust-pipeline erase`: people leave all tables, and come back by no way that there is."""

import json
from pathlib import Path

import pytest

from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline_tests.command_line import Ended, crust
from crust_pipeline_tests.people import DAYS, write_people

SAM = "https://www.linkedin.com/in/sam-sandbox"
SAMS_KEY = "linkedin.com/in/sam-sandbox"
OTHER = "https://www.linkedin.com/in/person-1"
EMAIL = "sam@example.com"
RUN = ["--from", str(DAYS[0]), "--to", str(DAYS[1])]
COLUMNS = ("added_on", "profile_url", "business_email", "first_name")


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """Sam on two days, and somebody else."""
    path = tmp_path / "people.csv"
    rows = [(DAYS[0], SAM, EMAIL, "Sam"), (DAYS[0], OTHER, "", "O"), (DAYS[1], SAM, "", "Sam")]
    write_people(path, rows, columns=COLUMNS)
    return path


def run(settings: dict[str, str], *more: str) -> Ended:
    return crust("run", *RUN, "--operation", "enrich", *more, settings=settings)


def count(settings: dict[str, str], condition: str, table: str) -> int:
    query = f"SELECT count(*) AS n FROM {table} WHERE {condition}"
    (row,) = json.loads(crust("sql", query, "--json", settings=settings).out)
    return row["n"]


def assert_sam_is_gone(settings: dict[str, str]) -> None:
    for table in ("people", "employment", "outcomes", "profile_urls"):
        assert count(settings, f"profile_key = '{SAMS_KEY}'", table) == 0, table
    assert count(settings, "profile_url LIKE '%sam-sandbox%'", "profile_urls") == 0
    assert count(settings, "first_name = 'Sam' OR business_email <> ''", "profile_urls") == 0
    assert count(settings, "line LIKE '%sam-sandbox%'", "quarantine") == 0
    assert count(settings, "outcome = 'suppressed'", "outcomes") == 2


def test_a_person_leaves_all_tables_and_the_others_stay(settings: dict[str, str]) -> None:
    run(settings)
    assert count(settings, f"profile_key = '{SAMS_KEY}'", "people") == 1
    done = crust("erase", SAM, settings=settings)
    assert done.code == 0
    assert "the tables of 2 days are written anew" in done.out
    assert_sam_is_gone(settings)
    assert count(settings, "true", "people") == 1
    assert count(settings, "true", "profile_urls") == 3


def test_neither_a_rebuild_nor_another_run_brings_a_person_back(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    run(settings)
    crust("erase", SAM, settings=settings)
    crust("rebuild", *RUN, settings=settings)
    assert_sam_is_gone(settings)
    assert run(settings, "--refresh", "--yes").code == 0
    assert_sam_is_gone(settings)
    times = sandbox.state.times_submitted()
    assert {key: number for (_, key), number in times.items()} == {
        SAMS_KEY: 1,
        "linkedin.com/in/person-1": 2,
    }


def test_a_person_is_erased_by_an_e_mail_that_stands_beside_the_profile(
    settings: dict[str, str],
) -> None:
    run(settings)
    told = crust("erase", EMAIL, "--json", settings=settings).json
    assert told["keys"] == 2
    assert len(told["source_files"]) == 1
    assert_sam_is_gone(settings)


def test_a_person_who_was_never_bought_is_never_asked_for(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    assert crust("erase", SAM, settings=settings).code == 0
    assert run(settings).code == 0
    assert_sam_is_gone(settings)
    assert SAMS_KEY not in {key for _, key in sandbox.state.times_submitted()}


def test_erasing_again_changes_nothing(settings: dict[str, str]) -> None:
    run(settings)
    crust("erase", SAM, settings=settings)
    assert crust("erase", SAM, settings=settings).code == 0
    assert_sam_is_gone(settings)


def test_what_is_no_profile_and_no_e_mail_erases_nobody(settings: dict[str, str]) -> None:
    run(settings)
    done = crust("erase", SAM, "https://example.com/somebody", settings=settings)
    assert done.code == 2
    assert "Nobody was erased" in done.err
    assert count(settings, f"profile_key = '{SAMS_KEY}'", "people") == 1


def test_nothing_that_is_printed_names_the_person(settings: dict[str, str]) -> None:
    run(settings)
    done = crust("erase", SAM, settings=settings)
    assert "sam" not in done.out + done.err
