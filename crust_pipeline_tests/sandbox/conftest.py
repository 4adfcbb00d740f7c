"""A sandbox in this process, with time standing still: no sockets, no waiting."""

import asyncio
import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import pytest
from starlette.types import ASGIApp

from crust_pipeline.sandbox.app import Api
from crust_pipeline.sandbox.clock import Clock
from crust_pipeline.sandbox.control import Control
from crust_pipeline.sandbox.state import DEFAULT_KEY, Sandbox
from crust_pipeline.sandbox.switches import Fault

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HEADERS = {"authorization": f"Bearer {DEFAULT_KEY}", "x-api-version": "2025-11-01"}

ENRICH = "/batch/person/enrich"
IDENTIFY = "/batch/person/identify"
CONTACT = "/batch/person/contact/enrich"
COMPANY = "/batch/company/enrich"
LIVE = "/batch/person/professional_network/enrich/live"
SYNC_CONTACT = "/person/contact/enrich"
SYNC_ENRICH = "/person/enrich"
SYNC_IDENTIFY = "/person/identify"

SAM = "https://www.linkedin.com/in/sam-sandbox"
NOBODY = "https://www.linkedin.com/in/no-such-person"
REMOVED = "https://www.linkedin.com/in/removed-person"
WORKS = 700_001  # where Sam works
UNHEARD_OF = 700_007  # where some people work, though the vendor has no record of it
NO_CONTACT = "https://www.linkedin.com/in/no-contact-person"


class InProcess(httpx.BaseTransport):
    """Hands requests to ASGI applications without a server."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._handle(request))

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)


class Caller:
    """A client of a sandbox that knows how to get through a whole batch."""

    def __init__(self, sandbox: Sandbox, api: httpx.Client, storage: httpx.Client) -> None:
        self.sandbox = sandbox
        self.api = api
        self.storage = storage

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.api.post(path, json=body)

    def submit(self, path: str, **body: Any) -> str:
        response = self.post(path, **body)
        assert response.is_success, response.text
        return response.json()["batch_id"]

    def status(self, batch_id: str) -> dict[str, Any]:
        return self.api.get(f"/batch/{batch_id}").json()

    def finish(self, batch_id: str) -> dict[str, Any]:
        """The status of a job after enough time for it to end."""
        self.sandbox.clock.advance(3600)
        return self.status(batch_id)

    def file(self, url: str) -> list[dict[str, Any]]:
        response = self.storage.get(url)
        assert response.status_code == 200, response.text
        return lines_of(response.content)

    def lines(self, path: str, **body: Any) -> list[dict[str, Any]]:
        """The lines of the file that a batch yields."""
        return self.file(self.finish(self.submit(path, **body))["download_url"])

    def error(self, path: str, **body: Any) -> dict[str, Any]:
        """The error that a refused request is answered with."""
        response = self.post(path, **body)
        assert response.is_client_error, response.text
        return {"status": response.status_code, **response.json()["error"]}

    def balance(self) -> float:
        return self.api.get("/account/credits").json()["account"]["credits"]


def lines_of(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(content).splitlines()]


def by(lines: list[dict[str, Any]], key: str) -> Mapping[str, dict[str, Any]]:
    return {line[key]: line for line in lines}


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.freeze(START)
    return clock


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    sandbox = Sandbox(clock=clock)
    sandbox.storage_url = "http://storage.test"
    return sandbox


@pytest.fixture
def caller(sandbox: Sandbox) -> Iterator[Caller]:
    api = InProcess(Api(sandbox).build())
    storage = InProcess(Control(sandbox).build())
    with (
        httpx.Client(transport=api, base_url="http://api.test", headers=HEADERS) as api_client,
        httpx.Client(transport=storage, base_url=sandbox.storage_url) as storage_client,
    ):
        yield Caller(sandbox, api_client, storage_client)


class Fail(Protocol):
    """Lets something go wrong."""

    def __call__(self, kind: str, **details: Any) -> None: ...


@pytest.fixture
def fail(sandbox: Sandbox) -> Fail:
    def add(kind: str, **details: Any) -> None:
        sandbox.faults.add(Fault.from_json({"fault": kind, **details}))

    return add
