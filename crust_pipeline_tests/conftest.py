"""What all tests share: an environment without our settings, a sandbox, an upstream table."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Never

import pytest
from hypothesis import settings as hypothesis_settings

from crust_pipeline.sandbox.serve import RunningSandbox, running_sandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.settings import ENV_FILE
from crust_pipeline_tests.bought import bought as bought  # noqa: PLC0414 - a fixture for all
from crust_pipeline_tests.people import DAYS, write_people

TESTS = Path(__file__).parent
# What `make test-fast` runs: pure logic and small SQLite. A new module of these folders is fast
# until it stands below, so nobody has to remember a marker; a new folder is not.
FAST_FOLDERS = {"", "buying", "ledger", "vendors"}
# Modules of other folders that need neither files nor whole days.
FAST_MODULES = {
    "tables/test_cases",
    "tables/test_phones",
    "tables/test_specs",
}
SLOW_MODULES = {
    "buying/test_callbacks",  # an inbox for each test
    "buying/test_failed_jobs",  # hundreds of jobs, halved until who fails them stands alone
    "buying/test_watch",  # a whole pipeline for each test
    "ledger/test_migrations",  # ledgers of many commits, each upgraded
    "ledger/test_machine",  # thousands of random steps
    "test_contributing",  # runs copies of the program
    "test_docs",  # runs what the pages say
    "test_bad_days",  # whole days, loaded
    "test_errors",  # imports all modules
    "test_environment",  # imports all modules in a process of its own
    "test_registry",  # every product, bought
    "test_stores",  # the command line
    "test_restoring",  # the command line
    "test_upgrade",  # the command line
    "test_layers",  # imports each room in a process of its own
    "test_notebook",
    "test_workspace",  # a Dagster instance
}
# Nothing but a standstill ends a test of real processes: it gives up by itself when nothing moves
# (waiting.py), however slow the machine is. This is only for a test that turns for ever.
E2E_SECONDS = 1800


def is_fast(path: Path) -> bool:
    """Whether a module's tests are fast, unless they are marked `process` or `slow`."""
    module = path.relative_to(TESTS).with_suffix("").as_posix()
    folder, _, _ = module.rpartition("/")
    return (folder in FAST_FOLDERS or module in FAST_MODULES) and module not in SLOW_MODULES


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what is not fast, nor its conftest: much of it imports Dagster."""
    if config.option.markexpr != "fast" or TESTS not in collection_path.parents:
        return None
    if collection_path.is_dir():
        folder = collection_path.relative_to(TESTS).as_posix()
        fast = folder in FAST_FOLDERS or any(m.startswith(f"{folder}/") for m in FAST_MODULES)
    else:
        fast = is_fast(collection_path)
    return None if fast else True


def pytest_configure() -> None:
    """Make the tests the same everywhere, and let none of them use a developer's own key.

    They send Ctrl-C to programs, to which whatever a shell runs in the background is deaf. And
    property tests look at the same examples each time: `--hypothesis-seed=N` looks elsewhere.
    """
    if ENV_FILE.exists():
        raise pytest.UsageError(
            f"The processes that tests start would read {ENV_FILE}, and its key: move it away, or "
            "start the tests in another folder."
        )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis_settings.register_profile("same", derandomize=True)
    hypothesis_settings.load_profile("same")


# First, for xdist reads the groups when it is its turn.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is fast, and what a clock must not end.

    With both cores at work, one Dagster at a time is enough: they would slow each other down.
    """
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.xdist_group("dagster"))
            item.add_marker(pytest.mark.timeout(E2E_SECONDS))
        elif is_fast(item.path) and not any(map(item.get_closest_marker, ("process", "slow"))):
            item.add_marker(pytest.mark.fast)


@pytest.fixture(autouse=True)
def _fast_tests_start_no_process(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Holds that the fast tests stay so."""

    def refuse(*_: object, **__: object) -> Never:
        raise AssertionError("a fast test starts no process: mark it `process`")

    if request.node.get_closest_marker("fast"):
        monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own key or data folder must not get into a test."""
    for variable in os.environ:
        if variable.startswith(("CRUST", "PRONTO", "DAGSTER")):
            monkeypatch.delenv(variable)


@pytest.fixture
def switches() -> Switches:
    return Switches(instant_jobs=True)


@pytest.fixture
def sandbox(switches: Switches) -> Iterator[RunningSandbox]:
    """The vendor, whose jobs end at once unless the test says otherwise.

    Its end takes a quarter of a second, in which its servers only wait: the next test does not.
    """
    with ExitStack() as ends:
        yield ends.enter_context(running_sandbox(switches=switches))
        threading.Thread(target=ends.pop_all().close, name="end of a sandbox").start()


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """Three days of people: ten that differ, two of them again on the second day, one unusable."""
    path = tmp_path / "people.csv"
    numbers = {DAYS[0]: range(6), DAYS[1]: range(4, 8), DAYS[2]: range(8, 10)}
    rows = [(day, f"https://www.linkedin.com/in/person-{n}") for day in DAYS for n in numbers[day]]
    write_people(path, [*rows, (DAYS[2], "https://example.com/no-profile")])
    return path


@pytest.fixture
def settings(sandbox: RunningSandbox, upstream: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of an installation that buys from the sandbox."""
    return {
        "CRUSTDATA_API_KEY": sandbox.api_key,
        "CRUSTDATA_BASE_URL": sandbox.base_url,
        "CRUST_DATA_DIR": str(tmp_path / "data"),
        "CRUST_UPSTREAM": str(upstream),
        "CRUST_POLL_SECONDS": "0",
    }
