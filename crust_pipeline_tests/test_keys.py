"""Canonical keys: which spellings are one person, and what is nobody."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline import keys
from crust_pipeline.keys import InvalidIdentifier

JANE = "linkedin.com/in/jane-doe"
ZOE = "linkedin.com/in/zoë-müller"

slugs = st.from_regex(
    r"[a-z0-9à-öø-ÿα-ωа-я一-十]([a-z0-9_à-öø-ÿα-ωа-я一-十-]{0,30}[a-z0-9])?", fullmatch=True
)
anything = st.text(max_size=60) | st.text(
    alphabet="%/in.?#@:ILKDE25CF'\" \u0130\u212a\u0301", max_size=30
)


@pytest.mark.parametrize(
    "text",
    [
        "https://www.linkedin.com/in/jane-doe",
        "http://linkedin.com/in/jane-doe/",
        "linkedin.com/in/jane-doe",
        "//www.linkedin.com/in/jane-doe",
        "HTTPS://WWW.LINKEDIN.COM/IN/JANE-DOE",
        "https://m.linkedin.com/in/jane-doe",
        "https://touch.linkedin.com/in/jane-doe",
        "https://il.linkedin.com/in/jane-doe",
        "https://uk.linkedin.com/in/jane-doe/?trk=public_profile",
        "https://www.linkedin.com:443/in/jane-doe",
        "https://www.linkedin.com/in/jane-doe#experience",
        "https://www.linkedin.com/in/jane-doe/details/experience/",
        "https://www.linkedin.com/in/jane-doe/en-us",
        "https://www.linkedin.com/in/jane%2Ddoe",
        "https://www.linkedin.com/in/jane%252Ddoe",
        '  "https://www.linkedin.com/in/jane-doe" ',
        "' https://www.linkedin.com/in/jane-doe '",
        "\ufeffhttps://www.linkedin.com/in/jane-doe\u200b\r\n",
    ],
)
def test_every_spelling_of_a_plain_url_is_one_person(text: str) -> None:
    assert keys.key_of_url(text) == JANE


@pytest.mark.parametrize(
    "text",
    [
        "https://www.linkedin.com/in/zoë-müller",
        "https://www.linkedin.com/in/ZOË-MÜLLER",
        "https://www.linkedin.com/in/zo%C3%AB-m%C3%BCller",
        "https://www.linkedin.com/in/zo%c3%ab-m%c3%bcller/",
        "https://www.linkedin.com/in/zo%25C3%25AB-m%25C3%25BCller",
        "https://www.linkedin.com/in/" + unicodedata.normalize("NFD", "zoë-müller"),
        "https://www.linkedin.com/in/" + quote(unicodedata.normalize("NFD", "ZOË-MÜLLER")),
    ],
)
def test_every_unicode_form_and_encoding_is_one_person(text: str) -> None:
    assert keys.key_of_url(text) == ZOE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (' "" ', "empty"),
        ("https://www.linkedin.com/company/acme", "a company page"),
        ("https://www.linkedin.com/school/acme", "a school page"),
        ("https://www.linkedin.com/pub/jane-doe/1/2/3", "an old /pub/ address"),
        ("https://www.linkedin.com/sales/lead/abc", "not a profile address"),
        ("https://www.linkedin.com", "not a profile address"),
        ("https://www.linkedin.com/?in/jane", "not a profile address"),
        ("https://www.linkedin.com/in", "no profile name"),
        ("https://www.linkedin.com/in/", "no profile name"),
        ("https://www.linkedin.com/in//jane", "no profile name"),
        ("https://www.linkedin.com/in/?x=1", "no profile name"),
        ("https://www.linkedin.com/in/%2E%2E", "no profile name"),
        ("https://www.linkedin.com/in/jane doe", "characters"),
        ("https://www.linkedin.com/in/jane%20doe", "characters"),
        ("https://www.linkedin.com/in/jane%2Fdoe", "characters"),
        ("https://www.linkedin.com/in/jane%00", "characters"),
        ("https://www.linkedin.com/in/jane%27", "characters"),
        ("https://www.linkedin.com/in/caf%E9", "characters"),
        ("https://www.linkedin.com/in/\ud800", "characters"),
        ("https://www.linkedin.com/in/" + "j" * 201, "longer"),
        ("https://www.linkedin.com/in/%" + "25" * 500_000, "longer"),
        ("https://example.com/in/jane-doe", "not a linkedin.com address"),
        ("https://linkedin.com.example.com/in/jane-doe", "not a linkedin.com address"),
        ("https://notlinkedin.com/in/jane-doe", "not a linkedin.com address"),
        ("https://abc.linkedin.com/in/jane-doe", "not a linkedin.com address"),
        ("https://www.linkedin.com@example.com/in/jane-doe", "not a linkedin.com address"),
        ("jane@example.com", "not a linkedin.com address"),
        ("n/a", "not a linkedin.com address"),
    ],
)
def test_what_is_no_profile_says_why(text: str, reason: str) -> None:
    with pytest.raises(InvalidIdentifier, match=reason):
        keys.key_of_url(text)


def test_a_comma_in_a_profile_name_is_kept_and_sent_encoded() -> None:
    key = keys.key_of_url("https://www.linkedin.com/in/doe,jane")

    assert key == "linkedin.com/in/doe,jane"
    assert keys.identifier_of(key) == "https://www.linkedin.com/in/doe%2Cjane"


def test_a_unicode_name_is_sent_percent_encoded() -> None:
    assert keys.identifier_of(ZOE) == "https://www.linkedin.com/in/zo%C3%AB-m%C3%BCller"


@pytest.mark.parametrize("text", ["jane@example.com", " Jane@Example.COM\n", '"JANE@example.com"'])
def test_an_email_is_compared_in_lower_case(text: str) -> None:
    assert keys.key_of_email(text) == "jane@example.com"


@pytest.mark.parametrize(
    "text",
    [
        "jane",
        "@example.com",
        "jane@",
        "jane@example",
        "jane@@example.com",
        "a@b@example.com",
        "jane doe@example.com",
        "jane@exa mple.com",
        "jane@example.com, joe@example.com",
        "mailto:jane@example.com",
        "Jane <jane@example.com>",
        "jane@-example.com",
        "jane@example..com",
        f"{'j' * 65}@example.com",
        f"jane@{'a.' * 130}com",
        "https://www.linkedin.com/in/jane@example.com",
    ],
)
def test_what_is_no_email_is_refused(text: str) -> None:
    with pytest.raises(InvalidIdentifier, match="not an e-mail address"):
        keys.key_of_email(text)


def test_a_row_goes_by_its_url_first() -> None:
    assert keys.row_key("linkedin.com/in/jane-doe", "jane@example.com") == JANE


@pytest.mark.parametrize("profile_url", [None, "", "  ", "https://www.linkedin.com/company/acme"])
def test_a_row_without_a_usable_url_goes_by_its_email(profile_url: str | None) -> None:
    assert keys.row_key(profile_url, "Jane@example.com") == "jane@example.com"


@pytest.mark.parametrize("blank", [None, "", " ", '""'])
def test_a_row_with_neither_says_so(blank: str | None) -> None:
    with pytest.raises(InvalidIdentifier, match=r"^neither a profile URL nor an e-mail address$"):
        keys.row_key(blank, blank)


def test_a_row_with_two_unusable_values_says_why_for_both() -> None:
    with pytest.raises(InvalidIdentifier) as caught:
        keys.row_key("https://example.com/in/jane", "jane")

    assert str(caught.value) == (
        "profile_url: not a linkedin.com address; business_email: not an e-mail address"
    )


@pytest.mark.parametrize(
    ("echo", "key"),
    [
        ("https://www.linkedin.com/in/jane-doe/", JANE),
        ("Jane@example.com", "jane@example.com"),
        ("https://www.linkedin.com/in/a@b", "linkedin.com/in/a@b"),
        ("14540", None),
        ("", None),
    ],
)
def test_an_echo_is_read_as_url_or_email(echo: str, key: str | None) -> None:
    assert keys.key_of_echo(echo) == key


def test_keys_tell_emails_from_urls() -> None:
    assert keys.is_email("jane@example.com")
    assert not keys.is_email("linkedin.com/in/a@b")


@given(
    slug=slugs,
    scheme=st.sampled_from(["", "http://", "https://", "HTTPS://", "//"]),
    host=st.sampled_from(["", "www.", "m.", "touch.", "de.", "IL."]),
    end=st.sampled_from(
        ["", "/", "?a=b/c", "/?trk=x", "#top", "/#a?b", "/details/skills", "/en-us/"]
    ),
    around=st.sampled_from(["", " ", '"', " ' ", "\t\n", "\ufeff"]),
    form=st.sampled_from(["NFC", "NFD"]),
    encodings=st.integers(0, 3),
    upper=st.booleans(),
)
def test_all_variants_of_one_person_give_one_key(
    *,
    slug: str,
    scheme: str,
    host: str,
    end: str,
    around: str,
    form: str,
    encodings: int,
    upper: bool,
) -> None:
    slug = unicodedata.normalize("NFC", slug)
    written = unicodedata.normalize(form, slug.title() if upper else slug)  # pyright: ignore[reportArgumentType]
    written = written if written.lower() == unicodedata.normalize(form, slug) else slug  # pyright: ignore[reportArgumentType]
    for _ in range(encodings):
        written = quote(written, safe="")

    assert keys.key_of_url(f"{around}{scheme}{host}linkedin.com/in/{written}{end}{around}") == (
        f"linkedin.com/in/{slug}"
    )


@given(slugs, slugs)
def test_two_names_give_two_keys(first: str, second: str) -> None:
    first, second = (unicodedata.normalize("NFC", slug) for slug in (first, second))

    same = keys.key_of_url(f"linkedin.com/in/{first}") == keys.key_of_url(
        f"linkedin.com/in/{second}"
    )
    assert same == (first == second)


@given(anything.map("https://www.linkedin.com/in/".__add__) | anything)
def test_a_url_gives_a_stable_key_or_a_reason(text: str) -> None:
    try:
        key = keys.key_of_url(text)
    except InvalidIdentifier:
        return

    assert keys.key_of_url(key) == key
    assert keys.key_of_url(keys.identifier_of(key)) == key
    assert keys.key_of_echo(keys.identifier_of(key)) == key
    assert not keys.is_email(key)


@given(anything | st.emails() | st.builds("{}@{}.example".format, anything, slugs))
def test_an_email_gives_a_stable_key_or_a_reason(text: str) -> None:
    try:
        key = keys.key_of_email(text)
    except InvalidIdentifier:
        return

    assert keys.key_of_email(key) == key
    assert keys.key_of_echo(keys.identifier_of(key)) == key
    assert keys.is_email(key)


def documented(heading: str) -> list[tuple[str, str]]:
    """The rows of all tables under a heading of docs/profile-keys.md."""
    page = Path(__file__).parent.parent / "docs" / "profile-keys.md"
    section = page.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(.+?)` \| `?(.+?)`? \|$", section, re.MULTILINE)


def outcome(key_of: Callable[[str], str], written: str) -> str:
    try:
        return key_of(written)
    except InvalidIdentifier as error:
        return str(error)


@pytest.mark.parametrize(("written", "documented_outcome"), documented("Profile URLs"))
def test_profile_urls_are_as_documented(written: str, documented_outcome: str) -> None:
    assert outcome(keys.key_of_url, written) == documented_outcome


@pytest.mark.parametrize(("written", "documented_outcome"), documented("E-mail addresses"))
def test_emails_are_as_documented(written: str, documented_outcome: str) -> None:
    assert outcome(keys.key_of_email, written) == documented_outcome


def test_the_documentation_has_its_tables() -> None:
    assert len(documented("Profile URLs")) == 24
    assert len(documented("E-mail addresses")) == 3


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Jane@Example.com", "jane@example.com"),
        ("https://uk.linkedin.com/in/Jane/", "linkedin.com/in/jane"),
        ("https://www.linkedin.com/in/jane?mail=a@example.com", "linkedin.com/in/jane"),
    ],
)
def test_a_url_is_told_from_an_address(text: str, key: str) -> None:
    assert keys.key_of(text) == key
