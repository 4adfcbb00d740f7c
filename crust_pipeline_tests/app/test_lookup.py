"""lookup: what it shows, what it costs, and that neither it nor a plan buys what the other has."""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from crust_pipeline.app import checks, traces
from crust_pipeline.app.days import load_results, today_of
from crust_pipeline.app.installation import Installation
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.settings import Settings
from crust_pipeline.tables.specs import TABLES
from crust_pipeline_tests.command_line import Ended, crust
from crust_pipeline_tests.people import DAYS, write_people

SAM, SAMS_EMAIL = "https://www.linkedin.com/in/sam-sandbox", "sam@example.com"
REMOVED, NOBODY = "linkedin.com/in/removed-person", "linkedin.com/in/no-such-person"
NO_CONTACT = "linkedin.com/in/no-contact-person"
RUN = ("run", "--from", str(DAYS[0]), "--to", str(DAYS[0]), "--json")
PATH = "POST /person/contact/enrich"


def look_up(*arguments: str, settings: Mapping[str, str]) -> Ended:
    return crust("lookup", *arguments, settings=settings)


def sold(sandbox: RunningSandbox) -> Counter[str]:
    """How often each person's contact data was asked for, in any request."""
    return Counter(
        {
            key: count
            for (product, key), count in sandbox.state.times_submitted().items()
            if product == "contact_enrich"
        }
    )


@pytest.fixture
def with_consent(settings: dict[str, str]) -> dict[str, str]:
    return {
        **settings,
        "CRUST_PERSONAL_EMAIL_VENDORS": "crustdata",
        "CRUST_PHONE_NUMBER_VENDORS": "crustdata",
        "CRUST_PERSONAL_CONTACT_CONSENT": "true",
    }


