"""Who exists: how an identifier leads to a person, and what is known of how to reach them.

Everybody is invented and follows from the identifier alone, by hash, so that the same person comes
out of every endpoint, every run and every process. `records.py` invents the profile.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from crust_pipeline.sandbox.words import COMPANIES

T = TypeVar("T")

UNKNOWN_SHARE = 0.08
REDACTED_SHARE = 0.015
SHELL_SHARE = 0.01
EMAIL_SHARE = 0.3

PERSONAL_DOMAINS = frozenset(
    (
        "gmail.com",
        "hotmail.com",
        "icloud.com",
        "outlook.com",
        "proton.me",
        "yahoo.com",
        "mail.example",
    )
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_HOST = re.compile(r"(?:(?:www|m|touch|[a-z]{2})\.)?linkedin\.com")


class Standing(Enum):
    """What the vendor has to say about somebody."""

    KNOWN = auto()
    SHELL = auto()  # a match without content, `{"basic_profile": {}}` (seen of the live API)
    UNKNOWN = auto()
    REDACTED = auto()  # asked for removal: never delivered, never billed


# People with a fixed standing, for examples and tests.
_FIXED_SLUGS = {
    "sam-sandbox": Standing.KNOWN,
    "no-contact-person": Standing.KNOWN,
    "no-such-person": Standing.UNKNOWN,
    "removed-person": Standing.REDACTED,
}
_FIXED_EMAILS = {
    "sam@example.com": "sam-sandbox",
    "nobody@example.com": "no-such-person",
    "nonexistent@example.com": "no-such-person",
    "removed@example.com": "removed-person",
}


class Dice:
    """Draws that follow from a text; the same text gives the same draws in every Python."""

    __slots__ = ("_data", "_next")

    def __init__(self, seed: str, *, draws: int = 256) -> None:
        """Prepare about `draws` draws; then they repeat."""
        self._data = hashlib.shake_128(seed.encode()).digest(2 * draws)
        self._next = 0

    def below(self, limit: int) -> int:
        """Return an integer in 0..limit-1; `limit` at most 65536."""
        at = self._next
        self._next = (at + 2) % len(self._data)
        return (self._data[at] << 8 | self._data[at + 1]) % limit

    def share(self) -> float:
        """Return a number in [0, 1)."""
        return self.below(65536) / 65536

    def chance(self, share: float) -> bool:
        """Return True in this share of draws."""
        return self.below(65536) < share * 65536

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.below(len(choices))]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody the vendor may know, by the slug of the profile URL."""

    slug: str
    standing: Standing
    person_id: int

    @property
    def found(self) -> bool:
        """Whether a lookup gives a match."""
        return self.standing in (Standing.KNOWN, Standing.SHELL)


@dataclass(frozen=True, slots=True)
class Match:
    """Whom an identifier leads to, and how sure the vendor claims to be (0-1)."""

    person: Person
    confidence: float


@dataclass(frozen=True, slots=True)
class Contacts:
    """How to reach somebody. E-mails are (address, status)."""

    business_emails: tuple[tuple[str, str], ...] = ()
    personal_emails: tuple[tuple[str, str], ...] = ()
    phone_numbers: tuple[str, ...] = ()
    websites: tuple[str, ...] = ()


@lru_cache(maxsize=65536)
def slug_of(url: str, *, kind: str = "in") -> str | None:
    """Return the slug of a profile URL, however it is written; None for any other text."""
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return None
    if not _HOST.fullmatch(parts.netloc.lower()):
        return None
    segments = parts.path.split("/")
    if len(segments) < 3 or segments[1].lower() != kind:
        return None
    slug = segments[2]
    while (decoded := unquote(slug)) != slug:
        slug = decoded
    return unicodedata.normalize("NFC", slug).lower().strip() or None


def is_email(identifier: str) -> bool:
    """Tell whether a text is written as an e-mail address."""
    return _EMAIL.fullmatch(identifier.strip()) is not None


def is_personal_email(identifier: str) -> bool:
    """Tell whether the address is at one of the mail services that people use privately."""
    return identifier.strip().lower().rpartition("@")[2] in PERSONAL_DOMAINS


