"""Canonical keys: one key for all the ways in which a person's or company's identifier is written.

Only the rule belongs here, as pure functions over text; docs/profile-keys.md publishes it with
examples. Keys are what the project remembers, compares and joins by; what a vendor is sent is
`identifier_of(key)`.
"""

import re
from typing import Final, Literal
from unicodedata import normalize
from urllib.parse import quote, unquote

from crust_pipeline.errors import CrustError

# What a key is made of: how a vendor can be asked by it.
KeyKind = Literal["profile_url", "email", "company_id", "company_domain"]

# What stands for the key of somebody who was erased, in rows that have to stay.
ERASED_KEY: Final = "erased"

_PREFIX: Final = "linkedin.com/in/"
_COMPANY_ID: Final = "company_id:"
_COMPANY_DOMAIN: Final = "company_domain:"
_HOST: Final = r"(?:(?:www|m|touch|[a-z]{2})\.)?linkedin\.com(?::\d+)?"

# Nearly all rows of a real table look like this; the long way below costs five times as much.
_PLAIN_URL: Final = re.compile(
    rf"(?:https?://)?{_HOST}/in/([a-z0-9_-]{{1,200}})(?:[/?#].*)?", re.IGNORECASE | re.ASCII
)
_URL: Final = re.compile(
    r"(?:(?:[a-z][a-z0-9+.-]*:)?//)?(?P<host>[^/?#]*)(?:/(?P<kind>[^/?#]*))?(?:/(?P<slug>[^/?#]*))?",
    re.IGNORECASE | re.ASCII,
)
_KNOWN_HOST: Final = re.compile(_HOST, re.IGNORECASE | re.ASCII)

# Spreadsheets and web pages leave these around a value: white space of any kind, quotes, byte order
# marks, zero-width characters.
_AROUND: Final = "\"'\u201c\u201d\u2018\u2019\ufeff\u200b\u200e\u200f" + "".join(
    character for character in map(chr, range(0x3001)) if character.isspace()
)
# LinkedIn allows 100 characters. Bounding what is decoded keeps a broken cell of a megabyte cheap.
_SLUG_LENGTH: Final = 200
_SEGMENT_LENGTH: Final = 4000
_NEVER_IN_SLUG: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f/?#\\\ufffd\ud800-\udfff]")
_EMAIL: Final = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\ufffd\ud800-\udfff@/\\,;:<>()\[\]]{1,64}"
    r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W_](?:[\w-]{0,61}[^\W_])?"
)
_DOMAIN: Final = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W_](?:[\w-]{0,61}[^\W_])?")
_EMAIL_LENGTH: Final = 254

_OTHER_PAGES: Final = {
    "company": "a company page, not a person's profile",
    "school": "a school page, not a person's profile",
    "pub": "an old /pub/ address, which cannot be turned into a profile address with certainty",
}


class InvalidIdentifier(CrustError, ValueError):  # noqa: N818 - named for the reader of `except`
    """An identifier names nobody. The message, which never holds the value, is safe to store."""


def key_of_url(text: str) -> str:
    """Return the key of a profile URL in any spelling, `linkedin.com/in/<slug>`.

    Raises:
        InvalidIdentifier: it is not the address of a person's profile.
    """
    if plain := _PLAIN_URL.fullmatch(text):
        return _PREFIX + plain[1].lower()
    text = text.strip(_AROUND)
    if not text:
        raise InvalidIdentifier("empty")
    parts = _URL.match(text)
    if parts is None or not _KNOWN_HOST.fullmatch(parts["host"]):
        raise InvalidIdentifier("not a linkedin.com address")
    kind = (parts["kind"] or "").lower()
    if kind != "in":
        raise InvalidIdentifier(
            _OTHER_PAGES.get(kind, "not a profile address: no /in/ in its path")
        )
    return _PREFIX + _slug(parts["slug"] or "")


def key_of_email(text: str) -> str:
    """Return the key of an e-mail address: the address in lower case.

    Raises:
        InvalidIdentifier: it is not one e-mail address.
    """
    key = normalize("NFC", normalize("NFC", text.strip(_AROUND)).lower())
    if not key:
        raise InvalidIdentifier("empty")
    if len(key) > _EMAIL_LENGTH or not _EMAIL.fullmatch(key):
        raise InvalidIdentifier("not an e-mail address")
    return key


