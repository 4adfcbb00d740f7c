"""Reads a request as strictly as the vendor's documents word it: an `Order`, or `Refused`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from crust_pipeline.sandbox.endpoints import COMPANY_IDS, Endpoint
from crust_pipeline.sandbox.fields import denied
from crust_pipeline.sandbox.switches import Switches

API_VERSION = "2025-11-01"
DEFAULT_CHUNK_SIZE = 100


class Refused(Exception):  # noqa: N818 - an answer to the client, not a failure of the sandbox
    """An error answer: status, error type, message for people, metadata, extra headers."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        metadata: Any = None,  # noqa: ANN401 - a list, or an object behind a switch
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Hold the parts of the answer."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        # The 401 has another shape than every other error (vendor documents, errors).
        self.body: dict[str, Any] = {"message": message}
        if status != 401:
            metadata = [] if metadata is None else metadata
            self.body = {"error": {"type": kind, "message": message, "metadata": metadata}}


def invalid(message: str, *, metadata: Any = None) -> Refused:  # noqa: ANN401 - see Refused
    """Return the 400 of a request that cannot be carried out."""
    return Refused(400, "invalid_request", message, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A valid request for people or companies.

    Attributes:
        endpoint: Where it was sent.
        identifier_type: The body key that carried the identifiers.
        identifiers: As sent, in order; ids as text.
        fields: As sent; None when left out.
        chunk_size: Identifiers per processing unit, which is also the rows per part of the result.
        webhook_url: Whom to call when the job ends.
        verified: Deliver only business e-mails that pass a check made now.
        preview: The free base profile.
    """

    endpoint: Endpoint
    identifier_type: str
    identifiers: tuple[str, ...]
    fields: tuple[str, ...] | None = None
    chunk_size: int = DEFAULT_CHUNK_SIZE
    webhook_url: str | None = None
    verified: bool = False
    preview: bool = False


def check_key(authorization: str | None, keys: frozenset[str]) -> str:
    """Return the API key of a request.

    Raises:
        Refused: 401, when there is none, or none that is known, or another scheme than Bearer.
    """
    if authorization is None:
        raise Refused(401, "", "Missing API key in request")
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or key not in keys:
        raise Refused(401, "", "Invalid API key in request")
    return key


def check_version(version: str | None) -> None:
    """Refuse a request without `x-api-version`, or with one that does not exist."""
    if version is None:
        raise invalid("Missing required header: x-api-version")
    if version != API_VERSION:
        raise invalid(
            f"Unsupported x-api-version: {version!r}. Supported versions: ['{API_VERSION}']"
        )


def read_order(
    endpoint: Endpoint, body: bytes, *, content_type: str | None, switches: Switches
) -> Order:
    """Return the order in a request's body.

    Raises:
        Refused: 400 for anything the documents rule out, 403 for a field the account may not read.
    """
    given = _json_object(body, content_type)
    known = {*endpoint.identifier_types, *endpoint.options}
    if endpoint.fields:
        known.add("fields")
    if (unknown := sorted(set(given) - known)) and switches.unknown_keys == "rejected":
        raise invalid(f"Unknown fields in request body: {unknown}")
    identifier_type, identifiers = _identifiers(endpoint, given)
    wanted = _fields(endpoint, given, switches)
    if locked := denied(wanted or (), switches.denied_fields):
        raise Refused(
            403,
            "permission_error",
            f"Access denied to fields: {', '.join(locked)}",
            metadata=[{"denied_fields": locked}],
        )
    preview = _flag(given, "preview")
    if preview and not switches.preview_enabled:
        raise invalid("Preview feature is not available for your account")
    return Order(
        endpoint=endpoint,
        identifier_type=identifier_type,
        identifiers=identifiers,
        fields=wanted,
        chunk_size=_chunk_size(given),
        webhook_url=_webhook_url(given),
        verified=_flag(given, "verified"),
        preview=preview,
    )


def _json_object(body: bytes, content_type: str | None) -> dict[str, Any]:
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise invalid("Content-Type must be application/json")
    try:
        given: Any = json.loads(body)
    except ValueError:
        raise invalid("Request body is not valid JSON") from None
    if not isinstance(given, dict):
        raise invalid("Request body must be a JSON object")
    return cast("dict[str, Any]", given)


def _list(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    # Lists may come as one comma-separated string (vendor documents, batch enrich).
    value: Any = given[name]
    items: Any = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(
        isinstance(item, str) for item in cast("list[Any]", items)
    ):
        raise invalid(f"{name} must be a list of strings or a comma-separated string")
    texts = cast("list[str]", items)
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise invalid(f"{name} must be valid Unicode") from None
    if isinstance(value, str):
        texts = [text.strip() for text in texts if text.strip()]
    return tuple(texts)


def _ids(given: Mapping[str, Any]) -> tuple[str, ...]:
    # Only lists of texts may come as one text (vendor documents, batch company enrich).
    ids: Any = given[COMPANY_IDS]
    if not isinstance(ids, list) or not all(type(item) is int for item in cast("list[Any]", ids)):
        raise invalid(f"{COMPANY_IDS} must be a list of integers")
    return tuple(str(item) for item in cast("list[int]", ids))


def _identifiers(endpoint: Endpoint, given: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    sent = [name for name in endpoint.identifier_types if given.get(name) is not None]
    choice = " or ".join(endpoint.identifier_types)
    if not sent:
        raise invalid(f"Provide exactly one identifier type: {choice}. None was provided.")
    if len(sent) > 1:
        raise invalid(f"Provide exactly one identifier type: {choice}. Got: {sent}")
    identifiers = _ids(given) if sent[0] == COMPANY_IDS else _list(given, sent[0])
    if not identifiers:
        raise invalid(f"{sent[0]} must not be empty")
    if not all(identifier.strip() for identifier in identifiers):
        raise invalid(f"{sent[0]} must not contain empty values")
    if len(identifiers) > endpoint.cap:
        raise invalid(
            f"Too many identifiers: {len(identifiers)}. Maximum is {endpoint.cap} per request."
        )
    return sent[0], identifiers


def _fields(
    endpoint: Endpoint, given: Mapping[str, Any], switches: Switches
) -> tuple[str, ...] | None:
    if not endpoint.fields or given.get("fields") is None:
        if endpoint.fields_required:
            raise _bad_fields("fields is required", endpoint, switches)
        return None
    wanted = _list(given, "fields")
    if not wanted:
        if endpoint.fields_required:
            raise _bad_fields("fields must not be empty", endpoint, switches)
        return None
    selectable = frozenset(endpoint.fields)
    for name in wanted:
        if name not in selectable:
            raise _bad_fields(f"Unsupported field: {name!r}", endpoint, switches)
    return wanted


def _bad_fields(message: str, endpoint: Endpoint, switches: Switches) -> Refused:
    available: Any = {"available_fields": list(endpoint.fields)}
    if switches.bad_fields_metadata == "list":
        available = [available]
    return invalid(f"{message}. Supported fields: {list(endpoint.fields)}", metadata=available)


def _chunk_size(given: Mapping[str, Any]) -> int:
    size: Any = given.get("chunk_size", DEFAULT_CHUNK_SIZE)
    if not isinstance(size, int) or isinstance(size, bool) or not 10 <= size <= 1000:
        raise invalid("chunk_size must be an integer between 10 and 1000")
    return size


def _webhook_url(given: Mapping[str, Any]) -> str | None:
    url: Any = given.get("webhook_url")
    if url is None:
        return None
    if not isinstance(url, str):
        raise invalid("webhook_url must be a string")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise invalid("webhook_url is not a valid URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise invalid("webhook_url must be an http or https URL")
    return url


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value: Any = given.get(name, False)
    if not isinstance(value, bool):
        raise invalid(f"{name} must be a boolean")
    return value
