"""Callbacks from the submit that asks for them to what they bring about."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from crust_pipeline.app.days import load_upstream, plan_days
from crust_pipeline.app.installation import Installation
from crust_pipeline.buying.account import utc_now
from crust_pipeline.buying.land import land_files
from crust_pipeline.buying.poll import poll_jobs
from crust_pipeline.buying.recover import reconcile
from crust_pipeline.buying.submit import fill_slots
from crust_pipeline.ledger import inbox, queries
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger.inbox import Delivery, Receipt
from crust_pipeline.sandbox.jobs import Job
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.settings import Settings
from crust_pipeline_tests.people import DAYS

INBOX = "https://inbox.example"


@pytest.fixture
def switches() -> Switches:
    return Switches(instant_jobs=True, webhook="never")


@dataclass(slots=True)
class Buyer:
    """An installation that plans days, submits them and is called back."""

    pipeline: Installation
    sandbox: RunningSandbox

    def submit(self, day: int) -> str:
        """Submit a day as one batch; give its submission id."""
        pipeline = self.pipeline
        load_upstream(pipeline, start=DAYS[day], end=DAYS[day], run_id="test")
        (batch,) = plan_days(pipeline, "enrich", [DAYS[day]], policy=pipeline.policy).batches
        fill_slots(pipeline.accounts["crustdata"])
        return batch.submission_id

    def job(self, number: int) -> Job:
        """A job at the vendor, in the order of submits."""
        return list(self.sandbox.state.jobs.values())[number]

    def call_back(self, job: Job, *, body: Mapping[str, str] | None = None) -> Receipt:
        """What the vendor would deliver for a job."""
        assert job.order is not None
        address = job.order.webhook_url
        assert address is not None
        assert address.startswith(f"{INBOX}/hooks/")
        text = json.dumps(body or {"batch_id": job.batch_id, "status": "completed"})
        delivery = Delivery(address.rpartition("/")[2], text.encode())
        (receipt,) = inbox.keep(self.pipeline.ledger, [delivery], now=utc_now())
        return receipt

    def batch_id(self, submission_id: str) -> str | None:
        """The vendor's job of a batch, as the ledger knows it."""
        with self.pipeline.ledger.write() as tx:
            return tx.submission(submission_id).batch_id


def buyer(settings: dict[str, str], sandbox: RunningSandbox, **more: str) -> Buyer:
    return Buyer(Installation(settings=Settings.from_env(settings | more)), sandbox)


@pytest.fixture
def called_back(settings: dict[str, str], sandbox: RunningSandbox) -> Buyer:
    return buyer(settings, sandbox, CRUST_INBOX_URL=INBOX, CRUST_POLL_SECONDS="3600")


def test_without_an_inbox_no_callback_is_asked_for(
    settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    polling = buyer(settings, sandbox)
    polling.submit(0)
    order = polling.job(0).order
    assert order is not None
    assert order.webhook_url is None


def test_every_submit_has_a_token_of_its_own(called_back: Buyer) -> None:
    called_back.submit(0)
    called_back.submit(1)
    orders = [called_back.job(number).order for number in (0, 1)]
    assert len({order.webhook_url for order in orders if order}) == 2


def test_a_callback_wakes_the_monitor_which_asks_the_vendor_itself(called_back: Buyer) -> None:
    submission_id = called_back.submit(0)
    with called_back.pipeline.ledger.write() as tx:
        tx.update(submission_id, not_before=utc_now() + timedelta(hours=1))
    assert poll_jobs(called_back.pipeline.accounts["crustdata"]).completed == []
    lie = {"batch_id": "somebody-else", "status": "failed"}
    assert called_back.call_back(called_back.job(0), body=lie) is Receipt.KEPT
    assert poll_jobs(called_back.pipeline.accounts["crustdata"]).completed == [submission_id]


def test_a_callback_tells_lost_submits_of_one_size_apart(called_back: Buyer) -> None:
    called_back.sandbox.fail("connection_lost_after_accept", times=2)
    first, second = called_back.submit(1), called_back.submit(2)  # two people each
    states = queries.summary(called_back.pipeline.ledger, now=utc_now()).batches
    assert states == {"unknown": 2}
    jobs = [called_back.job(0), called_back.job(1)]
    with called_back.pipeline.ledger.write() as tx:
        tx.update(first, not_before=utc_now() + timedelta(hours=1))
    called_back.call_back(jobs[1])
    assert reconcile(called_back.pipeline.accounts["crustdata"]).adopted == [second]
    assert called_back.batch_id(second) == jobs[1].batch_id


def test_a_made_up_job_is_not_adopted(called_back: Buyer) -> None:
    called_back.sandbox.state.change(non_uuid_batch_status=400)  # and 404 for what looks like one
    called_back.sandbox.fail("connection_lost_after_accept")
    submission_id = called_back.submit(0)
    called_back.sandbox.fail("server_error", times=None, path="/batch")  # its list cannot be had
    for batch_id in ("no-uuid", "00000000-0000-4000-8000-000000000000"):
        called_back.call_back(called_back.job(0), body={"batch_id": batch_id})
    assert reconcile(called_back.pipeline.accounts["crustdata"]).adopted == []
    assert called_back.batch_id(submission_id) is None


def test_a_job_of_another_batch_is_not_adopted(called_back: Buyer) -> None:
    owner = called_back.submit(1)
    called_back.sandbox.fail("connection_lost_after_accept")
    called_back.submit(2)
    taken = called_back.batch_id(owner)
    assert taken
    called_back.call_back(called_back.job(1), body={"batch_id": taken})
    called_back.sandbox.fail("server_error", times=None, path="/batch")
    assert reconcile(called_back.pipeline.accounts["crustdata"]).adopted == []


def test_the_token_is_spent_when_the_file_has_landed(called_back: Buyer) -> None:
    called_back.submit(0)
    job = called_back.job(0)
    called_back.call_back(job)
    poll_jobs(called_back.pipeline.accounts["crustdata"])
    assert len(land_files(called_back.pipeline.accounts["crustdata"]).landed) == 1
    assert called_back.call_back(job, body={"again": "yes"}) is Receipt.NO_SUCH_ADDRESS


def test_an_unknown_submit_without_a_callback_is_still_found_in_the_list(
    called_back: Buyer,
) -> None:
    called_back.sandbox.fail("connection_lost_after_accept")
    submission_id = called_back.submit(0)
    with called_back.pipeline.ledger.write() as tx:
        tx.update(submission_id, not_before=utc_now())
    assert reconcile(called_back.pipeline.accounts["crustdata"]).adopted == [submission_id]
    assert ledger_poll.unknown_submits(called_back.pipeline.ledger) == []
