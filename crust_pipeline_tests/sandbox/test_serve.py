"""The sandbox as a real server: sockets, broken connections, the command's lines."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from crust_pipeline.sandbox.serve import RunningSandbox, SandboxConfig, running_sandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline_tests.sandbox.conftest import ENRICH, HEADERS, SAM

URLS = "professional_network_profile_urls"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningSandbox]:
    with running_sandbox(switches=Switches(instant_jobs=True)) as running:
        yield running


@pytest.fixture
def api(server: RunningSandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base_url, headers=HEADERS, timeout=30) as client:
        yield client


def submit(api: httpx.Client) -> httpx.Response:
    return api.post(ENRICH, json={URLS: [SAM]})


def test_a_batch_goes_through_sockets(server: RunningSandbox, api: httpx.Client) -> None:
    done = api.get(f"/batch/{submit(api).json()['batch_id']}").json()
    assert done["download_url"].startswith(f"{server.storage_url}/")
    assert server.storage_url != server.base_url
    response = httpx.get(done["download_url"])
    assert response.content.startswith(b"\x1f\x8b")


@pytest.mark.parametrize(
    ("kind", "jobs"), [("connection_lost", 0), ("connection_lost_after_accept", 1)]
)
def test_a_connection_may_be_lost_before_or_after_acceptance(
    server: RunningSandbox, api: httpx.Client, kind: str, jobs: int
) -> None:
    before = len(server.state.jobs)
    server.fail(kind)
    with pytest.raises(httpx.TransportError):
        submit(api)
    assert len(server.state.jobs) - before == jobs
    assert submit(api).status_code == 200


def test_a_slow_answer_comes_after_the_client_gave_up(
    server: RunningSandbox, api: httpx.Client
) -> None:
    before = len(server.state.jobs)
    server.fail("slow_after_accept", value=30)
    with pytest.raises(httpx.ReadTimeout):
        api.post(ENRICH, json={URLS: [SAM]}, timeout=0.2)
    assert len(server.state.jobs) == before + 1


def test_a_download_may_end_before_its_announced_length(
    server: RunningSandbox, api: httpx.Client
) -> None:
    url = api.get(f"/batch/{submit(api).json()['batch_id']}").json()["download_url"]
    whole = httpx.get(url).content
    server.fail("truncated_download", value=0.3)
    got: list[bytes] = []
    with httpx.stream("GET", url) as response:
        assert response.headers["content-length"] == str(len(whole))
        with pytest.raises(httpx.RemoteProtocolError):
            got.extend(response.iter_raw())
    assert b"".join(got) == whole[: int(len(whole) * 0.3)]


def test_a_large_batch_is_made_while_the_api_answers(
    server: RunningSandbox, api: httpx.Client
) -> None:
    urls = [f"https://www.linkedin.com/in/person-{n}" for n in range(10_000)]
    batch_id = api.post(ENRICH, json={URLS: urls}).json()["batch_id"]
    done = api.get(f"/batch/{batch_id}").json()
    assert len(done["download_urls"]) == -(-done["result_count"] // 100)
    sizes: list[int] = []
    download = threading.Thread(
        target=lambda: sizes.append(len(httpx.get(done["download_url"], timeout=60).content))
    )
    download.start()
    assert api.get("/batch").status_code == 200
    download.join()
    assert sizes[0] > 500_000


class Receiver:
    """Takes callbacks."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.called = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.end_headers()
                with receiver.called:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    receiver.got.append((headers, body))
                    receiver.called.notify_all()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def wait_for(self, count: int) -> None:
        with self.called:
            assert self.called.wait_for(lambda: len(self.got) >= count, timeout=20)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_a_callback_reaches_its_url(
    server: RunningSandbox, api: httpx.Client, receiver: Receiver
) -> None:
    answer = api.post(ENRICH, json={URLS: [SAM], "webhook_url": receiver.url}).json()
    receiver.wait_for(1)
    ((headers, body),) = receiver.got
    assert answer["batch_id"].encode() in body
    assert headers["content-type"] == "application/json"
    assert "x-crustdata-signature" not in headers


def test_a_callback_that_is_not_taken_is_tried_three_times(
    server: RunningSandbox, api: httpx.Client, receiver: Receiver
) -> None:
    receiver.statuses = [500, 500]
    api.post(ENRICH, json={URLS: [SAM], "webhook_url": receiver.url})
    receiver.wait_for(3)
    assert len({body for _, body in receiver.got}) == 1


def test_the_module_prints_its_addresses_and_ends_on_sigterm(tmp_path: Path) -> None:
    config = tmp_path / "sandbox.json"
    config.write_text('{"switches": {"submit_status": 202}, "credits": 12.5, "keys": ["k"]}')
    code = (
        "import sys; from pathlib import Path; from crust_pipeline.sandbox.serve import *; "
        "serve(config=SandboxConfig.read(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        base, storage, pronto = (process.stdout.readline().decode().strip() for _ in range(3))
        headers = {**HEADERS, "authorization": "Bearer k"}
        assert httpx.get(f"{base}/user/credits", headers=headers).json() == {"credits": 12.5}
        response = httpx.post(f"{base}{ENRICH}", json={URLS: [SAM]}, headers=headers)
        assert response.status_code == 202
        assert httpx.get(f"{storage}/_control/state").json()["credits"] == 12.5
        assert httpx.get(f"{pronto}/credits", headers={"x-api-key": "k"}).json()["credits"] == 12.5
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"pronto": {"nope": 1}}',
        '{"switch": {}}',
        '{"switches": {"nope": 1}}',
        '{"faults": [{"fault": "x"}]}',
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sandbox.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"configuration|switch|Fault|Pronto"):
        SandboxConfig.read(path)
