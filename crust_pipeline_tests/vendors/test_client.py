"""Making a client: which keys and addresses can be used."""

import logging

import httpx
import pytest

from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline_tests.vendors.fakes import KEY, Vendor, answer


@pytest.mark.parametrize("written", [f"{KEY}\n", f" {KEY}\r\n", KEY])
def test_white_space_around_the_key_is_dropped(written: str) -> None:
    vendor = Vendor(answer("user-credits"))

    with CrustdataClient(api_key=written, transport=httpx.MockTransport(vendor)) as client:
        client.credits()

    sent = {request.headers["authorization"] for request in vendor.requests}
    assert sent == {f"Bearer {KEY}"}


@pytest.mark.parametrize("key", ["schlüssel-1", "key\x00-1", "key\n-1", "Bearer key-1", "“key-1”"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ValueError, match="Crustdata API key holds") as caught:
        CrustdataClient(api_key=key)

    assert "key-1" not in str(caught.value)


@pytest.mark.parametrize("key", ["", " \n"])
def test_an_empty_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="key is empty"):
        CrustdataClient(api_key=key)


@pytest.mark.parametrize(
    "base_url", ["", "api.crustdata.com", "ftp://api.crustdata.com", "https://"]
)
def test_an_address_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="not an http or https address"):
        CrustdataClient(api_key=KEY, base_url=base_url)


def test_a_base_url_may_have_a_path_and_end_in_a_slash() -> None:
    vendor = Vendor(answer("account-credits.inferred-values"))

    with CrustdataClient(
        api_key=KEY,
        base_url="https://gateway.example/crustdata/",
        transport=httpx.MockTransport(vendor),
    ) as client:
        client.credits()

    asked = [str(request.url) for request in vendor.requests]
    assert asked == ["https://gateway.example/crustdata/account/credits"]


def test_the_libraries_that_log_links_and_headers_are_quiet() -> None:
    for name in ("httpx", "httpcore"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
