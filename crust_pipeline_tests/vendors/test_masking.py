"""What of a vendor's words may be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.vendors.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Missing required header: x-api-version", "Missing required header: x-api-version"),
        (
            "Access denied to fields: basic_profile.summary",
            "Access denied to fields: basic_profile.summary",
        ),
        (
            "no batch 22f80b2b-e5bd-480b-86cc-29f79dc6c821",
            "no batch 22f80b2b-e5bd-480b-86cc-29f79dc6c821",
        ),
        (
            "limit professional_network_profile_urls to 10000",
            "limit professional_network_profile_urls to 10000",
        ),
        ("bad url https://www.linkedin.com/in/jane?a=b!", "bad url [link]"),
        ("bad url il.linkedin.com/in/jane", "bad url [link]"),
        ("at s3://bucket/key?sig=1 now", "at [link] now"),
        ("bad: jane.doe+x@example.com, sorry", "bad: [e-mail], sorry"),
        ("Jane <jane@example.com>", "Jane <[e-mail]>"),
        ("key sk_live_0123456789abcdef0123 is wrong", "key [key] is wrong"),
        ("header Bearer abc", "header [key]"),
        ("call +1 (555) 010-0199 now", "call [number] now"),
        ("<h1>Bad\r\n  Gateway</h1>", "Bad Gateway"),
        ("", ""),
    ],
)
def test_what_is_private_is_masked_and_the_rest_is_shown(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_the_key_in_use_is_masked_however_short() -> None:
    assert masked("no such key: abc-1", secret="abc-1") == "no such key: [key]"


@given(st.text() | st.text(alphabet="a1@<>./: \n", max_size=800), st.emails())
def test_what_is_shown_is_one_short_line_without_addresses(text: str, email: str) -> None:
    shown = masked(f"{text} {email}")

    assert len(shown) <= 300
    assert shown.splitlines() in ([], [shown])
    assert email not in shown
