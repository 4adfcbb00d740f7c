"""The documentation: its commands exist, those of the tutorial work, its links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from crust_pipeline.cli import main
from crust_pipeline.commands.page import command_line_page, settings_page
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.settings import Settings

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


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    for words in commands_in(page):
        command = main.commands.get(words[0]) if not words[0].startswith("-") else main
        assert command, f"there is no crust-pipeline {words[0]}"
        known = {"--help", *(name for option in command.params for name in option.opts)}
        used = {word.split("=")[0] for word in words[1:] if word.startswith("--")}
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
