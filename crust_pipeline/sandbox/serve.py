"""Runs a sandbox: its listeners in threads of their own, for the command line and for tests."""

import json
import signal
import socket
import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from crust_pipeline.sandbox.app import Api
from crust_pipeline.sandbox.clock import Clock
from crust_pipeline.sandbox.control import Control
from crust_pipeline.sandbox.pronto.account import ProntoAccount, ProntoSwitches
from crust_pipeline.sandbox.pronto.app import ProntoApi
from crust_pipeline.sandbox.pronto.deliveries import Deliveries
from crust_pipeline.sandbox.state import DEFAULT_CREDITS, DEFAULT_KEY, Sandbox
from crust_pipeline.sandbox.switches import Fault, Switches
from crust_pipeline.sandbox.webhooks import Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """How a sandbox starts.

    Attributes:
        switches: Choices where the documents are silent.
        faults: What goes wrong, in order.
        keys: API keys that are accepted.
        credits: The balance at the start.
        state_file: Where jobs and purchases are remembered from one run to the next.
        pronto: Choices where the other vendor's documents are silent.
    """

    switches: Switches = field(default_factory=Switches)
    faults: tuple[Fault, ...] = ()
    keys: tuple[str, ...] = (DEFAULT_KEY,)
    credits: Decimal = DEFAULT_CREDITS
    state_file: Path | None = None
    pronto: ProntoSwitches = field(default_factory=ProntoSwitches)

    @staticmethod
    def read(path: Path) -> "SandboxConfig":
        """Return the configuration of a JSON file with the keys of this class.

        Raises:
            ValueError: The file is no such configuration.
        """
        given: Any = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(given, dict):
            raise ValueError("a sandbox configuration is a JSON object")  # noqa: TRY004 - of the file
        config = cast("dict[str, Any]", given)
        if unknown := set(config) - {f.name for f in fields(SandboxConfig)}:
            raise ValueError(f"a sandbox configuration has no {sorted(unknown)}")
        pronto = config.get("pronto", {})
        if unknown := set(pronto) - {f.name for f in fields(ProntoSwitches)}:
            raise ValueError(f"the sandbox's Pronto has no {sorted(unknown)}")
        return SandboxConfig(
            pronto=ProntoSwitches(**pronto),
            switches=Switches().with_changes(config.get("switches", {})),
            faults=tuple(Fault.from_json(item) for item in config.get("faults", [])),
            keys=tuple(config.get("keys", (DEFAULT_KEY,))),
            credits=Decimal(str(config.get("credits", DEFAULT_CREDITS))),
            state_file=Path(config["state_file"]) if config.get("state_file") else None,
        )


class Listener:
    """One address of a sandbox, served by uvicorn in a thread."""

    def __init__(self, app: ASGIApp, *, host: str, port: int) -> None:
        """Take the address (port 0: a free one) without serving it yet."""
        self._app = app
        self._socket = _bound(host, port)
        self._host, self._port = host, int(self._socket.getsockname()[1])
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address."""
        return f"http://{self._host}:{self._port}"

    def start(self) -> None:
        """Serve, and return when connections are accepted."""
        if self._socket.fileno() == -1:
            self._socket = _bound(self._host, self._port)
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._socket.listen(128)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=f"sandbox {self.url}", daemon=True
        )
        self._thread.start()

    def end_soon(self) -> None:
        """Ask to stop, without waiting for it."""
        if self._server is not None:
            self._server.should_exit = True

    def stop(self) -> None:
        """Stop serving, so that connections are refused; `start` takes the same address again."""
        self.end_soon()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()


class RunningSandbox:
    """A sandbox with its addresses: two of Crustdata, and Pronto's."""

    def __init__(
        self,
        sandbox: Sandbox,
        pronto: ProntoAccount,
        *,
        host: str,
        port: int,
        storage_port: int,
        pronto_port: int,
    ) -> None:
        """Take the addresses and serve."""
        self.state = sandbox
        self.pronto = pronto
        self._pronto_api = Listener(ProntoApi(pronto).build(), host=host, port=pronto_port)
        self._deliveries = Deliveries(pronto)
        self._storage = Listener(Control(sandbox).build(), host=host, port=storage_port)
        sandbox.storage_url = self._storage.url
        self._api = Listener(Api(sandbox).build(), host=host, port=port)
        self._webhooks = Webhooks(sandbox)
        self._storage.start()
        self._api.start()
        self._webhooks.start()
        self._pronto_api.start()
        self._deliveries.start()

    @property
    def base_url(self) -> str:
        """The API's address."""
        return self._api.url

    @property
    def storage_url(self) -> str:
        """The address of downloads and of the control requests."""
        return self._storage.url

    @property
    def pronto_url(self) -> str:
        """The address of Pronto's API."""
        return f"{self._pronto_api.url}/api/v2"

    @property
    def api_key(self) -> str:
        """A key that is accepted."""
        return min(self.state.keys)

    @property
    def clock(self) -> Clock:
        """The sandbox's time."""
        return self.state.clock

    def fail(self, kind: str, **details: Any) -> None:  # noqa: ANN401 - a fault's value
        """Let something go wrong: `fail("connection_lost_after_accept", times=1)`."""
        self.state.faults.add(Fault.from_json({"fault": kind, **details}))

    @contextmanager
    def refusing(self) -> Generator[None]:
        """Refuse connections to the API while inside."""
        self._api.stop()
        try:
            yield
        finally:
            self._api.start()

    def stop(self) -> None:
        """End all listeners."""
        for listener in (self._api, self._storage, self._pronto_api):
            listener.end_soon()
        self._webhooks.stop()
        self._deliveries.stop()
        self._pronto_api.stop()
        self._api.stop()
        self._storage.stop()


@contextmanager
def running_sandbox(
    *,
    switches: Switches | None = None,
    config: SandboxConfig | None = None,
    clock: Clock | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    storage_port: int = 0,
    pronto_port: int = 0,
) -> Generator[RunningSandbox]:
    """Run a sandbox on loopback for the length of a `with` block, on free ports by default.

    Args:
        switches: Choices; instead of those of `config`.
        config: How it starts; the defaults if None.
        clock: The time it lives in; real time if None.
        host: Where to listen.
        port: Port of the API; 0: a free one.
        storage_port: Port of storage and control; 0: a free one.
        pronto_port: Port of Pronto's API; 0: a free one.
    """
    config = config or SandboxConfig()
    sandbox = Sandbox(
        switches=switches or config.switches,
        keys=config.keys,
        credits_at_start=config.credits,
        clock=clock,
        state_file=config.state_file,
    )
    sandbox.faults.set(list(config.faults))
    pronto = ProntoAccount(
        keys=config.keys, credits_at_start=config.credits, switches=config.pronto
    )
    running = RunningSandbox(
        sandbox,
        pronto,
        host=host,
        port=port,
        storage_port=storage_port,
        pronto_port=pronto_port,
    )
    try:
        yield running
    finally:
        running.stop()


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    storage_port: int = 0,
    pronto_port: int = 0,
    config: SandboxConfig | None = None,
) -> None:
    """Run until SIGINT or SIGTERM; prints the addresses of API, storage and control, and Pronto."""
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with running_sandbox(
        config=config, host=host, port=port, storage_port=storage_port, pronto_port=pronto_port
    ) as running:
        _print_lines((running.base_url, running.storage_url, running.pronto_url))
        ended.wait()


def _print_lines(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener
