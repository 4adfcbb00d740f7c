"""What kind a job of the vendor's list is, by its entity and action.

The vendor documents no closed set of words, and of some products none at all: what is seen of our
own jobs is learned. A company job and a person job may have the same action.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crust_pipeline.buying.account import Account
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.vendors.models import Job

# Jobs that are never ours, by the reference's list of actions.
_OTHERS = frozenset({"search", "search_live"})


@dataclass(frozen=True, slots=True)
class JobKinds:
    """What the vendor calls jobs.

    Attributes:
        products: every product of the vendor.
        named: {(entity, action): product}; an entity of None was not told.
    """

    products: frozenset[str]
    named: Mapping[tuple[str | None, str], str]

    def of(self, job: Job) -> frozenset[str] | None:
        """Return the products that a job may be of; None when nobody has heard of its kind."""
        if not job.action:
            return self.products
        found = frozenset(
            product
            for (entity, action), product in self.named.items()
            if action == job.action and (entity == job.entity or None in {entity, job.entity})
        )
        if found or job.action in _OTHERS:
            return found
        return None

    def may_be(self, job: Job, product: str) -> bool:
        """Tell whether a job of a kind that nobody has heard of may be of a product."""
        entities = {entity for (entity, _), name in self.named.items() if name == product}
        return self.of(job) is None and bool({job.entity} & {None, *entities} or not entities)


def job_kinds(account: Account) -> JobKinds:
    """Return what the vendor calls jobs: as documented, and as seen."""
    documented: dict[tuple[str | None, str], str] = {
        kind: name for name, product in account.products.items() for kind in product.jobs
    }
    seen = ledger_poll.job_kinds_seen(account.ledger)
    return JobKinds(frozenset(account.products), documented | seen)
