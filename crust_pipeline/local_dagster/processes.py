"""Child processes that never outlive the process that started them.

Each child runs under a tether: a tiny process, this file run as a script, that holds the reading
end of a pipe from us. However we end, a SIGKILL included, the pipe closes and the tether stops the
child with everything the child has started. Only the standard library, so that it starts quickly.
"""

import contextlib
import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

GRACE_SECONDS = 10.0
START_SECONDS = 30.0
_KILL = b"K"
_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>


class TetheredProcess:
    """A running command whose output goes to a log file.

    Args:
        command: the program and its arguments.
        environment: laid over this process's own environment.
        log: the output is appended; the folder must exist.
    """

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> None:
        """Start the command."""
        self.log = log
        with log.open("ab") as output:
            self._tether = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, "-I", "-S", __file__, str(GRACE_SECONDS), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C in the terminal is for us alone
            )

        self._pipe = cast("IO[bytes]", self._tether.stdin)

    @property
    def exit_code(self) -> int | None:
        """The command's exit code (128 + signal if a signal ended it), None while it runs."""
        return self._tether.poll()

    def begin_stop(self) -> None:
        """Ask the command and its children to end; `stop` waits for that."""
        self._pipe.close()

    def stop(self) -> None:
        """End the command and all it has started: SIGTERM, after `GRACE_SECONDS` SIGKILL."""
        self.begin_stop()
        self._tether.wait()

    def kill(self) -> None:
        """End the command and all it has started with SIGKILL, as a crash would."""
        if not self._pipe.closed:
            with contextlib.suppress(BrokenPipeError):  # it has ended by itself
                self._pipe.write(_KILL)
        self.stop()

    def first_lines(self, count: int) -> list[str]:
        """Wait for the beginning of the log, where our servers print their addresses.

        Raises:
            ChildProcessError: the command ended, or was silent for `START_SECONDS`.
        """
        deadline = time.monotonic() + START_SECONDS
        while self.exit_code is None and time.monotonic() < deadline:
            lines = self.log.read_text().splitlines()
            if len(lines) >= count:
                return lines[:count]
            time.sleep(0.1)  # a log file tells nobody that it grew
        raise ChildProcessError(f"A server did not start:\n{self.last_lines()}")

    def last_lines(self, count: int = 20) -> str:
        """Return the end of the log, without colours."""
        text = re.sub(r"\x1b\[[\d;]*m", "", self.log.read_text(errors="replace"))
        return "\n".join(text.splitlines()[-count:])


def _hold(command: Sequence[str], *, grace_seconds: float) -> int:
    """Run the command until it or our starter ends, or a signal comes; leave no process."""
    signals, wake_up = os.pipe()
    os.set_blocking(wake_up, False)
    signal.set_wakeup_fd(wake_up)
    # Handlers, unlike SIG_IGN, are not inherited: under a background shell job, which ignores
    # SIGINT, the child can be interrupted again.
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    _adopt_orphans()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    starter = sys.stdin.fileno()
    ending = signal.SIGTERM
    while child.returncode is None:
        readable, _, _ = select.select([starter, signals], [], [])
        if starter in readable:
            ending = signal.SIGKILL if os.read(starter, 1) == _KILL else signal.SIGTERM
            break
        if os.read(signals, 1) != bytes([signal.SIGCHLD]):
            break
        _reap(child)
    _signal_group(child.pid, ending)
    deadline = time.monotonic() + grace_seconds
    while _signal_group(child.pid, 0) and time.monotonic() < deadline:
        time.sleep(0.02)  # nothing tells when a whole group has ended
        _reap(child)
    _signal_group(child.pid, signal.SIGKILL)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _adopt_orphans() -> None:
    """Become the parent of processes that the child leaves behind (Linux).

    Otherwise process 1 does, which in a container may never collect them: the group never empties.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _reap(child: subprocess.Popen[bytes]) -> None:
    """Collect everything that has ended: the child, and the orphans that are ours now."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child.pid:
                child.returncode = os.waitstatus_to_exitcode(ended[1])


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS refuses when only zombies are left
        return False
    return True


if __name__ == "__main__":
    sys.exit(_hold(sys.argv[2:], grace_seconds=float(sys.argv[1])))
