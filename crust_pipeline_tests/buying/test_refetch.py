"""Fetching a file again: a better one counts, any other changes nothing, and nobody is bought."""

import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from crust_pipeline.buying.refetch import RefetchError, RefetchOutcome, refetch
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger.states import BatchState, LedgerError
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC
from crust_pipeline.vendors.models import Downloaded
from crust_pipeline_tests.buying.conftest import MONDAY, SAM, TUESDAY, World, people


@contextmanager
def storage_cuts(*places: int) -> Iterator[None]:
    """Let every download bring only these lines of its file, in the order of identifiers."""
    download = CrustdataClient.download

    def cut(client: CrustdataClient, url: str, to: Path, **how: bool) -> Downloaded:
        download(client, url, to, **how)
        lines = sorted(gzip.decompress(to.read_bytes()).splitlines(keepends=True))
        content = gzip.compress(b"".join(lines[place] for place in places), mtime=0)
        to.write_bytes(content)
        return Downloaded(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CrustdataClient, "download", cut)
        yield


def landed_short(world: World, *places: int, count: int = 10) -> str:
    """A batch that has landed with some of its lines; its id."""
    (batch,) = world.plan(*people(count)).batches
    world.submit()
    world.poll()
    with storage_cuts(*places):
        for _ in range(8):
            world.land()
            world.wait(minutes=30)
    assert world.state(batch.submission_id) is BatchState.LANDED
    return batch.submission_id


def files(world: World) -> dict[str, str]:
    """What is in the raw folder, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in world.account.raw.rglob("*")
        if path.is_file()
    }


def loaded(world: World) -> None:
    """Note the day's tables as written."""
    versions = ledger_load.versions_of(world.ledger, "enrich", [MONDAY])
    ledger_load.record_flattened(world.ledger, "enrich", versions, now=world.now())
    ledger_load.record_loaded(world.ledger, {("enrich", MONDAY): versions[MONDAY]})


def test_a_better_file_is_settled_and_lies_beside_the_first(world: World) -> None:
    submission_id = landed_short(world, 0, 1, 2)
    loaded(world)
    before, first = files(world), world.batch(submission_id)
    assert ledger_load.due_days(world.ledger, ["enrich"]) == []
    spent = world.sandbox.state.account.spent

    done = refetch(world.account, submission_id)

    assert done.outcome is RefetchOutcome.BETTER
    assert "answers 10 of those asked for, and the one before 3" in done.told
    batch = world.batch(submission_id)
    assert world.outcomes() == ["matched"] * 10
    assert batch["credits_computed"] == spent == world.sandbox.state.account.spent
    assert (batch["error"], batch["file_lines"]) == (None, 10)
    assert batch["source_file"] != first["source_file"]
    assert files(world).items() > before.items()
    assert files(world)[Path(batch["source_file"]).name] == batch["file_sha256"]
    (day,) = ledger_load.due_days(world.ledger, ["enrich"])
    assert day.partition_date == MONDAY
    assert set(world.sold().values()) == {1}
    assert world.plan(*people(10), day=TUESDAY).batches == ()


@pytest.mark.parametrize("places", [(), (0,), (0, 1, 2), (5, 6, 7), (1, 2, 3, 4, 5)])
def test_a_file_that_answers_no_more_of_the_same_people_changes_nothing(
    world: World, places: tuple[int, ...]
) -> None:
    submission_id = landed_short(world, 0, 1, 2)
    before = (files(world), world.batches(), world.outcomes())
    with storage_cuts(*places):
        done = refetch(world.account, submission_id)
    assert done.outcome is RefetchOutcome.NO_BETTER
    assert (files(world), world.batches(), world.outcomes()) == before


def test_a_page_in_place_of_the_file_changes_nothing(world: World) -> None:
    submission_id = landed_short(world, 0)
    before = files(world), world.batches()
    world.sandbox.fail("wrong_download")
    assert refetch(world.account, submission_id).outcome is RefetchOutcome.NO_BETTER
    assert (files(world), world.batches()) == before


def test_a_whole_file_comes_out_the_same(world: World) -> None:
    submission_id = world.buy(*people(3))
    done = refetch(world.account, submission_id)
    assert (done.outcome, done.told) == (
        RefetchOutcome.NO_BETTER,
        "the vendor gives the same file",
    )


