"""Callbacks: a delivery names the job that a submit of unknown fate became.

It is believed only as far as the vendor confirms it: whoever knows the token can deliver anything.
"""

from collections.abc import Sequence

from crust_pipeline.batching.actions import action_words
from crust_pipeline.batching.engine import Engine
from crust_pipeline.ledger import inbox, progress
from crust_pipeline.ledger.progress import UnknownSubmit
from crust_pipeline.vendor import errors
from crust_pipeline.vendor.models import Job


def adopt_called_back(engine: Engine, unknown: Sequence[UnknownSubmit]) -> list[str]:
    """Adopt the jobs that called back for submits of unknown fate; give those submits' ids."""
    adopted: list[str] = []
    for submit in unknown:
        try:
            job = _job_of(engine, submit)
        except errors.VendorError:
            break  # the search in the vendor's list comes next, and tells what is the matter
        if job is not None:
            progress.adopt(
                engine.ledger,
                submit.submission_id,
                batch_id=job.batch_id,
                action=job.action,
                created_at=job.created_at,
                now=engine.now(),
            )
            adopted.append(submit.submission_id)
    return adopted


def _job_of(engine: Engine, submit: UnknownSubmit) -> Job | None:
    named = inbox.jobs_named(engine.ledger, submit.submission_id)
    ours, foreign = progress.jobs_known(engine.ledger, named)
    words = action_words(engine)
    for batch_id in named:
        if batch_id in ours or (batch_id, submit.submission_id) in foreign:
            continue
        try:
            job = engine.client.job(batch_id)
        except (errors.NotFound, errors.InvalidRequest):
            continue  # made up, or of another account
        same_size = job.identifier_count in {None, submit.identifier_count}
        if same_size and words.get(job.action or "", submit.product) == submit.product:
            return job
    return None
