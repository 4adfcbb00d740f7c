"""What the ledger makes of deliveries."""

from datetime import timedelta
from pathlib import Path

import pytest

from crust_pipeline.ledger import inbox
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.inbox import Delivery, Receipt
from crust_pipeline_tests.databases import POSTGRES
from crust_pipeline_tests.inbox.conftest import NOW, Batches


def test_a_body_is_kept_as_received(batches: Batches) -> None:
    submission_id, token = batches.pending()
    body = b'\x00\xff not JSON "at all'
    assert inbox.keep(batches.ledger, [Delivery(token, body)], now=NOW) == [Receipt.KEPT]
    assert inbox.delivered(batches.ledger, submission_id) == [body]


def test_the_same_delivery_again_is_acknowledged_and_kept_once(batches: Batches) -> None:
    submission_id, token = batches.pending()
    twice = [Delivery(token, b"{}"), Delivery(token, b"{}")]
    assert inbox.keep(batches.ledger, twice, now=NOW) == [Receipt.KEPT, Receipt.KNOWN]
    assert inbox.keep(batches.ledger, twice, now=NOW) == [Receipt.KNOWN, Receipt.KNOWN]
    assert inbox.delivered(batches.ledger, submission_id) == [b"{}"]


def test_a_token_delivers_for_its_own_batch_only(batches: Batches) -> None:
    first, token = batches.pending("first")
    second, _ = batches.pending("second")
    inbox.keep(batches.ledger, [Delivery(token, b'{"batch_id": "job-second"}')], now=NOW)
    assert len(inbox.delivered(batches.ledger, first)) == 1
    assert inbox.delivered(batches.ledger, second) == []


def test_an_unknown_token_keeps_nothing(batches: Batches) -> None:
    batches.pending()
    receipts = inbox.keep(batches.ledger, [Delivery("x" * 43, b"{}")], now=NOW)
    assert receipts == [Receipt.NO_SUCH_ADDRESS]
    assert inbox.deliveries_kept(batches.ledger) == 0


def test_a_token_is_spent_when_its_batch_has_ended(batches: Batches) -> None:
    submission_id, token = batches.submitting()
    ledger_submit.record_rejected(batches.ledger, submission_id, reason="refused", now=NOW)
    receipts = inbox.keep(batches.ledger, [Delivery(token, b"{}")], now=NOW)
    assert receipts == [Receipt.NO_SUCH_ADDRESS]


def test_a_token_grows_old(batches: Batches) -> None:
    _, token = batches.pending()
    receipts = inbox.keep(batches.ledger, [Delivery(token, b"{}")], now=NOW + timedelta(days=31))
    assert receipts == [Receipt.NO_SUCH_ADDRESS]


def test_a_leaked_token_cannot_fill_the_disk(batches: Batches) -> None:
    submission_id, token = batches.pending()
    flood = [Delivery(token, str(number).encode()) for number in range(1_005)]
    receipts = inbox.keep(batches.ledger, flood, now=NOW)
    assert receipts.count(Receipt.TOO_MANY) == 5
    assert len(inbox.delivered(batches.ledger, submission_id)) == 1_000


@pytest.mark.skipif(POSTGRES is not None, reason="what is kept is the same in Postgres")
def test_tokens_are_not_in_the_ledger(batches: Batches) -> None:
    _, token = batches.pending()
    path = batches.ledger.engine.url.database
    assert path
    batches.ledger.close()
    assert token.encode() not in Path(path).read_bytes()


def test_a_delivery_makes_a_running_job_due_for_a_poll_at_once(batches: Batches) -> None:
    _, token = batches.pending()
    assert ledger_poll.due_polls(batches.ledger, now=NOW, limit=10) == []
    inbox.keep(batches.ledger, [Delivery(token, b"{}")], now=NOW)
    due = ledger_poll.due_polls(batches.ledger, now=NOW, limit=10)
    assert len(due) == 1


def test_a_delivery_makes_an_unknown_submit_due_for_a_search(batches: Batches) -> None:
    submission_id, token = batches.submitting()
    ledger_submit.record_unknown(batches.ledger, submission_id, reason="lost", now=NOW)
    ledger_poll.search_again(batches.ledger, submission_id, at=NOW + timedelta(hours=1))
    assert ledger_poll.unknown_submits(batches.ledger, now=NOW) == []
    inbox.keep(batches.ledger, [Delivery(token, b"{}")], now=NOW)
    assert len(ledger_poll.unknown_submits(batches.ledger, now=NOW)) == 1


def test_the_jobs_that_deliveries_name_are_read_from_whatever_can_be_read(batches: Batches) -> None:
    submission_id, token = batches.pending()
    bodies = [
        b"not json",
        b"[1]",
        b'{"batch_id": 7}',
        b'{"batch_id": ""}',
        b"[" * 100_000,
        b'{"batch_id": "a"}',
        b'{"batch_id": "a", "again": true}',
    ]
    inbox.keep(batches.ledger, [Delivery(token, body) for body in bodies], now=NOW)
    assert inbox.jobs_named(batches.ledger, submission_id) == ["a"]
