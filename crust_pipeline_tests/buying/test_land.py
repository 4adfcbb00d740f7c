"""Landing: every file is kept as received, or tried again until its link is past saving."""

import gzip
import hashlib
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from crust_pipeline.ledger import land as ledger_land
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import queries, spending
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import IDENTIFY
from crust_pipeline.vendors.models import Downloaded
from crust_pipeline_tests.buying.conftest import (
    MONDAY,
    NOBODY,
    REMOVED,
    SAM,
    TUESDAY,
    World,
    people,
)

ELSEWHERE = "a-host-that-is-gone:1:1"


def completed(world: World, *keys: str) -> str:
    """A batch whose job has ended and whose file is not landed; its id."""
    (batch,) = world.plan(*(keys or people(10))).batches
    world.submit()
    assert world.poll().completed == [batch.submission_id]
    return batch.submission_id


def land_again_and_again(world: World, times: int) -> None:
    for _ in range(times):
        world.land()
        world.wait(minutes=20)


def hourly(world: World, *, days: int) -> int:
    """Land every hour; how often the vendor's storage was asked."""
    before = world.sandbox.state.requests["GET storage"]
    for _ in range(24 * days):
        world.wait(hours=1)
        world.land()
    return world.sandbox.state.requests["GET storage"] - before


def files(world: World) -> list[Path]:
    """What is in the raw folder."""
    return [path for path in world.account.raw.rglob("*") if path.is_file()]


