"""A batch as the plan would write it, for tests and benchmarks of what comes after the plan."""

from datetime import date
from decimal import Decimal

from crust_pipeline.ledger.plan import NewBatch, new_submission_id


def new_batch(name: str = "one", *, reserved: Decimal = Decimal(1)) -> NewBatch:
    """Enrich, of one person; the name makes the person's profile URL."""
    key = f"linkedin.com/in/{name}"
    return NewBatch(
        submission_id=new_submission_id(),
        vendor="crustdata",
        operation="enrich",
        product="enrich",
        takes_slot=True,
        identifier_type="profile_url",
        fields=("basic_profile",),
        covers=("basic_profile",),
        identifiers=[(key, f"https://www.{key}", date(2026, 11, 2))],
        priority=100,
        credits_reserved=reserved,
    )
