"""People who are erased while they are planned, under way, or about to be tried again."""

import pytest

from crust_pipeline.buying.recover import resubmit
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger.erase import Erased, erase
from crust_pipeline.ledger.load import NO_DAY
from crust_pipeline.ledger.states import BatchState, LedgerError
from crust_pipeline.vendors.crustdata.products import IDENTIFY
from crust_pipeline_tests.buying.conftest import MONDAY, SAM, TUESDAY, World, people, person

PATH = "/batch/person/enrich"


def forget(world: World, *keys: str) -> Erased:
    return erase(world.ledger, keys, reason="on request", now=world.now())


def test_somebody_planned_is_taken_out_and_not_sent(world: World) -> None:
    (batch,) = world.plan(*people(3)).batches
    forget(world, person(1))
    row = world.batch(batch.submission_id)
    assert (row["identifier_count"], row["credits_reserved"]) == (2, 4)
    world.until_quiet()
    assert world.sold() == {person(0): 1, person(2): 1}
    assert world.outcomes() == ["matched", "suppressed", "matched"]


def test_a_planned_batch_of_which_nobody_is_left_is_given_up(world: World) -> None:
    (batch,) = world.plan(SAM).batches
    forget(world, SAM)
    assert world.state(batch.submission_id) is BatchState.REJECTED
    assert world.outcomes() == ["suppressed"]


def test_what_comes_of_somebody_under_way_belongs_to_no_day(world: World) -> None:
    world.plan(*people(2))
    world.submit()
    assert forget(world, person(0)).at_vendor == 1
    world.until_quiet()
    (source,) = ledger_load.sources(world.ledger, "enrich", [MONDAY])
    assert {key: day for _, key, day in source.asked} == {person(0): NO_DAY, person(1): MONDAY}
    assert world.outcomes() == ["suppressed", "matched"]


def test_a_job_that_failed_is_tried_again_without_the_erased(world: World) -> None:
    world.sandbox.fail("job_fails")
    world.plan(*people(2))
    world.submit()
    forget(world, person(0))
    world.until_quiet()
    assert world.sold() == {person(0): 1, person(1): 2}


def test_nobody_is_bought_again_when_all_are_erased(world: World) -> None:
    world.sandbox.fail("connection_lost_after_accept", path=PATH)
    world.plan(SAM)
    (lost,) = world.submit().unknown
    forget(world, SAM)
    with pytest.raises(LedgerError, match="nobody to ask for"):
        resubmit(world.account, lost, reason="a slip")
    assert world.state(lost) is BatchState.UNKNOWN


def test_whose_e_mail_was_identified_is_erased_with_it(world: World) -> None:
    world.buy("sam@example.com", product=IDENTIFY, fields=())
    assert forget(world, "sam@example.com").keys == {"sam@example.com", SAM}
    assert world.plan(SAM, day=TUESDAY).batches == ()
    assert world.outcomes(TUESDAY) == ["suppressed"]
    assert world.plan("sam@example.com", day=TUESDAY, refresh=True).batches == ()
