"""Where downloads go: to no address inside the network, by whatever way."""

from pathlib import Path

import httpx
import pytest

from crust_pipeline.vendors import errors, targets
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.download import Storage
from crust_pipeline.vendors.targets import Targets, is_internal
from crust_pipeline_tests.vendors.fakes import KEY, LINK, LoopbackServer, Vendor, send

API = "https://api.crustdata.com"
INSIDE = "http://gateway.corp"
PUBLIC = "93.184.215.14"


def storage(vendor: Vendor, hosts: dict[str, tuple[str, ...]], *, api: str = API) -> Storage:
    """A storage behind names that mean what a test says."""
    return Storage(
        api=api,
        user_agent="test",
        transport=httpx.MockTransport(vendor),
        resolve=lambda host: hosts.get(host.partition(".")[0], (PUBLIC,)),
        sleep=lambda _seconds: None,
    )


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "getproxies", dict)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "0.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "224.0.0.1",
    ],
)
def test_what_is_inside(address: str) -> None:
    assert is_internal(address)


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e"])
def test_what_is_outside(address: str) -> None:
    assert not is_internal(address)


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:9/x",
        "http://169.254.169.254/latest",
        "http://[::1]/x",
        "http://2130706433/",
    ],
)
def test_a_redirect_to_an_address_inside_is_not_followed(tmp_path: Path, target: str) -> None:
    vendor = Vendor(httpx.Response(302, headers={"location": target}))
    # As the system's resolver does with an address written as one number.
    there = storage(vendor, {"2130706433": ("127.0.0.1",)})
    with pytest.raises(errors.TargetRefused, match="inside this network"):
        there.download("http://storage.example/x", tmp_path / "file")
    assert len(vendor.requests) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_name_of_which_one_address_is_inside_is_not_asked(tmp_path: Path) -> None:
    vendor = Vendor(httpx.Response(200, content=b"secret"))
    there = storage(vendor, {"storage": (PUBLIC, "10.0.0.1")})
    with pytest.raises(errors.TargetRefused):
        there.download(LINK, tmp_path / "file")
    assert vendor.requests == []


def test_the_connection_goes_to_the_address_that_was_checked(tmp_path: Path) -> None:
    vendor = Vendor(httpx.Response(200, content=b"file"))
    storage(vendor, {}).download(LINK, tmp_path / "file")
    (request,) = vendor.requests
    assert request.url.host == PUBLIC
    assert request.headers["host"] == "storage.example"
    assert request.extensions["sni_hostname"] == "storage.example"


def test_where_one_address_cannot_be_reached_the_next_is_asked(tmp_path: Path) -> None:
    vendor = Vendor(httpx.ConnectError("no route"), httpx.Response(200, content=b"file"))
    storage(vendor, {"storage": ("2606:2800:21f:cb07::1", PUBLIC)}).download(
        LINK, tmp_path / "file"
    )
    assert [request.url.host for request in vendor.requests] == ["2606:2800:21f:cb07::1", PUBLIC]


def test_an_api_inside_the_network_may_have_its_storage_there(tmp_path: Path) -> None:
    vendor = Vendor(httpx.Response(200, content=b"file"))
    there = storage(vendor, {"storage": ("10.0.0.2",), "gateway": ("10.0.0.1",)}, api=INSIDE)
    there.download(LINK, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"file"


def test_a_real_client_does_not_connect_to_this_machine(tmp_path: Path) -> None:
    with (
        LoopbackServer(send("HTTP/1.1 200 OK", body=b"secret")) as inside,
        CrustdataClient(
            api_key=KEY, base_url="https://192.88.99.1", sleep=lambda _: None
        ) as client,
    ):
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(errors.TargetRefused):
                client.download(inside.url(host=host), tmp_path / "file")
    assert inside.requests == []


def test_a_name_that_cannot_be_resolved_is_asked_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise OSError("no such host")

    monkeypatch.setattr(targets.socket, "getaddrinfo", unknown)
    with (
        CrustdataClient(api_key=KEY, sleep=lambda _: None) as client,
        pytest.raises(errors.Unavailable, match="resolved"),
    ):
        client.download(LINK, tmp_path / "file")


def test_names_are_left_to_a_proxy_but_addresses_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "getproxies", lambda: {"https": "http://proxy.corp:3128"})
    monkeypatch.setattr(targets, "proxy_bypass", lambda _host: False)
    where = Targets(api=API, resolve=lambda _host: (PUBLIC,))
    assert where.addresses(httpx.URL(LINK)) == ()
    with pytest.raises(errors.TargetRefused):
        where.addresses(httpx.URL("https://10.0.0.1/x"))


def test_cookies_are_not_kept_between_hops(tmp_path: Path) -> None:
    moved = httpx.Response(302, headers={"location": "/moved", "set-cookie": "id=1; Path=/"})
    vendor = Vendor(moved, httpx.Response(200, content=b"file"))
    storage(vendor, {}).download(LINK, tmp_path / "file")
    assert [("cookie" in request.headers) for request in vendor.requests] == [False, False]
