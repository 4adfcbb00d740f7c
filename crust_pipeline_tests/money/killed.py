"""Runs the real command line and kills it, from outside the package, at a write to the ledger.

`python -m crust_pipeline_tests.money.killed before|after N run ...`: SIGKILL just before, or just
after, the N-th write transaction is committed. Ends by itself if there are
fewer.
"""

import os
import signal
import sys

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.default import DefaultDialect

from crust_pipeline.cli import main


def kill_at(when: str, number: int) -> None:
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


if __name__ == "__main__":
    kill_at(sys.argv[1], int(sys.argv[2]))
    main(sys.argv[3:])