def test_without_a_terminal_the_price_is_told_and_nothing_is_sent(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    done = look_up(SAM, NOBODY, settings=settings)

    assert done.code == 2
    assert "Looking up 2 people costs at most 10 credits. Nothing was sent." in done.err
    assert not done.out
    assert not sandbox.state.requests[PATH]
    assert crust("status", "--json", settings=settings).json["batches"] == {}


@pytest.mark.parametrize(("answer", "sent", "code"), [("y", 1, 0), ("n", 0, 1), ("", 0, 1)])
def test_in_a_terminal_it_asks_before_it_spends(
    settings: dict[str, str],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    sent: int,
    code: int,
) -> None:
    monkeypatch.setattr("crust_pipeline.cli.common.is_asked", lambda: True)

    done = crust("lookup", SAM, settings=settings, typed=f"{answer}\n")

    assert done.code == code
    assert "costs at most 5 credits. Go on? [y/N]" in done.err
    assert sandbox.state.requests[PATH] == sent


def test_a_terminal_is_told_from_a_pipe() -> None:
    from crust_pipeline.cli.common import is_asked

    assert is_asked() is sys.stdin.isatty()


def test_a_card_shows_how_to_reach_a_person(with_consent: dict[str, str]) -> None:
    done = look_up("--yes", SAM, settings=with_consent)

    assert done.code == 0
    assert done.out.splitlines() == [
        SAM,
        "  outcome         matched; 5 credits",
        "  profile key     linkedin.com/in/sam-sandbox",
        "  person id       645451776",
        "  business e-mail sam@example.com (deliverable)",
        "  personal e-mail sam.sandbox@mail.example (catch_all)",
        "  phone           +1-555-0100",
        "Spent 5 credits.",
    ]


def test_as_json_it_says_the_same_to_scripts(with_consent: dict[str, str]) -> None:
    told = look_up("--yes", "--json", SAM, settings=with_consent).json

    (person,) = told["people"]
    assert {key: told[key] for key in told if key != "people"} == {
        "credits_worst_case": 5,
        "credits_computed": 5,
        "credits_reported": 5,
    }
    assert person["identifier"] == SAM
    assert person["profile_key"] == "linkedin.com/in/sam-sandbox"
    assert person["outcome"] == "matched"
    assert person["emails"][0] == {
        "email": SAMS_EMAIL,
        "email_type": "business",
        "status": "deliverable",
    }
    assert person["phones"] == [{"phone_number": "+1-555-0100", "phone_e164": None}]


@pytest.mark.parametrize(
    ("identifier", "outcome"),
    [
        (SAMS_EMAIL, "matched"),
        (NOBODY, "not_found"),
        (REMOVED, "not_found"),
        (NO_CONTACT, "no_data"),
        ("someone@gmail.com", "not_found"),
    ],
    ids=["by e-mail", "unknown", "removed", "nothing on file", "personal address"],
)
def test_every_answer_is_told(settings: dict[str, str], identifier: str, outcome: str) -> None:
    done = look_up("--yes", "--json", identifier, settings=settings)

    assert done.code == 0
    assert done.json["people"][0]["outcome"] == outcome


def test_what_names_nobody_is_told_and_the_others_go_on(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    done = look_up("--yes", "--json", "nonsense", SAM, "linkedin.com/company/x", settings=settings)

    assert done.code == 1
    assert [(person["outcome"], person["detail"]) for person in done.json["people"]] == [
        ("invalid_input", "not a linkedin.com address"),
        ("matched", None),
        ("invalid_input", "a company page, not a person's profile"),
    ]
    assert sold(sandbox) == {"linkedin.com/in/sam-sandbox": 1}


def test_one_person_written_in_two_ways_is_bought_once(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    twice = look_up(
        "--yes", "--json", SAM, "https://il.linkedin.com/in/SAM-Sandbox/?x=1", settings=settings
    )

    assert [person["outcome"] for person in twice.json["people"]] == ["matched", "duplicate"]
    assert twice.json["people"][1]["emails"] == twice.json["people"][0]["emails"] != []
    assert sold(sandbox) == {"linkedin.com/in/sam-sandbox": 1}


def test_more_people_than_one_request_holds_are_all_looked_up(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    people = [f"linkedin.com/in/person-{number}" for number in range(27)]

    told = look_up("--yes", "--json", *people, settings=settings).json

    assert [person["identifier"] for person in told["people"]] == people
    assert sandbox.state.requests[PATH] == 2
    assert told["credits_computed"] == told["credits_reported"] == sandbox.state.account.spent > 0


def test_what_was_looked_up_is_shown_again_for_nothing(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    first = look_up("--yes", "--json", SAM, NOBODY, settings=settings).json["people"]

    again = look_up("--json", SAM, NOBODY, settings=settings)  # without --yes: there is no price

    assert again.code == 0
    assert [person["outcome"] for person in again.json["people"]] == ["reused", "not_found"]
    assert [person["emails"] for person in again.json["people"]] == [p["emails"] for p in first]
    assert again.json["credits_computed"] == 0
    assert sandbox.state.requests[PATH] == 1


def test_a_later_run_does_not_buy_what_was_looked_up(
    settings: dict[str, str], sandbox: RunningSandbox, upstream: Path
) -> None:
    write_people(upstream, [(DAYS[0], SAM)])
    look_up("--yes", SAM, settings=settings)

    done = crust(*RUN, "--operation", "contact", settings=settings)

    assert done.json["outcomes"]["contact"] == {"reused": 1}
    assert sold(sandbox) == {"linkedin.com/in/sam-sandbox": 1}


def test_what_a_run_has_bought_is_shown_for_nothing(
    settings: dict[str, str], sandbox: RunningSandbox, upstream: Path
) -> None:
    write_people(upstream, [(DAYS[0], SAM)])
    crust(*RUN, "--operation", "contact", settings=settings)

    done = look_up("--json", SAM, settings=settings)

    assert done.json["people"][0]["outcome"] == "reused"
    assert done.json["people"][0]["emails"][0]["email"] == SAMS_EMAIL
    assert sold(sandbox) == {"linkedin.com/in/sam-sandbox": 1}


def test_an_address_that_a_run_has_identified_is_the_person_that_it_has_bought(
    settings: dict[str, str], sandbox: RunningSandbox, upstream: Path
) -> None:
    write_people(upstream, [(DAYS[0], SAMS_EMAIL)], columns=("added_on", "business_email"))
    crust(*RUN, "--operation", "identify", "--operation", "contact", settings=settings)

    (person,) = look_up("--json", SAMS_EMAIL, settings=settings).json["people"]

    assert (person["outcome"], person["profile_key"]) == ("reused", "linkedin.com/in/sam-sandbox")
    assert sold(sandbox) == {"linkedin.com/in/sam-sandbox": 1}


def test_an_address_that_was_looked_up_is_not_bought_again_as_the_person_behind_it(
    settings: dict[str, str], sandbox: RunningSandbox, upstream: Path
) -> None:
    write_people(upstream, [(DAYS[0], SAMS_EMAIL)], columns=("added_on", "business_email"))
    look_up("--yes", SAMS_EMAIL, settings=settings)

    done = crust(*RUN, "--operation", "identify", "--operation", "contact", settings=settings)

    assert done.json["outcomes"]["contact"] == {"reused": 1}
    assert sold(sandbox) == {SAMS_EMAIL: 1}


def test_a_lookup_is_in_the_tables_and_in_the_account(
    with_consent: dict[str, str], sandbox: RunningSandbox
) -> None:
    look_up("--yes", SAM, settings=with_consent)

    def ask(query: str) -> list[dict[str, object]]:
        return crust("sql", query, "--json", settings=with_consent).json

    assert ask("SELECT email, email_type FROM contact_emails ORDER BY email_type") == [
        {"email": SAMS_EMAIL, "email_type": "business"},
        {"email": "sam.sandbox@mail.example", "email_type": "personal"},
    ]
    assert ask("SELECT state, file_lines, credits_reported::DOUBLE AS credits FROM batches") == [
        {"state": "landed", "file_lines": 1, "credits": 5.0}
    ]
    assert ask("SELECT operation, identifiers, delivered FROM credit_usage") == [
        {"operation": "contact", "identifiers": 1, "delivered": 1}
    ]
    status = crust("status", "--json", settings=with_consent).json
    assert status["credits_computed"] == sandbox.state.account.spent == 5


def test_personal_fields_without_consent_are_refused_before_anything_is_sent(
    with_consent: dict[str, str], sandbox: RunningSandbox
) -> None:
    del with_consent["CRUST_PERSONAL_CONTACT_CONSENT"]

    done = look_up("--yes", SAM, settings=with_consent)

    assert done.code == 2
    assert "CRUST_PERSONAL_CONTACT_CONSENT" in done.err
    assert not sandbox.state.requests[PATH]


@pytest.mark.parametrize("switches", [Switches(contact_narrowing="ignored")])
def test_personal_data_that_nobody_asked_for_is_kept_but_not_shown(
    settings: dict[str, str],
) -> None:
    done = look_up("--yes", SAM, settings=settings)

    assert "sam.sandbox" not in done.out
    assert "not shown       2 personal values, for lack of consent" in done.out
    assert "Spent 5 credits." in done.out


@pytest.mark.parametrize("variable", ["CRUST_CREDIT_LIMIT_PER_DAY", "CRUST_CREDIT_LIMIT_PER_RUN"])
def test_a_credit_limit_holds(
    settings: dict[str, str], sandbox: RunningSandbox, variable: str
) -> None:
    settings[variable] = "7"

    done = look_up("--yes", "--json", SAM, NOBODY, settings=settings)

    assert done.code == 1
    assert [person["outcome"] for person in done.json["people"]] == ["matched", "over_budget"]
    assert sold(sandbox) == {"linkedin.com/in/sam-sandbox": 1}


def test_a_limit_that_refuses_stops_it_before_anything_is_sent(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    settings |= {"CRUST_CREDIT_LIMIT_PER_DAY": "7", "CRUST_ON_OVER_BUDGET": "refuse"}

    done = look_up("--yes", SAM, NOBODY, settings=settings)

    assert done.code == 1
    assert "could cost up to 10 credits and only 7 may be spent now" in done.err
    assert not sandbox.state.requests[PATH]


def test_whoever_was_erased_is_neither_shown_nor_asked_for(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    look_up("--yes", SAM, settings=settings)
    assert crust("erase", SAM, settings=settings).code == 0

    done = look_up("--yes", "--json", SAM, settings=settings)

    (person,) = done.json["people"]
    assert person["outcome"] == "suppressed"
    assert SAMS_EMAIL not in done.out
    assert sold(sandbox) == {"linkedin.com/in/sam-sandbox": 1}


def test_whoever_was_erased_is_not_shown_with_others_of_the_same_file(
    settings: dict[str, str],
) -> None:
    others = [f"linkedin.com/in/person-{number}" for number in range(3)]
    look_up("--yes", SAM, *others, settings=settings)
    crust("erase", SAM, settings=settings)

    done = look_up("--json", *others, settings=settings)

    assert done.code == 0
    assert any(person["emails"] for person in done.json["people"])
    assert SAMS_EMAIL not in done.out


def test_a_day_with_lookups_in_it_still_adds_up(settings: dict[str, str], upstream: Path) -> None:
    pipeline = Installation(settings=Settings.from_env(settings))
    today = today_of(pipeline)
    write_people(upstream, [(today, SAM), (today, "linkedin.com/in/person-3")])
    look_up("--yes", SAM, SAMS_EMAIL, settings=settings)
    run = ("run", "--from", str(today), "--to", str(today), "--operation", "contact", "--json")
    done = crust(*run, settings=settings)
    files = load_results(pipeline, "contact", [today], run_id="again").files

    assert done.json["outcomes"]["contact"] == {"reused": 1, "matched": 1}
    assert traces.lines_add_up(pipeline, "contact", [today], files).passed
    assert checks.outcomes_add_up(pipeline, [today]).passed
    assert checks.credits_are_as_reported(pipeline, [today]).passed
    assert checks.keys_are_unique(pipeline, TABLES["contact_emails"], [today]).passed
    assert crust("status", "--json", settings=settings).json["batches"] == {"loaded": 3}
    pipeline.ledger.close()
