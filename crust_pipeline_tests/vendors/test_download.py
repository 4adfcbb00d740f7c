"""Downloads: whole or not at all, resumed or started over, and never with the key."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.models import Downloaded
from crust_pipeline_tests.vendors.fakes import KEY, LINK, LoopbackServer, Vendor, reset, send

FILE = bytes(range(256)) * 40
WHOLE = Downloaded(bytes=len(FILE), sha256=hashlib.sha256(FILE).hexdigest())

Fetch = Callable[[str], Downloaded]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl.gz"


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def fetch(target: Path, slept: list[float]) -> Fetch:
    """Downloads over a real socket."""

    def fetch(url: str) -> Downloaded:
        with CrustdataClient(api_key=KEY, base_url=url, sleep=slept.append) as client:
            return client.download(url, target)

    return fetch


def test_a_file_arrives_with_its_length_and_hash(target: Path) -> None:
    vendor = Vendor(httpx.Response(200, content=FILE))

    with vendor.client() as client:
        assert client.download(LINK, target) == WHOLE

    assert target.read_bytes() == FILE
    assert list(target.parent.iterdir()) == [target]


def test_a_file_arrives_as_it_is_even_if_the_storage_calls_it_encoded(target: Path) -> None:
    said = httpx.Response(200, content=FILE)
    said.headers["content-encoding"] = "gzip"
    vendor = Vendor(said)

    with vendor.client() as client:
        client.download(LINK, target)

    assert vendor.requests[0].headers["accept-encoding"] == "identity"
    assert target.read_bytes() == FILE


def test_the_storage_is_not_shown_the_key(target: Path) -> None:
    vendor = Vendor(httpx.Response(200, content=FILE))

    with vendor.client() as client:
        client.download(LINK, target)

    headers = vendor.requests[0].headers
    assert "authorization" not in headers
    assert "x-api-version" not in headers
    assert KEY not in str(headers)


def test_a_redirect_to_another_host_is_followed_without_the_key(fetch: Fetch, target: Path) -> None:
    with LoopbackServer(send("HTTP/1.1 200 OK", body=FILE)) as other:
        moved = send("HTTP/1.1 307 Moved", f"Location: {other.url(host='localhost')}/file?sig=1")
        with LoopbackServer(moved) as storage:
            assert fetch(storage.url() + "/file") == WHOLE

    assert target.read_bytes() == FILE
    assert other.requests[0].startswith("GET /file?sig=1 ")
    for request in storage.requests + other.requests:
        assert KEY not in request
        assert "authorization" not in request.lower()


def test_a_relative_redirect_is_followed(target: Path) -> None:
    vendor = Vendor(
        httpx.Response(302, headers={"location": "/moved"}), httpx.Response(200, content=FILE)
    )

    with vendor.client() as client:
        client.download(LINK, target)

    assert str(vendor.requests[1].url) == "https://storage.example/moved"


def test_redirects_without_end_are_given_up(target: Path) -> None:
    vendor = Vendor(httpx.Response(302, headers={"location": "/again"}))

    with vendor.client() as client, pytest.raises(errors.LinkDead, match="without end"):
        client.download(LINK, target)

    assert len(vendor.requests) == 6


def test_a_redirect_that_drops_encryption_is_not_followed(target: Path) -> None:
    vendor = Vendor(httpx.Response(302, headers={"location": "http://storage.example/file"}))

    with vendor.client() as client, pytest.raises(errors.TargetRefused, match="without encryption"):
        client.download(LINK, target)

    assert len(vendor.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_link_that_the_storage_refuses_is_dead(target: Path, status: int) -> None:
    vendor = Vendor(httpx.Response(status, content=b"<Error><Key>secret</Key></Error>"))

    with vendor.client() as client, pytest.raises(errors.LinkDead) as caught:
        client.download(LINK, target)

    assert caught.value.status == status
    assert "secret" not in str(caught.value)
    assert len(vendor.requests) == 1
    assert list(target.parent.iterdir()) == []


def test_a_link_that_is_no_address_is_dead(target: Path) -> None:
    vendor = Vendor(httpx.Response(200))

    with vendor.client() as client, pytest.raises(errors.LinkDead, match="not an address"):
        client.download("https://storage.example:port/", target)


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(503),
        httpx.Response(429),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout(""),
    ],
    ids=str,
)
def test_a_storage_that_fails_is_asked_again(
    target: Path, failure: httpx.Response | Exception
) -> None:
    vendor = Vendor(failure, failure, failure, httpx.Response(200, content=FILE))

    with vendor.client() as client:
        assert client.download(LINK, target) == WHOLE

    assert vendor.slept == [1, 2, 4]


def test_a_storage_that_goes_on_failing_is_unavailable(target: Path) -> None:
    vendor = Vendor(httpx.Response(503))

    with vendor.client() as client, pytest.raises(errors.Unavailable):
        client.download(LINK, target)

    assert len(vendor.requests) == 4
    assert list(target.parent.iterdir()) == []


def test_a_short_body_is_resumed_where_it_broke_off(fetch: Fetch, target: Path) -> None:
    short = send("HTTP/1.1 200 OK", 'ETag: "v1"', body=FILE[:1000], length=len(FILE))
    rest = send(
        "HTTP/1.1 206 Partial Content",
        'ETag: "v1"',
        f"Content-Range: bytes 1000-{len(FILE) - 1}/{len(FILE)}",
        body=FILE[1000:],
    )

    with LoopbackServer(short, rest) as storage:
        assert fetch(storage.url()) == WHOLE

    assert target.read_bytes() == FILE
    assert "range: bytes=1000-" in storage.requests[1].lower()
    assert 'if-range: "v1"' in storage.requests[1].lower()


def test_a_resumed_body_may_break_off_too(fetch: Fetch, target: Path, slept: list[float]) -> None:
    def part(start: int, end: int) -> Callable[..., None]:
        return send(
            "HTTP/1.1 206 Partial Content",
            f"Content-Range: bytes {start}-{len(FILE) - 1}/{len(FILE)}",
            body=FILE[start:end],
            length=len(FILE) - start,
        )

    short = send("HTTP/1.1 200 OK", body=FILE[:10], length=len(FILE))
    with LoopbackServer(short, reset, part(10, 500), part(500, len(FILE))) as storage:
        assert fetch(storage.url()) == WHOLE

    assert target.read_bytes() == FILE
    assert slept == [1, 2, 4]


@pytest.mark.parametrize(
    "status_and_headers",
    [
        ["HTTP/1.1 200 OK"],
        ["HTTP/1.1 206 Partial Content", f"Content-Range: bytes 0-{len(FILE) - 1}/{len(FILE)}"],
        ["HTTP/1.1 206 Partial Content"],
        ["HTTP/1.1 416 Range Not Satisfiable"],
    ],
    ids=["no ranges", "another range", "unnamed range", "range refused"],
)
def test_a_body_that_cannot_be_resumed_starts_over(
    fetch: Fetch, target: Path, status_and_headers: list[str]
) -> None:
    short = send("HTTP/1.1 200 OK", body=b"other" * 100, length=len(FILE))
    answers = [short, send(*status_and_headers, body=FILE), send("HTTP/1.1 200 OK", body=FILE)]

    with LoopbackServer(*answers) as storage:
        assert fetch(storage.url()) == WHOLE

    assert target.read_bytes() == FILE


def test_a_body_that_never_comes_over_whole_leaves_no_file(fetch: Fetch, target: Path) -> None:
    short = send("HTTP/1.1 200 OK", body=FILE[:100], length=len(FILE))

    with (
        LoopbackServer(short, short, short, short) as storage,
        pytest.raises(errors.DownloadBroken, match="broke off after 100 bytes"),
    ):
        fetch(storage.url())

    assert len(storage.requests) == 4
    assert list(target.parent.iterdir()) == []


def test_a_failed_download_leaves_the_file_before_it_alone(fetch: Fetch, target: Path) -> None:
    target.write_bytes(b"landed before")

    with (
        LoopbackServer(send("HTTP/1.1 404 Not Found")) as storage,
        pytest.raises(errors.LinkDead),
    ):
        fetch(storage.url())

    assert target.read_bytes() == b"landed before"


def test_a_folder_that_is_missing_is_an_error_of_the_disk(tmp_path: Path) -> None:
    vendor = Vendor(httpx.Response(200, content=FILE))

    with vendor.client() as client, pytest.raises(FileNotFoundError):
        client.download(LINK, tmp_path / "missing" / "file")

    assert vendor.requests == []


def test_no_link_is_logged(fetch: Fetch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with LoopbackServer(send("HTTP/1.1 200 OK", body=FILE)) as storage:
        fetch(storage.url() + "/file?X-Amz-Signature=secret")

    assert "Signature" not in caplog.text


@pytest.mark.parametrize(("bound", "value"), [("MOST_FILE_BYTES", 5000), ("MOST_SECONDS", -1.0)])
def test_a_file_without_end_is_given_up_and_not_kept(
    target: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: float
) -> None:
    monkeypatch.setattr(f"crust_pipeline.vendors.download.{bound}", value)
    vendor = Vendor(httpx.Response(200, content=FILE))

    with vendor.client() as client, pytest.raises(errors.OutOfBounds):
        client.download(LINK, target)

    assert len(vendor.requests) == 1
    assert list(target.parent.iterdir()) == []
