"""Callbacks: a delivery names the job that a submit of unknown outcome became.

It counts only as far as the vendor confirms it: anyone with the token can deliver anything.
"""

from crust_pipeline.buying.account import Account
from crust_pipeline.buying.job_kinds import job_kinds
from crust_pipeline.ledger import inbox
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger.poll import UnknownSubmit
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.models import Job


def adopt_called_back(account: Account, submit: UnknownSubmit) -> bool:
    """Adopt the job that called back for a submit of unknown outcome; False when none has.

    Raises:
        VendorError: the vendor could not be asked.
    """
    job = _job_of(account, submit)
    if job is None:
        return False
    ledger_poll.adopt(
        account.ledger,
        submit.submission_id,
        batch_id=job.batch_id,
        entity=job.entity,
        action=job.action,
        created_at=job.created_at,
        now=account.now(),
    )
    return True


def _job_of(account: Account, submit: UnknownSubmit) -> Job | None:
    named = inbox.jobs_named(account.ledger, submit.submission_id)
    ours, foreign = ledger_poll.jobs_known(account.ledger, named)
    kinds = job_kinds(account)
    for batch_id in named:
        if batch_id in ours or (batch_id, submit.submission_id) in foreign:
            continue
        try:
            job = account.client.job(batch_id)
        except (errors.NotFound, errors.InvalidRequest):
            continue  # made up, or of another account
        same_size = job.identifier_count in {None, submit.identifier_count}
        products = kinds.of(job)
        right = (
            kinds.may_be(job, submit.product) if products is None else submit.product in products
        )
        if same_size and right:
            return job
    return None
