"""The API over HTTP: one gate for every request (key, version, rate, faults), then the routes."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from crust_pipeline.sandbox.account import list_endpoints
from crust_pipeline.sandbox.billing import as_number
from crust_pipeline.sandbox.connection import ConnectionLost, with_transport
from crust_pipeline.sandbox.endpoints import BY_PATH, Endpoint
from crust_pipeline.sandbox.limits import Allowance
from crust_pipeline.sandbox.refusals import refusal_response
from crust_pipeline.sandbox.state import Sandbox
from crust_pipeline.sandbox.switches import FaultKind
from crust_pipeline.sandbox.usage import Event
from crust_pipeline.sandbox.validate import Refused, check_key, check_version, invalid, read_order

_STATUSES = ("pending", "processing", "completed", "failed")
_DEFAULT_PAGE = 20
_USUAL_SLOW_SECONDS = 5.0


@dataclass(slots=True)
class Call:
    """One request on its way through the API.

    Attributes:
        request: The request.
        path: Its route, with placeholders.
        body: Its body.
        request_id: The vendor's id for it.
        credits: What it cost.
        batch_id: The job it started.
    """

    request: Request
    path: str
    body: bytes
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    credits: Decimal = Decimal(0)
    batch_id: str | None = None


Handler = Callable[[Call], Awaitable[Response]]


class Report(Protocol):
    """A usage report: reads a query, gives JSON."""

    def __call__(self, query: Mapping[str, str], *, now: datetime) -> dict[str, Any]:
        """Return the report as of `now`."""
        ...


class Api:
    """The routes of the vendor's API for one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Serve `sandbox`."""
        self._sandbox = sandbox

    def build(self) -> ASGIApp:
        """Return the ASGI application."""
        routes = [
            self._route("GET", "/batch", self._list_batches),
            self._route("GET", "/batch/{batch_id}", self._get_batch, versioned=False),
            self._route("GET", "/user/credits", self._user_credits, versioned=False),
            self._route("GET", "/account/credits", self._account_credits),
            self._route("GET", "/account/endpoints", self._account_endpoints),
            self._route("GET", "/account/usage/events/{request_id}", self._usage_event),
        ]
        routes += [
            self._route("GET", f"/account/usage/{name}", self._usage(report))
            for name, report in self._reports().items()
        ]
        routes += [self._route("POST", e.path, self._seller(e)) for e in BY_PATH.values()]
        handlers: dict[Any, Any] = {HTTPException: _http_error}
        return with_transport(Starlette(routes=routes, exception_handlers=handlers))

    def _route(self, method: str, path: str, handler: Handler, *, versioned: bool = True) -> Route:
        async def endpoint(request: Request) -> Response:
            call = Call(request, path, await request.body())
            self._sandbox.requests[f"{method} {path}"] += 1
            return await self._gate(call, handler, versioned=versioned)

        return Route(path, endpoint, methods=[method])

    async def _gate(self, call: Call, handler: Handler, *, versioned: bool) -> Response:
        allowance: Allowance | None = None
        error: dict[str, Any] | None = None
        sandbox = self._sandbox
        try:
            if broken := await self._fault_before(call):
                return broken
            check_key(call.request.headers.get("authorization"), sandbox.keys)
            if versioned:
                check_version(call.request.headers.get("x-api-version"))
            allowance = self._admit(call)
            response = await handler(call)
        except Refused as refusal:
            error = refusal.body
            response = refusal_response(
                refusal.status,
                refusal.message,
                documented=refusal.body,
                shape=sandbox.switches.refusal_body,
                headers=self._extra(refusal),
            )
        if allowance is not None and response.status_code != 429:
            response.headers.update(allowance.headers())
        response.headers["x-request-id"] = call.request_id
        if call.path in BY_PATH:
            # Free endpoints answer without this header (vendor documents, usage).
            response.headers["x-credits-used"] = str(as_number(call.credits))
            self._record(call, response.status_code, error)
        if response.status_code < 300:
            return await self._fault_after(call, response)
        return response

    def _admit(self, call: Call) -> Allowance:
        sandbox = self._sandbox
        allowance = sandbox.limits.admit(
            call.path, now=sandbox.clock.now(), switches=sandbox.switches
        )
        if not allowance.passes or sandbox.faults.take(FaultKind.RATE_LIMITED, call.path):
            headers = allowance.headers() | {"x-ratelimit-remaining": "0"}
            if headers["x-ratelimit-reset"] == "0":
                headers["x-ratelimit-reset"] = "1"
            raise Refused(429, "rate_limit_exceeded", "Rate limit exceeded", headers=headers)
        return allowance

    def _extra(self, refusal: Refused) -> dict[str, str]:
        if refusal.status != 429 or not self._sandbox.switches.retry_after:
            return refusal.headers
        return refusal.headers | {"retry-after": refusal.headers.get("x-ratelimit-reset", "30")}

    async def _fault_before(self, call: Call) -> Response | None:
        faults = self._sandbox.faults
        if slow := faults.take(FaultKind.SLOW, call.path):
            await asyncio.sleep(_USUAL_SLOW_SECONDS if slow.value is None else slow.value)
        if faults.take(FaultKind.CONNECTION_LOST, call.path):
            return ConnectionLost()
        if fault := faults.take(FaultKind.SERVER_ERROR, call.path):
            return _server_error(int(fault.value or 500))
        return None

    async def _fault_after(self, call: Call, response: Response) -> Response:
        faults, path = self._sandbox.faults, call.path
        if faults.take(FaultKind.EMPTY_ANSWER, path):
            return Response(status_code=response.status_code, media_type="application/json")
        if faults.take(FaultKind.UNREADABLE_ANSWER, path):
            return Response(b'{"batch_id": "', response.status_code, media_type="application/json")
        # Only a sale can be accepted; a poll that comes between must not use these up.
        return await self._fault_after_accept(call, response) if path in BY_PATH else response

    async def _fault_after_accept(self, call: Call, response: Response) -> Response:
        faults, path = self._sandbox.faults, call.path
        if slow := faults.take(FaultKind.SLOW_AFTER_ACCEPT, path):
            await asyncio.sleep(_USUAL_SLOW_SECONDS if slow.value is None else slow.value)
        if faults.take(FaultKind.CONNECTION_LOST_AFTER_ACCEPT, path):
            return ConnectionLost()
        if fault := faults.take(FaultKind.SERVER_ERROR_AFTER_ACCEPT, path):
            return _server_error(int(fault.value or 500))
        if call.batch_id is not None and faults.take(FaultKind.NO_BATCH_ID, path):
            body = json.loads(bytes(response.body))
            body.pop("batch_id", None)
            return JSONResponse(body, response.status_code)
        return response

    def _record(self, call: Call, status: int, error: dict[str, Any] | None) -> None:
        if status == 401:
            return  # nobody knows whose request it was
        self._sandbox.usage.record(
            Event(
                event_id=call.request_id,
                at=self._sandbox.clock.now(),
                path=call.path,
                status=status,
                body=call.body.decode(errors="replace"),
                error=error,
                batch_id=call.batch_id,
            )
        )

    def _reports(self) -> dict[str, Report]:
        usage = self._sandbox.usage
        return {
            "summary": usage.summary,
            "events": usage.page,
            "errors": usage.errors,
        }

    def _usage(self, report: Report) -> Handler:
        async def answer(call: Call) -> Response:
            now = self._sandbox.refresh()
            return JSONResponse(report(call.request.query_params, now=now))

        return answer

    async def _usage_event(self, call: Call) -> Response:
        event_id = call.request.path_params["request_id"]
        return JSONResponse(self._sandbox.usage.one(event_id, now=self._sandbox.refresh()))

    def _seller(self, endpoint: Endpoint) -> Handler:
        async def sell(call: Call) -> Response:
            sandbox = self._sandbox
            if words := sandbox.switches.refusal:
                call.credits = Decimal(str(sandbox.switches.refusal_credits))
                sandbox.account.take(call.credits)
                raise Refused(sandbox.switches.refusal_status, "invalid_request", words)
            if endpoint.path in sandbox.switches.disabled_endpoints:
                raise Refused(
                    403, "permission_error", f"{endpoint.path} is not enabled for your account"
                )
            order = read_order(
                endpoint,
                call.body,
                content_type=call.request.headers.get("content-type"),
                switches=sandbox.switches,
            )
            if not endpoint.batch:
                entries, call.credits = sandbox.answer(order, request_id=call.request_id)
                wrapped = sandbox.switches.sync_answers == "wrapped"
                return JSONResponse({"results": entries} if wrapped else entries)
            job = sandbox.submit(order, request_id=call.request_id)
            call.credits, call.batch_id = job.reserved, job.batch_id
            accepted = {
                "batch_id": job.batch_id,
                "status": "pending",
                "entity": job.entity,
                "action": job.action,
                "identifier_count": job.identifier_count,
                "entities_requested": job.identifier_count,
                "status_url": f"/batch/{job.batch_id}",
            }
            return JSONResponse(accepted, sandbox.switches.submit_status)

        return sell

    async def _get_batch(self, call: Call) -> Response:
        job = self._sandbox.job(call.request.path_params["batch_id"])
        return JSONResponse(self._sandbox.status(job))

    async def _list_batches(self, call: Call) -> Response:
        query = call.request.query_params
        try:
            limit = int(query.get("limit", _DEFAULT_PAGE))
        except ValueError:
            raise invalid("limit must be an integer") from None
        status = query.get("status")
        if status is not None and status not in _STATUSES:
            raise invalid(f"Unsupported status: {status!r}. Supported: {list(_STATUSES)}")
        jobs, has_more = self._sandbox.page(
            limit=min(max(limit, 1), 100), status=status, cursor=query.get("cursor")
        )
        next_cursor = jobs[-1]["batch_id"] if has_more else None
        return JSONResponse({"jobs": jobs, "next_cursor": next_cursor, "has_more": has_more})

    async def _user_credits(self, _call: Call) -> Response:
        self._sandbox.refresh()
        return JSONResponse({"credits": as_number(self._sandbox.account.balance)})

    async def _account_credits(self, _call: Call) -> Response:
        now = self._sandbox.refresh()
        first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        refresh_date = first.replace(
            year=first.year + first.month // 12, month=first.month % 12 + 1
        )
        account = {
            "credits": as_number(self._sandbox.account.balance),
            "recurring_credits": as_number(self._sandbox.credits_at_start),
            "recurring_credits_frequency": "monthly",
            "recurring_credits_refresh_date": refresh_date.isoformat(),
            "credit_rollover": False,
        }
        return JSONResponse({"account": account})

    async def _account_endpoints(self, call: Call) -> Response:
        if not self._sandbox.switches.endpoints_listed:
            raise Refused(404, "not_found", "Not found")
        query = call.request.query_params
        status = query.get("status")
        if status not in (None, "enabled", "not_enabled", "disabled"):
            raise invalid("status must be 'enabled' or 'not_enabled'")
        return JSONResponse(
            list_endpoints(
                self._sandbox.switches,
                path=query.get("path"),
                category=query.get("category"),
                status=status,
            )
        )


def _server_error(status: int) -> Response:
    return JSONResponse(Refused(status, "internal_error", "Internal server error").body, status)


async def _http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind = "not_found" if status == 404 else "invalid_request"
    body = Refused(status, kind, "Not found" if status == 404 else "Method not allowed").body
    return JSONResponse(body, status)
