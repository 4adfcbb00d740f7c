"""What a batch cost, divided among the days that asked for its people."""

from dataclasses import replace
from decimal import Decimal

import pytest

from crust_pipeline.buying.decide import InputRow
from crust_pipeline.ledger import spending
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC
from crust_pipeline_tests.buying.conftest import MONDAY, TUESDAY, World

ROWS = [
    InputRow(day, str(n), f"p{n}@example.com") for n, day in enumerate([MONDAY] * 2 + [TUESDAY])
]


def bought(
    world: World, reported: Decimal | None, monkeypatch: pytest.MonkeyPatch
) -> list[Decimal]:
    """Buy three people for two days in one batch; what is reported for each day."""
    ask = CrustdataClient.answer_at_once
    if reported is not None:
        monkeypatch.setattr(
            CrustdataClient,
            "answer_at_once",
            lambda *args, **kwargs: replace(ask(*args, **kwargs), credits_used=reported),
        )
    world.plan_rows(ROWS, days=[MONDAY, TUESDAY], product=CONTACT_SYNC)
    assert len(world.submit().submitted) == 1
    usage = spending.credit_usage(world.ledger, "contact", [MONDAY, TUESDAY])
    shares = [entry.credits_reported for entry in usage]
    assert all(share is not None for share in shares)
    return [share for share in shares if share is not None]


def test_the_days_of_a_batch_share_what_was_reported_without_a_remainder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported = Decimal("0.1")
    assert bought(world, reported, monkeypatch) == [Decimal("0.0667"), Decimal("0.0333")]


def test_what_is_reported_as_computed_is_each_days_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = bought(world, None, monkeypatch)
    usage = spending.credit_usage(world.ledger, "contact", [MONDAY, TUESDAY])
    assert shares == [entry.credits_computed for entry in usage]
