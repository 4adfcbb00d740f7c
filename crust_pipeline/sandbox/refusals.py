"""The bodies of refusals, in every shape in which clients of such APIs have met them."""

from collections.abc import Mapping
from html import escape
from typing import Any, Literal, assert_never

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

RefusalBody = Literal[
    "documented",
    "error_reason",
    "error_text",
    "message",
    "detail",
    "reason",
    "description",
    "non_field_errors",
    "by_field",
    "text",
    "page",
]
"""The shapes: as the vendor documents it, as frameworks write it, or as a proxy does."""


def refusal_response(
    status: int,
    words: str,
    *,
    documented: Mapping[str, Any],
    shape: RefusalBody,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a refusal in one of the shapes; only the documented one holds more than words."""
    body: dict[str, Any]
    match shape:
        case "documented":
            body = dict(documented)
        case "error_reason":
            body = {"error": {"reason": words}}
        case "error_text":
            body = {"error": words}
        case "message" | "detail" | "reason" | "description":
            body = {shape: words}
        case "non_field_errors":
            body = {"non_field_errors": [words]}
        case "by_field":
            body = {"fields": [words]}
        case "text":
            return PlainTextResponse(words, status, headers)
        case "page":
            page = f"<html><head><title>{status}</title></head><body><p>{escape(words)}</p></body>"
            return HTMLResponse(f"{page}</html>", status, headers)
        case _:
            assert_never(shape)
    return JSONResponse(body, status, headers)
