"""Processes that never outlive their starter. One is known to be gone when its pipe has ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crust_pipeline.local_dagster import processes
from crust_pipeline.local_dagster.processes import TetheredProcess

# Opens the named pipe, says that it is there, and would live for ever.
LIVES_FOR_EVER = """
import os, signal, subprocess, sys, threading
pipe = open({pipe!r}, "w")
{child}
pipe.write("here ")
pipe.flush()
threading.Event().wait()
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def command(pipe: Path, child: str = "") -> list[str]:
    return [sys.executable, "-c", LIVES_FOR_EVER.format(pipe=str(pipe), child=child)]


def a_child_of_its_own(pipe: Path) -> str:
    return f"subprocess.Popen({command(pipe)!r})"


def start(command: list[str], log: Path, **environment: str) -> TetheredProcess:
    return TetheredProcess(command, environment=environment, log=log)


def exit_code(process: TetheredProcess) -> int | None:
    process._tether.wait()  # `stop` would interrupt a command that is to end by itself
    process.stop()
    return process.exit_code


def test_stopping_ends_the_command_and_what_it_started(pipe: Path, tmp_path: Path) -> None:
    process = start(command(pipe, a_child_of_its_own(pipe)), tmp_path / "log")
    with pipe.open() as ends:
        assert ends.read(10) == "here here "
        process.stop()
        assert ends.read() == ""
    assert process.exit_code == 128 + signal.SIGTERM


def test_killing_ends_the_command_and_what_it_started_at_once(pipe: Path, tmp_path: Path) -> None:
    process = start(command(pipe, a_child_of_its_own(pipe)), tmp_path / "log")
    with pipe.open() as ends:
        assert ends.read(10) == "here here "
        process.kill()
        assert ends.read() == ""
    assert process.exit_code == 128 + signal.SIGKILL


def test_a_command_that_ignores_sigterm_is_killed_after_the_grace(
    pipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.1)
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    process = start(command(pipe, deaf), tmp_path / "log")
    with pipe.open() as ends:
        assert ends.read(5) == "here "
        process.stop()
        assert ends.read() == ""
    assert process.exit_code == 128 + signal.SIGKILL


def test_the_command_ends_when_its_starter_is_killed(pipe: Path, tmp_path: Path) -> None:
    script = (
        "import pathlib, threading\n"
        "from crust_pipeline.local_dagster.processes import TetheredProcess\n"
        f"log = pathlib.Path({str(tmp_path / 'log')!r})\n"
        f"TetheredProcess({command(pipe)!r}, environment={{}}, log=log)\n"
        "threading.Event().wait()"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as starter, pipe.open() as ends:
        assert ends.read(5) == "here "
        starter.kill()
        assert ends.read() == ""


def test_what_a_dead_command_had_started_ends_too(pipe: Path, tmp_path: Path) -> None:
    sleeper = f"{[sys.executable, '-c', 'import threading; threading.Event().wait()']!r}"
    dies = (
        f"import subprocess; pipe = open({str(pipe)!r}, 'w')\n"
        f"subprocess.Popen({sleeper}, pass_fds=[pipe.fileno()])"
    )
    process = start([sys.executable, "-c", dies], tmp_path / "log")
    assert pipe.read_text() == ""
    assert exit_code(process) == 0


def test_the_command_can_be_interrupted_though_its_starter_ignores_interrupts(
    tmp_path: Path,
) -> None:
    # As under a shell's `&`: an ignored SIGINT passes on, and Dagster copies it to SIGTERM.
    handlers = tmp_path / "handlers"
    asks = (
        "import pathlib, signal\n"
        f"pathlib.Path({str(handlers)!r}).write_text(signal.getsignal(signal.SIGINT).__name__)"
    )
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start([sys.executable, "-c", asks], tmp_path / "log")
    finally:
        signal.signal(signal.SIGINT, before)
    assert exit_code(process) == 0
    assert handlers.read_text() == "default_int_handler"


def test_output_goes_to_the_log_and_its_end_is_shown_without_colours(tmp_path: Path) -> None:
    speaks = "print('first'); print('\\x1b[32msecond\\x1b[0m'); raise SystemExit(3)"
    process = start([sys.executable, "-u", "-c", speaks], tmp_path / "log")
    assert exit_code(process) == 3
    assert process.last_lines(1) == "second"


def test_the_environment_is_laid_over_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "kept")
    shows = "import os; print(os.environ['OURS'], os.environ['THEIRS'])"
    process = start([sys.executable, "-c", shows], tmp_path / "log", THEIRS="added")
    assert exit_code(process) == 0
    assert process.last_lines() == "kept added"