def key_of(identifier: str) -> str:
    """Return the key of an identifier in the accounts: a URL's slug, an address, or the text."""
    if is_email(identifier):
        return identifier.strip().lower()
    slug = slug_of(identifier)
    return f"linkedin.com/in/{slug}" if slug else identifier


@lru_cache(maxsize=65536)
def person_of_slug(slug: str) -> Person:
    """Return the person of a canonical slug."""
    dice = Dice(f"fate:{slug}", draws=8)
    roll = dice.share()
    if slug in _FIXED_SLUGS:
        standing = _FIXED_SLUGS[slug]
    elif roll < UNKNOWN_SHARE:
        standing = Standing.UNKNOWN
    elif roll < UNKNOWN_SHARE + REDACTED_SHARE:
        standing = Standing.REDACTED
    elif roll < UNKNOWN_SHARE + REDACTED_SHARE + SHELL_SHARE:
        standing = Standing.SHELL
    else:
        standing = Standing.KNOWN
    person_id = 1 + (dice.below(65536) << 16 | dice.below(65536))
    return Person(slug, standing, person_id)


def match(identifier: str, *, personal_emails: bool = False) -> Match | None:
    """Return the person that an identifier matches; None if it matches nobody.

    Args:
        identifier: Profile URL or e-mail address.
        personal_emails: Whether to look up addresses at private mail services (only identify does).
    """
    if is_email(identifier):
        if is_personal_email(identifier) and not personal_emails:
            return None
        return _match_of_email(identifier.strip().lower())
    slug = slug_of(identifier)
    return Match(person_of_slug(slug), 1.0) if slug else None


def _match_of_email(email: str) -> Match | None:
    if email in _FIXED_EMAILS:
        return Match(person_of_slug(_FIXED_EMAILS[email]), 1.0)
    local = email.partition("@")[0].replace(".", "-")
    owner = person_of_slug(local)
    on_file = contacts(owner)
    if email in {address for address, _ in (*on_file.business_emails, *on_file.personal_emails)}:
        return Match(owner, 1.0)
    dice = Dice(f"email:{email}", draws=8)
    if not dice.chance(EMAIL_SHARE):
        return None
    claimed = round(0.6 + 0.38 * dice.share(), 2)
    return Match(person_of_slug(f"{local}-{dice.below(65536):04x}"), claimed)


_STATUSES = ("deliverable",) * 6 + ("catch_all", "catch_all", "invalid", "unknown")
_COUNTRIES = (
    "+1-555-01",
    "+44 7700 9001",
    "+49 30 2312555",
    "+91-555-01",
    "00 33 1 99 00 10 ",
    "(555) 01",
)


def contacts(person: Person) -> Contacts:
    """Return a person's contacts; empty for people without a known contact, and for shells."""
    if person.slug == "sam-sandbox":
        return Contacts(
            business_emails=(("sam@example.com", "deliverable"),),
            personal_emails=(("sam.sandbox@mail.example", "catch_all"),),
            phone_numbers=("+1-555-0100",),
        )
    if person.standing is not Standing.KNOWN or person.slug == "no-contact-person":
        return Contacts()
    dice = Dice(f"contact:{person.slug}", draws=48)
    local = re.sub(r"[^a-z0-9]+", ".", person.slug).strip(".") or f"p{person.person_id}"
    return Contacts(
        business_emails=tuple(
            (f"{local}@{dice.pick(COMPANIES)[1]}", dice.pick(_STATUSES))
            for _ in range(dice.pick((0, 0, 0, 1, 1, 1, 1, 1, 1, 2)))
        ),
        personal_emails=tuple(
            (f"{local}{'' if n == 0 else n}@mail.example", dice.pick(_STATUSES))
            for n in range(dice.pick((0, 0, 0, 0, 0, 1, 1, 1, 1, 3)))
        ),
        phone_numbers=tuple(
            f"{dice.pick(_COUNTRIES)}{dice.below(100):02d}"
            for _ in range(dice.pick((0, 0, 0, 0, 0, 1, 1, 1, 2)))
        ),
        websites=(f"https://{local}.example/",) if dice.chance(0.1) else (),
    )
