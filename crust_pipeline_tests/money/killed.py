"""Runs the real command line and kills it, from outside the package, at a write to the ledger."""

import multiprocessing
import os
import signal
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.default import DefaultDialect

from crust_pipeline.cli.main import main

# Hundreds of commands are killed: what each would import is imported once.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        __name__,
        "crust_pipeline.app.run_loop",
        "crust_pipeline.tables.flatten.flattening",
        "httpx",
        "duckdb",
    ]
)


def run_and_kill(
    when: str, number: int, *, command: Sequence[str], environment: Mapping[str, str]
) -> int:
    """Run a command in a process that is killed at a write; give its exit code.

    Args:
        when: `before` or `after` the write is committed.
        number: Which write, from 1. If there are fewer, the command ends by itself.
        command: The arguments.
        environment: The environment.
    """
    process = _SERVER.Process(target=_run, args=(when, number, command, dict(environment)))
    process.start()
    process.join(timeout=60)
    assert process.exitcode is not None, "still running after 60 s"
    return process.exitcode


def _run(when: str, number: int, command: Sequence[str], environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    _kill_at(when, number)
    main(command)


def _kill_at(when: str, number: int) -> None:
    """Arrange for the kill; counts write transactions only."""
    seen = 0
    writes = False

    def count(con: sa.Connection) -> None:
        nonlocal seen, writes
        writes = bool(con.get_execution_options().get("crust_write"))
        seen += writes
        if writes and when == "before" and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    commit = DefaultDialect.do_commit

    def commit_and_kill(self: DefaultDialect, connection: object) -> None:
        commit(self, connection)  # pyright: ignore[reportArgumentType]  # whatever it was given
        if writes and when == "after" and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(sa.Engine, "commit", count)
    DefaultDialect.do_commit = commit_and_kill  # pyright: ignore[reportAttributeAccessIssue]
