"""The documentation: its commands exist, those of the tutorial work, its links lead somewhere."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import click
import duckdb
import pytest

from crust_pipeline.cli.main import main
from crust_pipeline.ledger.outcomes import OPEN_OUTCOMES, TROUBLED_OUTCOMES, Outcome
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.settings import Settings
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline_tests.command_line import crust
from tools.command_pages import command_line_page, settings_page

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
SERVERS = {"sandbox", "dev", "demo", "inbox"}


def commands_in(page: Path) -> list[list[str]]:
    """Every `crust-pipeline ...` of a page, in words; comments and prose around it left out."""
    text = page.read_text(encoding="utf-8")
    inline = re.findall(r"`(crust-pipeline [^`]+)`", text)
    lines = re.findall(r"^\s*(crust-pipeline [^#\n]+)", text, re.MULTILINE)
    return [shlex.split(found)[1:] for found in [*inline, *lines]]


def steps_of_the_tutorial() -> list[list[str]]:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("crust-pipeline ")]
    return [command for command in commands if command[0] not in SERVERS]


def command_of(words: list[str]) -> click.Command:
    """The command that these words call."""
    command: click.Command = main
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-") and word != "...":
            assert word in command.commands, f"{words}: there is no {word}"
            command = command.commands[word]
    return command


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    for words in commands_in(page):
        command = command_of(words)
        known = {"--help", *(name for option in command.params for name in option.opts)}
        used = {word.split("=")[0] for word in words if word.startswith("--")}
        assert used <= known, f"crust-pipeline {words[0]} has no {used - known}"


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {_anchor(title) for title in titles}, target


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_the_steps_of_the_tutorial_work_in_order(sandbox: RunningSandbox, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "CRUSTDATA_API_KEY": "sandbox-key",
        "CRUSTDATA_BASE_URL": sandbox.base_url,
        "CRUST_DATA_DIR": str(tmp_path / "tutorial"),
        "CRUST_UPSTREAM": str(ROOT / "data" / "profile_urls.csv"),
        "CRUST_POLL_SECONDS": "0.1",
    }
    steps = steps_of_the_tutorial()
    assert [step[0] for step in steps] == ["plan", "run", "status", "sql", "sql", "sql", "report"]
    for step in steps:
        done = subprocess.run(
            [sys.executable, "-m", "crust_pipeline", *step],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (step, done.stderr)
        assert done.stdout
    assert (tmp_path / "tutorial" / "report.html").exists()


def complete_commands() -> dict[str, list[str]]:
    """What a reader can copy from a page and run: without `...`, and no mere name of a command."""
    found = {
        shlex.join(words): words
        for page in PAGES
        if page.name not in {"command-line.md", "tutorial.md"}  # made from the code; run below
        for words in commands_in(page)
        if words[0] not in SERVERS and not {"...", "[OPTIONS]"} & set(words)
    }
    # The id of a batch that there is stands in no page.
    needs = {
        "run": "--from",
        "plan": "--from",
        "lookup": "https",
        "prune": "--older",
        "refetch": "the id of a batch",
    }
    return {
        name: words
        for name, words in found.items()
        if needs.get(words[0], "") in name and isinstance(command_of(words), click.Command)
    }


def test_every_command_of_the_other_pages_works(settings: dict[str, str], tmp_path: Path) -> None:
    settings |= {"CRUST_UPSTREAM": str(ROOT / "data" / "profile_urls.csv")}
    # What `crust-pipeline dev` has left there.
    home = tmp_path / "data" / "dagster"
    home.mkdir(parents=True)
    shutil.copy(ROOT / "dagster.yaml", home)
    # What is bought is looked at afterwards.
    commands = sorted(complete_commands().values(), key=lambda words: words[0] != "run")
    assert len(commands) > 10
    for words in commands:
        agreed = ["--yes"] if "--refresh" in words or words[0] == "lookup" else []
        # A year of days without rows is the same command, and takes a minute more.
        shorter = [word.replace("2026-01-01", "2026-11-01") for word in words]
        done = crust(*shorter, *agreed, settings=settings)
        assert done.code == 0, (words, done.err)


def python_in(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def people_of(day: date) -> list[dict[str, object]]:
    """A reader's query."""
    return [{"added_on": day, "profile_url": "https://www.linkedin.com/in/jane-doe"}]


@pytest.mark.parametrize("page", ["upstream.md", "how-to.md"])
def test_an_upstream_asset_of_a_page_writes_the_day(
    page: str, settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    with duckdb.connect("dbt.duckdb") as con:
        con.execute(
            "CREATE TABLE stg_people AS SELECT DATE '2026-01-05' AS added_on, 'me@example.com' "
            "AS business_email, 'https://www.linkedin.com/in/me' AS profile_url, 'crm' AS source"
        )
    import dagster

    reader: dict[str, Any] = {"people_of": people_of}
    exec(python_in(page)[0], reader)  # noqa: S102 - what the page tells a reader to write
    job = reader["defs"].resolve_implicit_global_asset_job_def()
    with dagster.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(
            instance=instance,
            asset_selection=[dagster.AssetKey("profile_urls")],
            partition_key="2026-01-05",
        )
    rows = Lake(tmp_path / "data" / "lake").read("profile_urls")
    assert len(rows) == 1
    assert rows["profile_key"].notna().all()


def test_a_schedule_of_the_how_to_is_beside_ours() -> None:
    reader: dict[str, Any] = {}
    exec(python_in("how-to.md")[1], reader)  # noqa: S102 - what the page tells a reader to write
    names = {schedule.name for schedule in reader["defs"].schedules}
    assert names == {"evening_plan", "daily_plan", "daily_report"}


def test_each_way_to_fail_has_its_recovery() -> None:
    from crust_pipeline.definitions import defs

    text = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
    table = text[text.index("## Recover") : text.index("## Go to production")]
    named = set(re.findall(r"`(\w+)`", table))
    well = {BatchState.LANDED, BatchState.LOADED}
    assert {state.value for state in BatchState} - well <= named
    assert TROUBLED_OUTCOMES | OPEN_OUTCOMES | {Outcome.OVER_BUDGET, Outcome.NOT_PERMITTED} <= named
    graph = defs.resolve_asset_graph()
    checks = {key.name for key in graph.asset_check_keys}
    # These stop a run because of an error of ours: there is nothing that a person could do.
    ours = {"keys_are_unique", "columns_are_as_specified", "lines_add_up", "outcomes_add_up"}
    blocking = {key.name for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
    assert blocking - ours <= named & checks


def test_every_command_has_help() -> None:
    silent = [name for name, command in main.commands.items() if not command.help]
    assert not silent


def test_the_page_of_settings_is_current() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page()


def test_the_page_of_the_command_line_is_current() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert page == command_line_page(main)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_variable_that_a_page_names_is_a_setting(page: Path) -> None:
    known = {spec.metadata["variable"] for spec in fields(Settings)}
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:CRUST|CRUSTDATA|PRONTO)_[A-Z_]+[A-Z]\b", text))
    assert named <= known


def test_the_map_of_the_code_names_every_package_and_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "crust_pipeline"
    parts = [path.name + "/" for path in package.iterdir() if (path / "__init__.py").exists()]
    parts += [path.name for path in package.glob("*.py") if not path.name.startswith("__")]
    assert not [part for part in parts if f"`{part}`" not in text]