def key_of(text: str) -> str:
    """Return the key of what may be a profile URL or an e-mail address.

    Raises:
        InvalidIdentifier: it names nobody.
    """
    return key_of_email(text) if "@" in text and "/" not in text else key_of_url(text)


def row_key(profile_url: str | None, business_email: str | None) -> str:
    """Return the key of an input row: its profile URL's, else its e-mail's.

    Raises:
        InvalidIdentifier: neither can be used; the message says why for each that was given.
    """
    reasons: list[str] = []
    for name, text, read in (
        ("profile_url", profile_url, key_of_url),
        ("business_email", business_email, key_of_email),
    ):
        if not text or not text.strip(_AROUND):
            continue
        try:
            return read(text)
        except InvalidIdentifier as error:
            reasons.append(f"{name}: {error}")
    raise InvalidIdentifier("; ".join(reasons) or "neither a profile URL nor an e-mail address")


def key_of_echo(text: str) -> str | None:
    """Return the key of an identifier that a vendor echoed back; None if neither URL nor e-mail."""
    try:
        return key_of(text)
    except InvalidIdentifier:
        return None


def key_of_company_id(company_id: int | str) -> str:
    """Return the key of a company that the vendor has an id for.

    Raises:
        InvalidIdentifier: it is no whole number above 0.
    """
    text = str(company_id).strip()
    if not (text.isascii() and text.isdigit()) or not int(text):
        raise InvalidIdentifier("not a company id")
    return f"{_COMPANY_ID}{int(text)}"


def key_of_company_domain(text: str) -> str:
    """Return the key of a company known by its domain: lower case, without scheme, `www.` or path.

    Raises:
        InvalidIdentifier: it is no domain.
    """
    host = normalize("NFC", text.strip(_AROUND).lower())
    host = re.split(r"[/?#]", host.partition("://")[2] or host, maxsplit=1)[0]
    host = host.removeprefix("www.").rstrip(".")
    if len(host) > _EMAIL_LENGTH or not _DOMAIN.fullmatch(host):
        raise InvalidIdentifier("not a domain")
    return f"{_COMPANY_DOMAIN}{host}"


def company_key_of_echo(text: str) -> str | None:
    """Return the key of a company's identifier that a vendor echoed back; None if it is none."""
    for read in (key_of_company_id, key_of_company_domain):
        try:
            return read(text)
        except InvalidIdentifier:
            continue
    return None


def kind_of(key: str) -> KeyKind:
    """Return what a key is made of."""
    if key.startswith(_PREFIX):
        return "profile_url"
    if key.startswith(_COMPANY_ID):
        return "company_id"
    return "company_domain" if key.startswith(_COMPANY_DOMAIN) else "email"


def identifier_of(key: str) -> str:
    """Return what a vendor is sent for a key: a percent-encoded profile URL, an address, an id."""
    match kind_of(key):
        case "profile_url":
            return f"https://www.{_PREFIX}{quote(key.removeprefix(_PREFIX), safe='')}"
        case "email":
            return key
        case "company_id":
            return key.removeprefix(_COMPANY_ID)
        case "company_domain":
            return key.removeprefix(_COMPANY_DOMAIN)


def is_email(key: str) -> bool:
    """Tell whether a key is an e-mail address."""
    return kind_of(key) == "email"


def _slug(segment: str) -> str:
    if len(segment) > _SEGMENT_LENGTH:
        raise InvalidIdentifier("longer than any profile name")
    # Links that went through several programs are encoded several times over.
    while (decoded := unquote(segment)) != segment:
        segment = decoded
    slug = normalize("NFC", normalize("NFC", segment).lower())
    if slug in {"", ".", ".."}:
        raise InvalidIdentifier("no profile name after /in/")
    if len(slug) > _SLUG_LENGTH:
        raise InvalidIdentifier("longer than any profile name")
    # A name that ends in what is stripped around a URL would have two keys.
    if _NEVER_IN_SLUG.search(slug) or slug[-1] in _AROUND:
        raise InvalidIdentifier("characters after /in/ that no profile name has")
    return slug
