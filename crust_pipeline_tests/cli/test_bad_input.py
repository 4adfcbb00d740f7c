"""Bad input: each ends as an outcome or as one clear message, without a traceback or a secret."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline_tests.command_line import Ended, crust
from crust_pipeline_tests.people import DAYS, write_people

ENRICH = ("run", "--from", "2026-01-05", "--to", "2026-01-07", "--operation", "enrich")


def message_of(done: Ended, *, code: int = 1) -> str:
    """The one message of a command that failed."""
    assert done.code == code
    assert done.out == ""
    assert "Traceback" not in done.err
    (message,) = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    return message


def outcomes(settings: dict[str, str]) -> dict[str, int]:
    done = crust(*ENRICH, "--json", settings=settings)
    assert done.code == 0, done.err
    return done.json["outcomes"]["enrich"]


def test_a_missing_key(settings: dict[str, str]) -> None:
    del settings["CRUSTDATA_API_KEY"]
    assert "CRUSTDATA_API_KEY is not set" in message_of(crust(*ENRICH, settings=settings), code=2)


def test_a_wrong_key(settings: dict[str, str]) -> None:
    settings["CRUSTDATA_API_KEY"] = "no-such-key"
    message = message_of(crust(*ENRICH, settings=settings))
    assert "does not accept the API key" in message
    assert "no-such-key" not in message


def test_a_key_that_no_header_can_hold(settings: dict[str, str]) -> None:
    settings["CRUSTDATA_API_KEY"] = "a\nb"
    assert "CRUSTDATA_API_KEY" in message_of(crust(*ENRICH, settings=settings), code=2)


@pytest.mark.parametrize(
    "variable", ["CRUST_POLL_SECONDS", "CRUST_PARTITIONS_START", "CRUST_MAX_ACTIVE_BATCHES"]
)
@pytest.mark.parametrize("command", [ENRICH, ("status",), ("sql", "SELECT 1")])
def test_a_setting_that_cannot_be_used(
    settings: dict[str, str], variable: str, command: tuple[str, ...]
) -> None:
    settings[variable] = "nonsense"
    message = message_of(crust(*command, settings=settings), code=2)
    assert variable in message
    assert "nonsense" not in message


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("2026-01-07", "2026-01-05", "is before --from"),
        ("2026-13-01", "2026-01-05", "is no day"),
        ("soon", "2026-01-05", "is no day"),
        ("2019-01-01", "2026-01-05", "CRUST_PARTITIONS_START"),
        ("2026-01-05", str((datetime.now(UTC) + timedelta(days=2)).date()), "is after today"),
    ],
)
def test_days_that_make_no_sense(
    settings: dict[str, str], start: str, end: str, reason: str
) -> None:
    for command in ("run", "plan"):
        done = crust(command, "--from", start, "--to", end, settings=settings)
        assert reason in message_of(done, code=2)


def test_an_operation_that_does_not_exist(settings: dict[str, str]) -> None:
    done = crust(*ENRICH, "--operation", "guess", settings=settings)
    assert "there is no operation guess" in message_of(done, code=2)


def test_a_missing_upstream_file(settings: dict[str, str]) -> None:
    Path(settings["CRUST_UPSTREAM"]).unlink()
    assert settings["CRUST_UPSTREAM"] in message_of(crust(*ENRICH, settings=settings))


def test_a_missing_upstream_column(settings: dict[str, str], upstream: Path) -> None:
    write_people(upstream, [], columns=("profile_url",))
    assert "no column added_on" in message_of(crust(*ENRICH, settings=settings))


def test_days_without_rows(settings: dict[str, str], upstream: Path) -> None:
    write_people(upstream, [])
    assert outcomes(settings) == {}


def test_a_day_of_only_unusable_rows(
    settings: dict[str, str], sandbox: RunningSandbox, upstream: Path
) -> None:
    write_people(upstream, [(DAYS[0], "https://example.com/a"), (DAYS[0], "x"), (DAYS[0], "")])
    assert outcomes(settings) == {"invalid_input": 3}
    assert not sandbox.state.jobs


def test_urls_with_comma_and_percent_encoding_are_asked_for_and_with_spaces_are_not(
    settings: dict[str, str], sandbox: RunningSandbox, upstream: Path
) -> None:
    urls = ["linkedin.com/in/person,2", "linkedin.com/in/jos%C3%A9-4", "linkedin.com/in/a b"]
    write_people(upstream, [(DAYS[0], url) for url in urls])
    counts = outcomes(settings)
    assert counts["invalid_input"] == 1
    assert sum(counts.values()) == 3
    assert len(sandbox.state.times_submitted()) == 2


def test_a_table_that_is_not_utf8(settings: dict[str, str], upstream: Path) -> None:
    head = "added_on,profile_url,first_name\n2026-01-05,linkedin.com/in/person-1,"
    upstream.write_bytes(head.encode() + b"Jos\xe9\n")
    done = crust(*ENRICH, settings=settings)
    assert done.code == 0
    assert "1 lines are not UTF-8 and were read as Windows-1252" in done.out
    names = crust("sql", "SELECT first_name FROM profile_urls", "--csv", settings=settings)
    assert names.out.split() == ["first_name", "José"]


def test_rows_in_no_partition_are_counted(settings: dict[str, str], upstream: Path) -> None:
    write_people(upstream, [("2019-05-01", "linkedin.com/in/a"), ("soon", "linkedin.com/in/b")])
    done = crust(*ENRICH, settings=settings)
    assert "2 upstream rows are in no partition" in done.out


def test_a_ledger_that_is_no_database(settings: dict[str, str]) -> None:
    ledger = Path(settings["CRUST_DATA_DIR"]) / "ledger.db"
    ledger.parent.mkdir()
    ledger.write_bytes(b"no database" * 1000)
    for command in (ENRICH, ("status",)):
        message = message_of(crust(*command, settings=settings))
        assert "file is not a database" in message
        assert "restore a backup" in message


@pytest.mark.parametrize("url", ["nonsense", "mysql://user:password@localhost/x"])
def test_a_ledger_url_that_cannot_be_used(settings: dict[str, str], url: str) -> None:
    message = message_of(crust("status", settings=settings | {"CRUST_LEDGER_URL": url}))
    assert "CRUST_LEDGER_URL" in message
    assert "password" not in message


@pytest.mark.parametrize("folder", ["lake", "raw"])
def test_a_folder_that_cannot_be_written_fails_before_anything_is_bought(
    settings: dict[str, str], sandbox: RunningSandbox, folder: str
) -> None:
    path = Path(settings["CRUST_DATA_DIR"]) / folder
    path.parent.mkdir()
    path.write_text("in the way")
    assert str(path) in message_of(crust(*ENRICH, settings=settings))
    assert not sandbox.state.jobs


@pytest.mark.parametrize("text", ["{", '{"no_such_key": 1}', '{"switches": {"nonsense": 1}}'])
def test_a_sandbox_configuration_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    config = tmp_path / "sandbox.json"
    config.write_text(text)
    done = crust("sandbox", "--config", str(config), settings={})
    assert str(config) in message_of(done, code=2)


def test_a_batch_that_does_not_exist(settings: dict[str, str]) -> None:
    done = crust("reconcile", "--abandon", "no-such-batch", settings=settings)
    assert "no batch no-such-batch" in message_of(done)


def test_an_unreachable_vendor_ends_the_run_and_loses_nothing(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    with sandbox.refusing():
        done = crust(*ENRICH, settings=settings)
    assert done.code == 1
    assert done.out.count("The vendor could not be asked") == 1
    assert "12 rows wait" in done.out
    assert outcomes(settings)["matched"] == 9
    assert set(sandbox.state.times_submitted().values()) == {1}


def test_nothing_that_is_printed_names_a_person_or_the_key(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    sandbox.fail("server_error", path="/batch/person/enrich")
    commands = [ENRICH, ("status",), ("reconcile",), (*ENRICH, "--json"), ("status", "--json")]
    printed = ""
    for command in commands:
        done = crust(*command, settings=settings)
        printed += done.out + done.err
    assert "rows" in printed
    assert sandbox.api_key not in printed
    assert "person-" not in printed


def test_personal_fields_without_consent_stop_a_run_before_anything_is_planned(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    settings["CRUST_PERSONAL_EMAIL_VENDORS"] = "crustdata"
    run = (*ENRICH[:-2], "--operation", "identify", "--operation", "contact")
    message = message_of(crust(*run, settings=settings), code=2)
    assert "CRUST_PERSONAL_CONTACT_CONSENT=true" in message
    assert crust("status", "--json", settings=settings).json["batches"] == {}
    assert not sandbox.state.times_submitted()
