"""Runs the real command line and kills it, from outside the package, at a write to the ledger."""

import multiprocessing
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import FrameType

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.default import DefaultDialect

from crust_pipeline.cli.main import main

STORE = "crust_pipeline.ledger.store"
MAKES_TABLES = "_open"

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


@dataclass(frozen=True, slots=True)
class Write:
    """A write to the ledger at which to kill: the `number`-th of a kind, from 1; None: of any kind.

    A write's kind is the function of the product that makes it. Only writes that change a row
    count: a kill at another leaves what a kill at one of its neighbours leaves.
    """

    kind: str | None
    number: int = 1


def run_and_kill(
    when: str, write: Write, *, command: Sequence[str], environment: Mapping[str, str]
) -> int:
    """Run a command in a process that is killed at a write; give its exit code.

    Args:
        when: `before` or `after` the write is committed.
        write: Which write. If there is no such write, the command ends by itself.
        command: The arguments.
        environment: The environment.
    """
    return _forked(_run_to_the_kill, when, write, command, dict(environment))


def kinds_of_writes(*, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The kinds of the writes that a command makes when nobody kills it, in order."""
    receiver, sender = _SERVER.Pipe(duplex=False)
    assert _forked(_run_and_tell, sender, command, dict(environment)) == 0
    return receiver.recv()


def _forked(target: Callable[..., None], *args: object) -> int:
    process = _SERVER.Process(target=target, args=args)
    process.start()
    process.join(timeout=180)
    assert process.exitcode is not None, "still running after 180 s"
    return process.exitcode


def _run_to_the_kill(
    when: str, write: Write, command: Sequence[str], environment: dict[str, str]
) -> None:
    seen = 0

    def kill(kind: str, now: str) -> None:
        nonlocal seen
        if write.kind in {None, kind}:
            seen += now == "before"
            if now == when and seen == write.number:
                os.kill(os.getpid(), signal.SIGKILL)

    _watch_writes(kill)
    _run(command, environment)


def _run_and_tell(sender: Connection, command: Sequence[str], environment: dict[str, str]) -> None:
    kinds: list[str] = []
    _watch_writes(lambda kind, now: kinds.append(kind) if now == "before" else None)
    try:
        _run(command, environment)
    finally:
        sender.send(kinds)


def _run(command: Sequence[str], environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    main(command)


def _watch_writes(tell: Callable[[str, str], None]) -> None:
    """Call `tell` with the kind of each write that changes something, before and after it."""
    # Files are landed in a thread of their own.
    of_thread = threading.local()

    def begin(con: sa.Connection) -> None:
        con.info["changes"] = _changes(con)

    def before_commit(con: sa.Connection) -> None:
        of_thread.kind = None
        if con.get_execution_options().get("crust_write"):
            writer = _writer()
            # SQLite does not count what makes the tables.
            if writer == MAKES_TABLES or _changes(con) > con.info["changes"]:
                of_thread.kind = writer
                tell(writer, "before")

    commit = DefaultDialect.do_commit

    def commit_and_tell(self: DefaultDialect, connection: object) -> None:
        commit(self, connection)  # pyright: ignore[reportArgumentType]  # whatever it was given
        if (kind := getattr(of_thread, "kind", None)) is not None:
            tell(kind, "after")

    event.listen(sa.Engine, "begin", begin)
    event.listen(sa.Engine, "commit", before_commit)
    DefaultDialect.do_commit = commit_and_tell  # pyright: ignore[reportAttributeAccessIssue]


def _changes(con: sa.Connection) -> int:
    sqlite = con.connection.dbapi_connection
    assert isinstance(sqlite, sqlite3.Connection)
    return sqlite.total_changes


def _writer() -> str:
    """The function whose write is being committed: the innermost outside of the ledger's store."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module == STORE and frame.f_code.co_name == "_open":
            return MAKES_TABLES
        if module.startswith("crust_pipeline.") and module != STORE:
            return frame.f_code.co_name
        frame = frame.f_back
    raise AssertionError("a write that nobody makes")