def test_files_may_get_better_again_and_again(world: World) -> None:
    submission_id = landed_short(world, 0)
    for places in [(0, 1), (0, 1, 2)]:
        with storage_cuts(*places):
            assert refetch(world.account, submission_id).outcome is RefetchOutcome.BETTER
    assert len(files(world)) == 3
    assert world.outcomes().count("matched") == 3


def test_a_batch_whose_link_died_is_landed_with_a_new_link(world: World) -> None:
    world.sandbox.state.change(links_renewed=False)
    (batch,) = world.plan(SAM).batches
    world.submit()
    world.poll()
    world.wait(days=5, minutes=1)
    assert world.land().expired == [batch.submission_id]
    with pytest.raises(errors.LinkDead):
        refetch(world.account, batch.submission_id)
    world.sandbox.state.change(links_renewed=True)
    assert refetch(world.account, batch.submission_id).outcome is RefetchOutcome.BETTER
    assert world.outcomes() == ["matched"]


def test_a_completed_batch_is_landed_at_once(world: World) -> None:
    (batch,) = world.plan(*people(3)).batches
    world.submit()
    world.poll()
    world.sandbox.fail("wrong_download")
    world.land()
    assert refetch(world.account, batch.submission_id).outcome is RefetchOutcome.BETTER
    assert world.outcomes() == ["matched"] * 3


def test_a_completed_batch_whose_file_stays_bad_goes_on_waiting(world: World) -> None:
    (batch,) = world.plan(*people(3)).batches
    world.submit()
    world.poll()
    world.sandbox.fail("wrong_download", times=None)
    done = refetch(world.account, batch.submission_id)
    assert done.outcome is RefetchOutcome.WAITS
    assert "says nothing of anybody asked for" in done.told
    assert world.state(batch.submission_id) is BatchState.COMPLETED


def test_people_who_were_released_as_unpaid_are_owned_again(world: World) -> None:
    (batch,) = world.plan(*people(4)).batches
    world.submit()
    world.poll()
    # Three of four, as many as the vendor counts, and no credits left: the fourth is not served.
    status = world.sandbox.state.status
    with pytest.MonkeyPatch.context() as patch, storage_cuts(0, 1, 2):
        patch.setattr(world.sandbox.state, "status", lambda job: {**status(job), "result_count": 3})
        patch.setattr(CrustdataClient, "credits", lambda _: Decimal(0))
        world.land()
    assert sorted(world.outcomes()) == ["matched", "matched", "matched", "over_budget"]
    assert refetch(world.account, batch.submission_id).outcome is RefetchOutcome.BETTER
    assert world.outcomes() == ["matched"] * 4
    assert world.plan(*people(4), day=TUESDAY).batches == ()


def test_what_has_no_file_is_refused(world: World) -> None:
    (planned,) = world.plan(*people(2)).batches
    with pytest.raises(RefetchError, match="It is planned"):
        refetch(world.account, planned.submission_id)
    with pytest.raises(LedgerError, match="no batch"):
        refetch(world.account, "0" * 32)


def test_an_answer_that_came_at_once_cannot_be_fetched_again(world: World) -> None:
    submission_id = world.buy("sam@example.com", product=CONTACT_SYNC)
    with pytest.raises(RefetchError, match="answered at once"):
        refetch(world.account, submission_id)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_file_that_is_damaged_on_our_disk_is_replaced_by_the_same_file(
    world: World, damage: str
) -> None:
    submission_id = world.buy(*people(5))
    loaded(world)
    before = world.batch(submission_id)
    first = world.account.raw / before["source_file"]
    if damage == "gone":
        first.unlink()
    else:
        first.chmod(0o600)
        first.write_bytes(first.read_bytes()[:100])
        first.chmod(0o400)
    assert refetch(world.account, submission_id).outcome is RefetchOutcome.BETTER
    batch = world.batch(submission_id)
    second = world.account.raw / batch["source_file"]
    assert second != first
    assert hashlib.sha256(second.read_bytes()).hexdigest() == before["file_sha256"]
    assert batch["credits_computed"] == before["credits_computed"]
    assert ledger_load.due_days(world.ledger, ["enrich"])
    assert first.exists() == (damage == "cut")


def test_a_newer_purchase_stays_the_one_in_the_tables(world: World) -> None:
    first = landed_short(world, 0, 1)
    second = world.buy(*people(10), refresh=True)
    assert refetch(world.account, first).outcome is RefetchOutcome.BETTER
    used = ledger_load.found_lines(world.ledger, "enrich", [MONDAY]).source_file
    assert set(used) == {world.batch(second)["source_file"]}
