"""Pronto's API over HTTP."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from crust_pipeline.sandbox.billing import as_number
from crust_pipeline.sandbox.pronto.account import ProntoAccount, ProntoRefused
from crust_pipeline.sandbox.refusals import refusal_response

Handler = Callable[[Request], Awaitable[Response]]


class ProntoApi:
    """The routes of the vendor's API for one account."""

    def __init__(self, account: ProntoAccount) -> None:
        """Serve `account`."""
        self._account = account

    def build(self) -> ASGIApp:
        """Return the ASGI application, below both paths that the vendor's own programs use."""
        routes = [
            self._route("POST", "/contacts/bulk_enrich", self._bulk),
            self._route("POST", "/contacts/single_enrich", self._single),
            self._route("GET", "/contacts/{enrichment_id}", self._contact),
            self._route("GET", "/credits", self._credits),
        ]
        return Starlette(routes=[Mount("/api/v2", routes=routes), Mount("/v2", routes=routes)])

    def _route(self, method: str, path: str, handler: Handler) -> Route:
        account = self._account

        async def endpoint(request: Request) -> Response:
            account.requests[f"{method} {path}"] += 1
            try:
                account.admit(request.headers.get("x-api-key"))
                return await handler(request)
            except ProntoRefused as refused:
                wait = refused.retry_after
                headers = None if wait is None else {"retry-after": str(wait)}
                return refusal_response(
                    refused.status,
                    refused.words,
                    documented={"error": refused.words},
                    shape=account.switches.refusal_body,
                    headers=headers,
                )

        return Route(path, endpoint, methods=[method])

    async def _bulk(self, request: Request) -> Response:
        return self._accepted(self._account.start_bulk(await _body(request)))

    async def _single(self, request: Request) -> Response:
        return self._accepted(self._account.start_single(await _body(request)))

    async def _contact(self, request: Request) -> Response:
        return JSONResponse(self._account.result(request.path_params["enrichment_id"]))

    async def _credits(self, _request: Request) -> Response:
        return JSONResponse({"credits": as_number(self._account.balance)})

    def _accepted(self, enrichment_id: str) -> Response:
        if self._account.switches.accepted == "id":
            return JSONResponse({"enrichment_id": enrichment_id})
        return JSONResponse({"enrichment_id": enrichment_id, "status": "queued"}, 202)


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body: Any = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ProntoRefused(422, "the body must be a JSON object")
    return cast("dict[str, Any]", body)
