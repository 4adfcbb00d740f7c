"""A Dagster instance of our own: start it, check that its processes run, stop it.

It has three processes (code server, web server, daemon), and none of them outlives us. `client`
talks to it; `processes` ends its processes with ours.
"""

import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from crust_pipeline.local_dagster.client import (
    DagsterClient,
    InstanceError,
    InstanceUnreachableError,
)
from crust_pipeline.local_dagster.processes import TetheredProcess
from crust_pipeline.private_files import make_private_folder

CONFIG = Path(__file__).parents[2] / "dagster.yaml"
MODULE = "crust_pipeline.definitions"
LOCATION = "crust_pipeline"
START_SECONDS = 120.0


class DagsterInstance(DagsterClient):
    """A running Dagster: a client of the web server that also owns the processes behind it.

    Made by `running`. One code server serves both others: the code is imported once.
    """

    def __init__(
        self,
        *,
        home: Path,
        environment: Mapping[str, str],
        log_dir: Path,
        port: int,
        module: str,
        scratch: Path,
    ) -> None:
        """Write the workspace file; start nothing yet."""
        super().__init__(f"http://127.0.0.1:{port}", location=LOCATION)
        self._environment = {**environment, "DAGSTER_HOME": str(home)}
        self._log_dir = log_dir
        self._port = port
        self._module = module
        self._socket = scratch / "code-server"
        self._workspace = scratch / "workspace.yaml"
        server = {"grpc_server": {"socket": str(self._socket), "location_name": LOCATION}}
        self._workspace.write_text(json.dumps({"load_from": [server]}))
        self._processes: dict[str, TetheredProcess] = {}

    @classmethod
    @contextmanager
    def running(
        cls,
        *,
        home: Path,
        environment: Mapping[str, str],
        log_dir: Path,
        port: int | None = None,
        daemon: bool = True,
        module: str = MODULE,
        config: Path = CONFIG,
    ) -> Iterator[Self]:
        """Run Dagster for the length of a `with` block.

        Args:
            home: where Dagster keeps its history; a later start with the same home goes on from it.
            environment: laid over this process's own.
            log_dir: gets one log file for each process.
            port: of the web server on the loopback address; a free one when not given.
            daemon: False to start it later: what has been launched by then is picked up at once.
            module: the module with the Dagster definitions.
            config: the dagster.yaml to copy into `home`, so that Dagster stores its data there.

        Raises:
            InstanceError: it did not come up; nothing is left running.
        """
        home = home.resolve()
        make_private_folder(home)
        make_private_folder(log_dir)
        with suppress(shutil.SameFileError):
            shutil.copyfile(config, home / "dagster.yaml")
        # Not in `home`, whose path may be long: a socket's may have some 100 characters.
        with tempfile.TemporaryDirectory(prefix="crust-") as scratch:
            instance = cls(
                home=home,
                environment=environment,
                log_dir=log_dir,
                port=port or _free_port(),
                module=module,
                scratch=Path(scratch),
            )
            try:
                instance.start(daemon=daemon)
                yield instance
            finally:
                instance.stop()
                instance.close()

    def start(self, *, daemon: bool) -> None:
        """Start the processes and wait until the code location can be used.

        The daemon comes last: on a new home, it and the web server would both create Dagster's
        SQLite storage, and each now and then spoils the other's.

        Raises:
            InstanceError: a process ended, or the definitions do not load; with its log.
        """
        self._start_process(
            "code-server",
            *("dagster", "api", "grpc", f"--socket={self._socket}", "--lazy-load-user-code"),
            *(f"--module-name={self._module}", f"--location-name={LOCATION}"),
        )
        self._wait_until_listening()
        self.start_web_server()
        if daemon:
            self.start_daemon()

    def start_web_server(self) -> None:
        """Start the web server and wait until it answers."""
        self._start_process(
            "webserver",
            *("dagster_webserver", f"--workspace={self._workspace}"),
            *("--host=127.0.0.1", f"--port={self._port}"),
        )
        self._wait_until_loaded()

    def start_daemon(self) -> None:
        """Start the daemon. Its first look for queued runs and backfills is at its start."""
        self._start_process("daemon", "dagster._daemon", "run", f"--workspace={self._workspace}")

    def check(self) -> None:
        """Check that every process runs.

        Raises:
            InstanceError: a process that should be running has ended.
        """
        for name, process in self._processes.items():
            if process.exit_code is not None:
                raise InstanceError(
                    f"Dagster's {name} ended with exit code {process.exit_code}. "
                    f"The end of {process.log}:\n{process.last_lines()}"
                )

    def stop(self) -> None:
        """Stop everything that runs, within seconds; runs being executed are interrupted."""
        for process in self._processes.values():
            process.begin_stop()
        for process in self._processes.values():
            process.stop()
        self._processes.clear()

    def _start_process(self, name: str, *module: str) -> None:
        self._processes[name] = TetheredProcess(
            [sys.executable, "-m", *module],
            environment=self._environment,
            log=self._log_dir / f"{name}.log",
        )

    def _wait_until_listening(self) -> None:
        """Wait for the code server: a web server that finds none there counts it as broken."""
        deadline = time.monotonic() + START_SECONDS
        while not self._socket.exists() and time.monotonic() < deadline:
            self.check()
            time.sleep(0.05)  # another process makes the socket

    def _wait_until_loaded(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.check()
            with suppress(InstanceUnreachableError):
                if self.location_loaded():
                    return
            time.sleep(0.1)  # between two questions to the web server
        raise InstanceError(
            f"Dagster was not ready after {START_SECONDS:.0f} s; its logs are in {self._log_dir}."
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
