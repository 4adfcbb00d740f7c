"""What tests and the demo do to a running sandbox from outside, at the storage address."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from crust_pipeline.sandbox.billing import as_number
from crust_pipeline.sandbox.clock import iso
from crust_pipeline.sandbox.connection import with_transport
from crust_pipeline.sandbox.jobs import describe
from crust_pipeline.sandbox.state import Sandbox
from crust_pipeline.sandbox.storage import storage_route
from crust_pipeline.sandbox.switches import Fault

Change = Callable[[Any], Any]


class Control:
    """The control routes of one sandbox.

    * `GET /_control/state`: credits, jobs, requests, and by person how often submitted and billed.
    * `POST /_control/switches`: `{"name": value, …}`.
    * `POST /_control/faults`: a list that replaces the faults pending; see `Fault.from_json`.
    * `POST /_control/clock`: one of `{"advance_seconds": s}`, `{"set": iso}`, `{"freeze": bool}`.
    * `POST /_control/credits`: `{"credits": n}`.
    * `POST /_control/jobs`: `{"seconds": s | null}`, a job of another user of the account.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        """Control `sandbox`."""
        self._sandbox = sandbox

    def build(self) -> ASGIApp:
        """Return the ASGI application: these routes and the storage."""
        changes: dict[str, Change] = {
            "switches": self._set_switches,
            "faults": self._set_faults,
            "clock": self._set_clock,
            "credits": self._set_credits,
            "jobs": self._add_job,
        }
        routes = [Route("/_control/state", self._state)]
        routes += [
            Route(f"/_control/{name}", _changing(change), methods=["POST"])
            for name, change in changes.items()
        ]
        return with_transport(Starlette(routes=[*routes, storage_route(self._sandbox)]))

    def _state(self, _request: Request) -> Response:
        sandbox = self._sandbox
        now = sandbox.refresh()
        account = sandbox.account
        people: dict[str, dict[str, Any]] = {}
        for (product, key), count in list(account.submitted.items()):
            person = people.setdefault(product, {}).setdefault(key, {"submitted": 0, "billed": {}})
            person["submitted"] = count
        for (product, item, key), count in account.billed().items():
            people[product][key]["billed"][item] = count
        return JSONResponse(
            {
                "now": iso(now),
                "credits": as_number(account.balance),
                "spent": as_number(account.spent),
                "people": people,
                "jobs": [
                    describe(job, now, sandbox.switches) for job in list(sandbox.jobs.values())
                ],
                "requests": dict(sandbox.requests),
                "faults": [fault.as_json() for fault in sandbox.faults.pending()],
                "switches": sandbox.switches.as_json(),
            }
        )

    def _set_switches(self, given: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        self._sandbox.change(**given)
        return self._sandbox.switches.as_json()

    def _set_faults(self, given: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - JSON
        self._sandbox.faults.set([Fault.from_json(item) for item in given])
        return [fault.as_json() for fault in self._sandbox.faults.pending()]

    def _set_clock(self, given: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        clock = self._sandbox.clock
        match given:
            case {"advance_seconds": int() | float() as seconds}:
                clock.advance(seconds)
            case {"set": str() as moment}:
                clock.set(datetime.fromisoformat(moment))
            case {"freeze": True}:
                clock.freeze()
            case {"freeze": False}:
                clock.release()
            case _:
                raise ValueError("give one of advance_seconds, set, freeze")
        return {"now": iso(self._sandbox.refresh())}

    def _set_credits(self, given: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        self._sandbox.set_credits(Decimal(str(given["credits"])))
        return {"credits": as_number(self._sandbox.account.balance)}

    def _add_job(self, given: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        return {"batch_id": self._sandbox.add_foreign_job(seconds=given.get("seconds")).batch_id}


def _changing(change: Change) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            given: Any = json.loads(await request.body())
            # Settling large jobs takes a moment, in which the API has to go on answering.
            return JSONResponse(await asyncio.to_thread(change, given))
        except (ValueError, TypeError, KeyError, AttributeError, InvalidOperation) as error:
            return JSONResponse({"message": f"{type(error).__name__}: {error}"}, 400)

    return endpoint
