"""Where it is not certain what a job was, nothing is bought again and nothing is given up."""

from dataclasses import replace
from decimal import Decimal

from crust_pipeline.buying.decide import InputRow
from crust_pipeline.buying.plan import plan
from crust_pipeline.ledger import land as ledger_land
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger.states import BatchState, Verdict
from crust_pipeline.vendors.crustdata.products import ENRICH, IDENTIFY
from crust_pipeline.vendors.product import Product
from crust_pipeline_tests.buying.conftest import (
    MONDAY,
    NOBODY,
    POLICY,
    TUESDAY,
    World,
    people,
    person,
)

PATH = "/batch/person/enrich"


def lose(world: World, *keys: str) -> str:
    """Submit a batch and lose the answer; its id."""
    world.sandbox.fail("connection_lost_after_accept", path=PATH)
    (batch,) = world.plan(*keys).batches
    world.submit()
    return batch.submission_id


def test_an_adopted_job_that_failed_is_not_taken_for_proof_that_nothing_was_bought(
    world: World,
) -> None:
    world.sandbox.fail("job_fails", path=PATH)
    lost = lose(world, *people(2))
    assert world.search().adopted == [lost]
    world.poll()
    assert world.state(lost) is BatchState.UNKNOWN
    assert len(world.batches()) == 1
    assert world.outcomes() == ["unknown", "unknown"]


def test_an_adopted_job_without_results_is_not_taken_for_an_answer(world: World) -> None:
    lost = lose(world, NOBODY)
    assert world.search().adopted == [lost]
    world.poll()
    assert world.land().undone == [lost]
    assert world.state(lost) is BatchState.UNKNOWN


def test_a_submit_is_searched_for_around_its_own_time_after_a_wrong_landing(world: World) -> None:
    lost = lose(world, NOBODY)
    (before,) = ledger_poll.unknown_submits(world.ledger)
    world.search()
    world.wait(hours=1)
    world.poll()
    world.land()
    (after,) = ledger_poll.unknown_submits(world.ledger)
    assert (after.submission_id, after.intent_at) == (lost, before.intent_at)


def test_a_landing_that_another_process_finished_is_not_declared_expired(world: World) -> None:
    landed = world.buy(person(0))
    ledger_land.record_expired(world.ledger, landed, reason="too late", now=world.now())
    assert world.state(landed) is BatchState.LANDED


def test_the_limit_of_a_run_counts_all_that_the_run_plans(world: World) -> None:
    rows = [InputRow(MONDAY, str(number), key) for number, key in enumerate(people(3))]

    def credits_reserved(operation: Product, run_id: str) -> Decimal:
        return plan(
            world.ledger,
            {"profile_url": operation, "email": operation},
            rows=rows,
            partitions=[MONDAY],
            fields=operation.fields,
            policy=replace(POLICY, limit_per_run=Decimal(4)),
            now=world.now(),
            run_id=run_id,
        ).credits_reserved

    assert credits_reserved(IDENTIFY, "one") == 3
    assert credits_reserved(ENRICH, "one") == 0
    assert credits_reserved(ENRICH, "two") == 4


def test_what_lies_in_a_group_that_was_bought_is_not_bought_again(world: World) -> None:
    world.buy(person(0), fields=["basic_profile", "skills"])
    again = world.plan(person(0), day=TUESDAY, fields=["basic_profile.name", "skills"])
    assert again.batches == ()
    assert again.count(Verdict.REUSE) == 1


def test_a_day_gets_what_it_bought_though_its_rows_are_gone_from_the_upstream(
    world: World,
) -> None:
    world.sandbox.fail("job_fails", path=PATH)
    world.plan(person(0))
    world.plan()
    world.until_quiet()
    (source,) = ledger_load.sources(world.ledger, "enrich", [MONDAY])
    assert [key for _, key, _ in source.asked] == [person(0)]
