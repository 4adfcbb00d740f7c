"""What an error body says: its words, in any of the shapes in which servers write them.

Seen are `{"error": {"type", "message", "metadata"}}`, the same with `reason`, words beside or
instead of `error` (`message`, `detail`, `reason`, `description`, `non_field_errors`), lists by the
name of a field as Django writes them, plain text, and the HTML pages of what stands in between.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Self, cast

import httpx

from crust_pipeline.vendors.parsing import Json, object_or_empty, objects, text, texts

# In the order in which they are shown; an object that has none of them lists words by field.
_SAYING: Final = (
    *("error", "message", "detail", "reason", "description", "error_description"),
    *("non_field_errors", "errors", "msg"),
)
_SAYING_NOTHING: Final = frozenset({"type", "code", "status", "success", "metadata", "request_id"})
# A body may name thousands of identifiers; a few of its words tell what is wrong.
_MOST_WORDS: Final = 20
_MOST_CHARS: Final = 100_000
_UNSEEN: Final = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<[/a-z!][^>]*>", re.IGNORECASE)

_NAMES: Final = r"['\"]?([\w.]+(?:['\"]?\s*,\s*['\"]?[\w.]+)*)"
_DENIED_FIELDS: Final = re.compile(rf"denied to fields?:\s*{_NAMES}", re.IGNORECASE)
_UNKNOWN_FIELDS: Final = (
    re.compile(
        rf"\b(?:unsupported|unknown|invalid|unrecogni[sz]ed) fields?(?: names?)?:\s*\[?{_NAMES}",
        re.IGNORECASE,
    ),
    re.compile(r"['\"]([\w.]+)['\"] is not a (?:valid |known |supported )?(?:choice|field)\b"),
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error body says.

    Attributes:
        kind: the server's word for the class of error; "" if it has none.
        message: its words for people, not masked.
        metadata: what comes with them.
    """

    kind: str
    message: str
    metadata: tuple[Json, ...]

    @classmethod
    def read(cls, response: httpx.Response) -> Self:
        """Read an error body, whatever it is."""
        try:
            body: Any = json.loads(response.content)
            words = list(dict.fromkeys(islice(_words(body), _MOST_WORDS)))
        except (ValueError, RecursionError):
            return cls("", _of_page(response.text[:_MOST_CHARS]), ())
        outer = object_or_empty(body)
        inner = object_or_empty(outer.get("error")) or outer
        return cls(
            text(inner.get("type")) or text(inner.get("code")) or "",
            "; ".join(words),
            objects(inner.get("metadata")),
        )

    @property
    def words(self) -> str:
        """The class and the words together."""
        return f"{self.kind.replace('_', ' ')} {self.message}"

    @property
    def denied_fields(self) -> tuple[str, ...]:
        """The fields that the account may not have."""
        return self._listed("denied_fields") or _named(_DENIED_FIELDS, self.message)

    @property
    def unknown_fields(self) -> tuple[str, ...]:
        """What the words call unknown; it may be something else than a field that was asked for."""
        return tuple(name for pattern in _UNKNOWN_FIELDS for name in _named(pattern, self.message))

    @property
    def available_fields(self) -> tuple[str, ...]:
        """The fields that there are, where the body lists them."""
        return self._listed("available_fields")

    def _listed(self, key: str) -> tuple[str, ...]:
        # The metadata is one object or a list of them.
        return tuple(name for entry in self.metadata for name in texts(entry.get(key)))


def _words(value: Any, field: str = "") -> Iterator[str]:  # noqa: ANN401 - whatever was sent
    """Yield the words in a JSON value, each with the name of the field that it is about."""
    if isinstance(value, str) and value.strip():
        yield f"{field}: {value.strip()}" if field else value.strip()
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _words(item, field)
    elif isinstance(value, Mapping):
        said = cast("Json", value)
        general = [words for name in _SAYING for words in _words(said.get(name), field)]
        yield from general or (
            words
            for name, item in said.items()
            if name not in _SAYING_NOTHING
            for words in _words(item, f"{field}.{name}" if field else name)
        )


def _of_page(page: str) -> str:
    """Return the words of plain text or of an HTML page."""
    if not page.lstrip().startswith("<"):
        return page.strip()
    return " ".join(html.unescape(_TAG.sub(" ", _UNSEEN.sub(" ", page))).split())


def _named(pattern: re.Pattern[str], words: str) -> tuple[str, ...]:
    """Return the names in the first place that fits."""
    found = pattern.search(words)
    if found is None:
        return ()
    return tuple(name.strip(" '\".") for name in found[1].split(",") if name.strip(" '\"."))
