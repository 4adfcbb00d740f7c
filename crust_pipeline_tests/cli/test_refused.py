"""What commands say of fields and requests that are refused, and as what they end."""

import pytest

from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC, ENRICH
from crust_pipeline_tests.command_line import crust

DAYS = ("--from", "2026-01-05", "--to", "2026-01-07")
ENRICH_DAYS = (*DAYS, "--operation", "enrich")
SAM = "https://www.linkedin.com/in/sam-sandbox"
# Known to us by the vendor's column lists, and not to the sandbox's enrich.
ONLY_OURS = "social_handles.twitter_handle"
POST = f"POST {ENRICH.path}"


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("typo", "meant"), [("education.schoolz", "education.schools"), ("educationn", "education")]
)
def test_a_misspelt_field_is_refused_before_planning_with_the_nearest_names(
    settings: dict[str, str], sandbox: RunningSandbox, command: str, typo: str, meant: str
) -> None:
    settings["CRUST_ENRICH_FIELDS"] = f"basic_profile,{typo}"
    done = crust(command, *ENRICH_DAYS, settings=settings)

    assert done.code == 2
    assert f"CRUST_ENRICH_FIELDS names fields that do not exist: {typo} (nearest: {meant}," in (
        done.err
    )
    assert sandbox.state.requests[POST] == 0


def test_a_field_that_the_vendor_does_not_know_buys_nothing_and_is_named_at_the_end(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    settings["CRUST_ENRICH_FIELDS"] = f"basic_profile,{ONLY_OURS}"
    done = crust("run", *ENRICH_DAYS, settings=settings)

    assert done.code == 1
    assert f"rows were refused: The vendor does not know {ONLY_OURS} (nearest: " in done.out
    assert "so nothing was bought. Correct CRUST_ENRICH_FIELDS" in done.out
    assert sandbox.state.account.spent == 0

    settings["CRUST_ENRICH_FIELDS"] = "basic_profile"
    mended = crust("run", *ENRICH_DAYS, settings=settings)
    assert mended.code == 0, mended.out
    assert "refused" not in mended.out


def test_a_run_says_which_fields_the_plan_does_not_permit(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    sandbox.state.change(denied_fields=["honors"], endpoints_listed=False)
    done = crust("run", *ENRICH_DAYS, settings=settings)

    assert done.code == 0
    told = (
        "enrich: 10 rows without honors: the account's plan does not permit these fields, "
        "and the rest was asked for."
    )
    assert done.out.splitlines()[-1] == told
    assert crust("run", *ENRICH_DAYS, "--json", settings=settings).json["left_out"] == [told]


def test_a_plan_says_which_fields_are_known_not_to_be_permitted(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    sandbox.state.change(denied_fields=["honors"])
    crust("run", *DAYS[:2], "--to", "2026-01-05", "--operation", "enrich", settings=settings)
    done = crust("plan", *ENRICH_DAYS, settings=settings)

    assert done.out.splitlines()[-1].startswith("enrich: 4 rows without honors: ")
    as_json = crust("plan", *ENRICH_DAYS, "--json", settings=settings).json
    assert as_json[0]["left_out"] == done.out.splitlines()[-1:]


def test_a_lookup_says_which_fields_the_plan_does_not_permit(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    settings |= {
        "CRUST_PHONE_NUMBER_VENDORS": "crustdata",
        "CRUST_PERSONAL_CONTACT_CONSENT": "true",
    }
    sandbox.state.change(denied_fields=["contact.phone_numbers"])
    done = crust("lookup", "--yes", SAM, settings=settings)

    assert done.code == 0
    assert done.out.splitlines()[-1].startswith(
        "contact: 1 rows without personal_contact_info.phone_numbers: "
    )


@pytest.mark.parametrize("shape", ["detail", "text"])
def test_an_account_without_credits_stops_a_run_in_whatever_shape_that_is_said(
    settings: dict[str, str], sandbox: RunningSandbox, shape: str
) -> None:
    sandbox.state.change(refusal="Not enough credits", refusal_status=403, refusal_body=shape)
    done = crust("run", *ENRICH_DAYS, settings=settings)

    assert done.code == 1
    assert "enrich: 13 rows: 12 pending, 1 invalid_input" in done.out
    assert "Stopped: The account has too few credits left (HTTP 403): Not enough" in done.out
    assert sandbox.state.requests[POST] == 1


def test_a_refusal_of_everything_is_told_in_the_vendors_words(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    words = "API version 2025-11-01 is no longer supported"
    sandbox.state.change(refusal=words, refusal_body="detail")
    done = crust("run", *ENRICH_DAYS, settings=settings)

    assert done.code == 1
    assert "enrich: 10 rows were refused: The vendor refused the request" in done.out
    assert f"(HTTP 400): {words}." in done.out
    assert sandbox.state.requests[POST] <= 7


def test_a_lookup_that_is_refused_shows_the_vendors_words(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    sandbox.state.change(refusal="The stars are not right", refusal_body="non_field_errors")
    done = crust("lookup", "--yes", SAM, settings=settings)

    assert done.code == 1
    assert "The stars are not right" in done.out
    assert sandbox.state.requests[f"POST {CONTACT_SYNC.path}"] == 1
