"""The sandbox's Pronto over HTTP, with our client and with a receiver of its deliveries."""

import json
import queue
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crust_pipeline.sandbox.pronto.account import ProntoSwitches
from crust_pipeline.sandbox.refusals import RefusalBody
from crust_pipeline.sandbox.serve import Listener, RunningSandbox, SandboxConfig, running_sandbox
from crust_pipeline.vendors.errors import OutOfCredits
from crust_pipeline.vendors.known import KnownPerson
from crust_pipeline.vendors.pronto.client import EnrichmentType, ProntoClient
from crust_pipeline.vendors.pronto.lines import RESULT

CONTACTS = [
    KnownPerson(
        firstname="Ada", lastname=f"Example{number}", domain="example.com", key=f"k{number}"
    )
    for number in range(10)
]


@dataclass(slots=True)
class Receiver:
    """Notes what is posted to it; refuses the first requests."""

    refuse: int = 0
    bodies: queue.Queue[Any] = field(default_factory=queue.Queue[Any])

    def app(self) -> Starlette:
        async def receive(request: Request) -> Response:
            body = json.loads(await request.body())
            if self.refuse:
                self.refuse -= 1
                return Response(status_code=503)
            self.bodies.put(body)
            return Response()

        return Starlette(routes=[Route("/hook", receive, methods=["POST"])])

    def take(self, count: int) -> list[str]:
        """The keys of so many deliveries."""
        return [self.bodies.get(timeout=20)["custom"]["key"] for _ in range(count)]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def hook(receiver: Receiver) -> Iterator[str]:
    listener = Listener(receiver.app(), host="127.0.0.1", port=0)
    listener.start()
    yield f"{listener.url}/hook"
    listener.stop()


@pytest.fixture
def pronto() -> Iterator[RunningSandbox]:
    config = SandboxConfig(pronto=ProntoSwitches(seconds=0))
    with running_sandbox(config=config) as running:
        yield running


def order(pronto: RunningSandbox, hook: str) -> None:
    client = ProntoClient(api_key=pronto.api_key, base_url=pronto.pronto_url)
    client.bulk_enrich(CONTACTS, kind=EnrichmentType.EMAIL, webhook_url=hook)
    client.close()


def keys() -> list[str]:
    return sorted(contact.key for contact in CONTACTS)


@pytest.mark.parametrize("shape", ["documented", "synchronous", "phone_objects"])
@pytest.mark.parametrize("path", ["/api/v2", "/v2"])
def test_our_client_understands_every_switch(path: str, shape: str) -> None:
    switches = ProntoSwitches(seconds=0, shape=shape, accepted="id_and_status")  # pyright: ignore[reportArgumentType]  # a parameter
    with running_sandbox(config=SandboxConfig(pronto=switches)) as running:
        client = ProntoClient(
            api_key=running.api_key, base_url=running.pronto_url.replace("/api/v2", path)
        )
        assert client.credits() == running.pronto.balance
        enrichment_id = client.single_enrich(CONTACTS[0], kind=EnrichmentType.EMAIL)
        found = RESULT.read(client.contact(enrichment_id).response.content)
        client.close()
    assert found.identifier == "k0"


def test_our_client_knows_a_lack_of_credits_in_whatever_shape_it_is_said(
    pronto: RunningSandbox,
) -> None:
    client = ProntoClient(api_key=pronto.api_key, base_url=pronto.pronto_url)
    for shape in get_args(RefusalBody):
        pronto.pronto.switches = ProntoSwitches(
            refusal="Insufficient enrichment credits", refusal_body=shape
        )
        with pytest.raises(OutOfCredits, match="Insufficient enrichment credits"):
            client.single_enrich(CONTACTS[0], kind=EnrichmentType.EMAIL)
    client.close()


def test_every_result_is_delivered(pronto: RunningSandbox, hook: str, receiver: Receiver) -> None:
    order(pronto, hook)
    assert sorted(receiver.take(10)) == keys()


def test_a_delivery_that_was_refused_comes_again(
    pronto: RunningSandbox, hook: str, receiver: Receiver
) -> None:
    receiver.refuse = 3
    order(pronto, hook)
    assert sorted(receiver.take(10)) == keys()


def test_results_may_come_twice(pronto: RunningSandbox, hook: str, receiver: Receiver) -> None:
    pronto.pronto.switches = ProntoSwitches(seconds=0, deliveries="twice")
    order(pronto, hook)
    assert sorted(receiver.take(20)) == sorted(keys() * 2)


def test_results_may_get_lost(pronto: RunningSandbox, hook: str, receiver: Receiver) -> None:
    pronto.pronto.switches = ProntoSwitches(seconds=0, deliveries="lossy")
    order(pronto, hook)
    assert len(set(receiver.take(8))) == 8


def test_somebody_may_post_made_up_results(
    pronto: RunningSandbox, hook: str, receiver: Receiver
) -> None:
    pronto.pronto.switches = ProntoSwitches(seconds=0, forged=True)
    order(pronto, hook)
    received = receiver.take(20)
    assert len(set(received) - set(keys())) == 10