def storage_gives(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    """Let every download bring these lines."""

    def given(_client: CrustdataClient, _url: str, to: Path, **_how: bool) -> Downloaded:
        content = gzip.compress("".join(line + "\n" for line in lines).encode(), mtime=0)
        to.write_bytes(content)
        return Downloaded(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    monkeypatch.setattr(CrustdataClient, "download", given)


def cut_to(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let every download bring the first lines of its file only."""
    download = CrustdataClient.download

    def cut(client: CrustdataClient, url: str, to: Path, **how: bool) -> Downloaded:
        download(client, url, to, **how)
        lines = gzip.decompress(to.read_bytes()).splitlines(keepends=True)[:count]
        content = gzip.compress(b"".join(lines), mtime=0)
        to.write_bytes(content)
        return Downloaded(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    monkeypatch.setattr(CrustdataClient, "download", cut)


def kept(world: World, submission_id: str) -> bytes:
    """What is in the file that was kept for a batch."""
    return gzip.decompress(
        (world.account.raw / world.batch(submission_id)["source_file"]).read_bytes()
    )


def test_a_file_is_kept_as_received_and_cannot_be_written_to(world: World) -> None:
    submission_id = completed(world)
    assert world.land().landed == [submission_id]
    batch = world.batch(submission_id)
    path = world.account.raw / batch["source_file"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == batch["file_sha256"]
    assert path.stat().st_size == batch["file_bytes"]
    assert path.stat().st_mode & 0o222 == 0
    assert batch["file_lines"] == 10


def test_landing_settles_the_reservation_to_what_was_delivered(world: World) -> None:
    submission_id = world.buy(*people(5), NOBODY, fields=("basic_profile",))
    batch = world.batch(submission_id)
    assert batch["credits_reserved"] == 6
    assert batch["credits_computed"] == world.sandbox.state.account.spent == 5
    assert queries.summary(world.ledger, now=world.now()).credits_reserved == 0


@pytest.mark.parametrize("link", ["dead", "absent"])
def test_a_job_without_results_has_no_file_and_everyone_is_dropped(world: World, link: str) -> None:
    world.sandbox.state.change(zero_results_link=link)
    submission_id = completed(world, NOBODY, REMOVED)
    assert world.land().landed == [submission_id]
    batch = world.batch(submission_id)
    assert batch["source_file"] is None
    assert batch["credits_computed"] == 0
    assert world.outcomes() == ["dropped", "dropped"]


@pytest.mark.parametrize("line_end", ["\n", ""])
def test_where_only_parts_are_offered_they_are_put_together(
    world: World, monkeypatch: pytest.MonkeyPatch, line_end: str
) -> None:
    download = CrustdataClient.download

    def ending(client: CrustdataClient, url: str, to: Path, **how: bool) -> Downloaded:
        arrived = download(client, url, to, **how)
        text = gzip.decompress(to.read_bytes()).decode().rstrip("\n") + line_end
        to.write_bytes(gzip.compress(text.encode()))
        return arrived

    monkeypatch.setattr(CrustdataClient, "download", ending)
    status = world.sandbox.state.status
    monkeypatch.setattr(
        world.sandbox.state, "status", lambda job: {**status(job), "download_url": None}
    )
    submission_id = completed(world, *people(230))
    assert world.land().landed == [submission_id]
    assert len(kept(world, submission_id).splitlines()) == 230
    assert world.outcomes().count("matched") == 230


@pytest.mark.parametrize("kind", ["truncated_download", "corrupt_download", "wrong_download"])
def test_a_download_that_is_broken_once_comes_whole_the_next_time(world: World, kind: str) -> None:
    submission_id = completed(world)
    world.sandbox.fail(kind)
    land_again_and_again(world, 4)
    assert world.state(submission_id) is BatchState.LANDED
    assert world.outcomes().count("matched") == 10
    assert set(world.sold().values()) == {1}


def test_a_download_that_breaks_off_every_time_is_used_as_far_as_it_comes(world: World) -> None:
    submission_id = completed(world, *people(60))
    world.sandbox.fail("truncated_download", times=None, value=0.6)
    land_again_and_again(world, 12)
    assert world.state(submission_id) is BatchState.LANDED
    outcomes = world.outcomes()
    assert 0 < outcomes.count("matched") < 60
    # The others were delivered and billed; they are bought again only on purpose.
    assert outcomes.count("matched") + outcomes.count("failed") == 60
    assert world.batch(submission_id)["error"]
    assert world.plan(*people(60), day=TUESDAY).batches == ()


def test_a_file_that_is_something_else_is_fetched_again_until_its_link_is_near_its_end(
    world: World,
) -> None:
    submission_id = completed(world)
    world.sandbox.fail("wrong_download", times=None)
    tries = hourly(world, days=4)
    assert world.state(submission_id) is BatchState.COMPLETED
    assert 90 < tries <= 96  # at least about once an hour
    assert "says nothing of anybody asked for" in world.batch(submission_id)["error"]
    assert world.batch(submission_id)["source_file"]  # what came is kept meanwhile
    hourly(world, days=1)
    assert world.state(submission_id) is BatchState.LANDED
    assert set(world.outcomes()) == {"failed"}


@pytest.mark.parametrize("kind", ["wrong_download", "corrupt_download"])
def test_a_file_that_is_good_after_a_day_is_landed_whole(world: World, kind: str) -> None:
    submission_id = completed(world)
    world.sandbox.fail(kind, times=None)
    hourly(world, days=1)
    world.sandbox.state.faults.set([])
    world.wait(hours=1)
    assert world.land().landed == [submission_id]
    batch = world.batch(submission_id)
    assert world.outcomes() == ["matched"] * 10
    assert batch["credits_computed"] == world.sandbox.state.account.spent
    assert batch["error"] is None
    assert [path.name for path in files(world)] == [Path(batch["source_file"]).name]


def test_lines_about_others_alone_are_not_taken_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = json.dumps({"original_identifier": "https://www.linkedin.com/in/x", "data": {}})
    storage_gives(monkeypatch, [other] * 10)
    submission_id = completed(world)
    hourly(world, days=1)
    assert world.state(submission_id) is BatchState.COMPLETED
    monkeypatch.undo()
    world.wait(hours=1)
    assert world.land().landed == [submission_id]


def test_the_lines_of_a_short_file_are_not_held_back_for_longer_than_an_hour(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission_id = completed(world)
    cut_to(monkeypatch, 7)
    world.land()
    for _ in range(11):
        world.wait(minutes=5)
        world.land()
    assert world.state(submission_id) is BatchState.COMPLETED
    for _ in range(12):
        world.wait(minutes=5)
        world.land()
    assert world.state(submission_id) is BatchState.LANDED
    assert world.batch(submission_id)["error"] == "the vendor says 10 lines, the file has 7"
    assert Counter(world.outcomes()) == {"matched": 7, "failed": 3}


def test_a_short_file_that_is_followed_by_a_whole_one_loses_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission_id = completed(world)
    cut_to(monkeypatch, 7)
    for _ in range(6):
        world.land()
        world.wait(minutes=2)
    monkeypatch.undo()
    world.wait(minutes=15)
    assert world.land().landed == [submission_id]
    assert world.outcomes() == ["matched"] * 10


def test_a_short_file_is_not_given_up_for_a_worse_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission_id = completed(world)
    cut_to(monkeypatch, 7)
    world.land()
    monkeypatch.undo()
    world.sandbox.fail("wrong_download", times=None)
    hourly(world, days=1)
    assert world.state(submission_id) is BatchState.LANDED
    assert world.outcomes().count("matched") == 7
    assert len(files(world)) == 1


def test_a_page_after_lines_that_cannot_be_read_does_not_confirm_them(world: World) -> None:
    world.sandbox.fail("malformed_lines", value=1)
    submission_id = completed(world)
    world.land()
    world.sandbox.fail("wrong_download")
    land_again_and_again(world, 1)
    assert world.state(submission_id) is BatchState.COMPLETED
    land_again_and_again(world, 2)
    assert world.state(submission_id) is BatchState.LANDED
    assert Counter(world.outcomes()) == {"matched": 9, "failed": 1}


def test_a_refused_file_still_needs_its_link(world: World) -> None:
    completed(world)
    world.sandbox.fail("wrong_download", times=None)
    world.land()
    assert queries.summary(world.ledger, now=world.now()).oldest_link


def test_a_redirect_inside_the_network_is_an_error_of_its_batch_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crust_pipeline.vendors.targets.Targets._api_is_internal", lambda _: False)
    submission_id = completed(world)
    world.land()
    assert world.state(submission_id) is BatchState.COMPLETED
    assert "inside this network" in world.batch(submission_id)["error"]
    assert files(world) == []
    hourly(world, days=2)
    assert world.state(submission_id) is BatchState.COMPLETED  # not expired: the link lives
    monkeypatch.undo()
    world.wait(hours=1)
    assert world.land().landed == [submission_id]


def test_a_line_of_gigabytes_is_one_bad_line_of_its_batch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crust_pipeline.vendors.landed.MOST_LINE_BYTES", 1 << 20)
    long = len(json.dumps("x" * (2 << 20)))
    download = CrustdataClient.download

    def with_a_bomb(client: CrustdataClient, url: str, to: Path, **how: bool) -> Downloaded:
        download(client, url, to, **how)
        first, *rest = gzip.decompress(to.read_bytes()).splitlines()
        content = gzip.compress(b"\n".join([first + b" " * long, *rest]) + b"\n", mtime=0)
        to.write_bytes(content)
        return Downloaded(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    monkeypatch.setattr(CrustdataClient, "download", with_a_bomb)
    submission_id = completed(world)
    land_again_and_again(world, 4)
    assert world.state(submission_id) is BatchState.LANDED
    assert Counter(world.outcomes()) == {"matched": 9, "failed": 1}


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_link_that_died_is_renewed(world: World, status: int) -> None:
    submission_id = completed(world)
    world.sandbox.fail("dead_link", value=status)
    assert world.land().later == [submission_id]
    world.wait(minutes=1)
    assert world.land().landed == [submission_id]


def test_a_link_that_is_dead_for_a_day_whenever_it_is_renewed_has_expired(world: World) -> None:
    submission_id = completed(world)
    world.sandbox.fail("dead_link", times=None)
    land_again_and_again(world, 70)
    assert world.state(submission_id) is BatchState.COMPLETED
    world.wait(hours=1)
    assert world.land().expired == [submission_id]
    assert set(world.outcomes()) == {"expired"}


def test_dead_links_count_only_one_after_the_other(world: World) -> None:
    submission_id = completed(world)
    for _ in range(3):
        world.sandbox.fail("dead_link", times=5)
        land_again_and_again(world, 5)
        world.sandbox.fail("server_error", path="/batch/{batch_id}", times=20)
        land_again_and_again(world, 1)
        world.sandbox.state.faults.set([])
    assert world.state(submission_id) is BatchState.COMPLETED


def test_after_five_days_a_dead_link_has_expired_and_buying_again_is_a_decision(
    world: World,
) -> None:
    world.sandbox.state.change(links_renewed=False)
    submission_id = completed(world, SAM)
    world.wait(days=5, minutes=1)
    assert world.land().expired == [submission_id]
    assert world.outcomes() == ["expired"]
    assert world.plan(SAM, day=TUESDAY).batches == ()
    assert len(world.plan(SAM, day=TUESDAY, refresh=True).batches) == 1


def test_a_link_that_lives_after_five_days_is_landed(world: World) -> None:
    submission_id = completed(world)
    world.wait(days=30)
    assert world.land().landed == [submission_id]


@pytest.mark.parametrize("faulty", [1, 3])
def test_lines_that_cannot_be_read_are_failed_and_the_others_count(
    world: World, faulty: int
) -> None:
    world.sandbox.fail("malformed_lines", value=faulty)
    world.plan(*people(10))
    world.until_quiet()
    outcomes = world.outcomes()
    assert outcomes.count("failed") == faulty
    assert outcomes.count("matched") == 10 - faulty


@pytest.mark.parametrize("kind", ["duplicate_lines", "unasked_lines"])
def test_lines_that_are_too_many_change_nothing(world: World, kind: str) -> None:
    world.sandbox.fail(kind, value=3)
    world.plan(*people(10), fields=("basic_profile",))
    world.until_quiet()
    assert world.outcomes() == ["matched"] * 10
    assert world.batches()[0]["credits_computed"] == 10


def test_a_landing_that_another_process_works_on_is_left_to_it(world: World) -> None:
    submission_id = completed(world)
    (due,) = ledger_land.due_landings(world.ledger, now=world.now())
    assert ledger_land.take_landing(world.ledger, due, owner=ELSEWHERE, now=world.now())
    assert world.land().landed == []
    assert not ledger_land.take_landing(world.ledger, due, owner="a third", now=world.now())
    world.wait(minutes=6)  # nobody works on one file for so long
    assert world.land().landed == [submission_id]


def test_a_landing_whose_process_died_is_taken_over_at_once(world: World) -> None:
    submission_id = completed(world)
    (due,) = ledger_land.due_landings(world.ledger, now=world.now())
    host, pid, _ = world.account.owner.rsplit(":", 2)
    ledger_land.take_landing(world.ledger, due, owner=f"{host}:{pid}:0", now=world.now())
    assert world.land().landed == [submission_id]


def test_a_file_is_settled_once_however_many_land_it(world: World) -> None:
    submission_id = completed(world)
    world.land()
    again = ledger_land.LandingRecord(source_file=None, sha256=None, size_bytes=0, lines=0)
    assert not ledger_land.record_landed(
        world.ledger, submission_id, again, settled=(), now=world.now()
    )
    assert world.batch(submission_id)["file_lines"] == 10


def test_storage_that_fails_is_tried_later_and_polls_go_on(world: World) -> None:
    submission_id = completed(world)
    world.sandbox.fail("server_error", path="/batch/{batch_id}", times=20)
    assert world.land().later == [submission_id]
    world.sandbox.state.faults.set([])
    assert world.batch(submission_id)["error"]
    world.wait(minutes=1)
    assert world.land().landed == [submission_id]


def test_the_oldest_link_is_landed_first(world: World) -> None:
    first = completed(world, *people(2))
    world.wait(minutes=1)
    (batch,) = world.plan(*people(2, first=2), day=TUESDAY).batches
    world.submit()
    world.poll()
    assert world.land().landed == [first, batch.submission_id]


def test_contact_data_that_nobody_asked_for_is_noted_and_billed(world: World) -> None:
    world.sandbox.state.change(contact_narrowing="ignored")
    submission_id = world.buy(SAM, product=CONTACT, fields=("business_email",))
    assert world.batch(submission_id)["credits_computed"] == world.sandbox.state.account.spent
    with world.ledger.read() as con:
        noted = con.exec_driver_sql("SELECT unrequested FROM identifiers").scalar_one()
    assert set(noted.split(",")) == {"personal_email", "phone_number"}
    (usage,) = spending.credit_usage(world.ledger, "contact", [MONDAY])
    assert (usage.identifiers, usage.unrequested) == (1, 1)


def test_contact_data_that_was_asked_for_is_not_noted(world: World) -> None:
    world.buy(SAM, product=CONTACT, fields=("business_email", "personal_contact_info"))
    (usage,) = spending.credit_usage(world.ledger, "contact", [MONDAY])
    assert (usage.delivered, usage.unrequested) == (1, 0)


def test_identify_tells_people_apart_who_were_not_found_and_who_were_removed(
    world: World,
) -> None:
    world.buy(
        "sam@example.com", "nobody@example.com", "removed@example.com", product=IDENTIFY, fields=()
    )
    assert world.outcomes(operation="identify") == ["matched", "not_found", "redacted"]
    assert world.batches()[0]["credits_computed"] == Decimal(1)


def test_what_was_bought_is_filed_under_the_day_that_asked(world: World) -> None:
    world.buy(*people(3))
    usage = spending.credit_usage(world.ledger, "enrich", [MONDAY])
    assert [(item.identifiers, item.delivered) for item in usage] == [(3, 3)]
    assert usage[0].credits_computed == world.batches()[0]["credits_computed"]


def test_a_batch_that_waits_for_a_good_file_for_long_does_not_hold_up_its_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = completed(world, *people(3))
    job = world.batch(waiting)["batch_id"]
    download = CrustdataClient.download

    def a_page(client: CrustdataClient, url: str, to: Path, **how: bool) -> Downloaded:
        arrived = download(client, url, to, **how)
        if job not in url:
            return arrived
        to.write_bytes(b"<html>")
        return Downloaded(bytes=6, sha256=hashlib.sha256(b"<html>").hexdigest())

    monkeypatch.setattr(CrustdataClient, "download", a_page)
    (other,) = world.plan(*people(6)).batches
    world.submit()
    world.poll()
    world.land()
    assert world.state(other.submission_id) is BatchState.LANDED
    assert ledger_load.due_days(world.ledger, ["enrich"]) == []
    hourly(world, days=1)
    assert world.state(waiting) is BatchState.COMPLETED
    (day,) = ledger_load.due_days(world.ledger, ["enrich"])
    assert day.partition_date == MONDAY
