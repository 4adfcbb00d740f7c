"""A vendor's words, made safe to show: short, on one line, without keys, links and addresses.

Everything that a vendor wrote goes through here before it may enter an error, a log or the ledger.
"""

import re
from typing import Final

MESSAGE_LENGTH: Final = 300
REQUEST_ID_LENGTH: Final = 256
# In the place of words that may repeat what was sent.
WITHHELD: Final = "[not shown]"

# In this order: a link goes as a whole, and an address in angle brackets is not taken for a tag.
_PATTERNS: Final = (
    (
        re.compile(
            r"\b(?:[a-z][a-z0-9+.-]*://|www\.|(?:[a-z]{1,5}\.)?linkedin\.com\b)[^\s\"<>]*",
            re.IGNORECASE,
        ),
        "[link]",
    ),
    (re.compile(r"[^\s@\"<>(),;:]+@[^\s@'\"<>(),;:]+"), "[e-mail]"),
    (re.compile(r"<[/a-z!][^>]*>", re.IGNORECASE), " "),
    (re.compile(r"\bbearer\s+\S+", re.IGNORECASE), "[key]"),
    # Batch ids are UUIDs, harmless and worth showing; other long unbroken texts may be secrets.
    (
        re.compile(
            r"(?<![\w-])(?![0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-]))"
            r"(?=[a-z_-]*[0-9])[a-z0-9_-]{24,}",
            re.IGNORECASE,
        ),
        "[key]",
    ),
    (re.compile(r"\+\d[\d ().-]{6,}\d"), "[number]"),
    (re.compile(r"[\s\x00-\x1f\x7f-\x9f]+"), " "),
)
# A response can be a page of megabytes; only what may be shown of it is worth masking.
_PREFIX_LENGTH: Final = 10 * MESSAGE_LENGTH


_MASK: Final = re.compile(r"\[(?:link|e-mail|key|number|not shown)\]")


def names_nobody(text: str) -> bool:
    """Tell whether nothing was taken out of a vendor's words, so that they are about no person."""
    return _MASK.search(text) is None


def masked(text: str, *, secret: str | None = None) -> str:
    """Return at most 300 characters of `text` with everything private taken out.

    Args:
        text: what the vendor wrote.
        secret: the API key in use, masked wherever it stands.
    """
    text = text[:_PREFIX_LENGTH]
    if secret:
        text = text.replace(secret, "[key]")
    for pattern, mask in _PATTERNS:
        text = pattern.sub(mask, text)
    text = text.strip()
    return text if len(text) <= MESSAGE_LENGTH else text[: MESSAGE_LENGTH - 1] + "…"
