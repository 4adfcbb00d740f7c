"""Transactions of the stores: which raw folder and lake hold the purchases of an account."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from crust_pipeline.ledger.schema import set_aside, stores, submissions
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Store:
    """A raw folder or lake of an account; `place` is `raw` or `lake`."""

    account: str
    place: str
    store_id: str
    path: str


def all_stores(ledger: Ledger) -> list[Store]:
    """Return the stores of all accounts."""
    query = sa.select(stores).order_by(stores.c.account, stores.c.place)
    with ledger.read() as con:
        return [Store(row.account, row.place, row.store_id, row.path) for row in con.execute(query)]


def not_known(ledger: Ledger, submission_ids: Collection[str], *, sent: bool) -> list[str]:
    """Return those of some batches that the ledger neither holds nor has set aside.

    Args:
        ledger: the ledger.
        submission_ids: the batches.
        sent: whether these are known to have been sent. An older copy of a ledger may hold one as
            planned, and would send it again: it does not know it either.
    """
    held = sa.select(submissions.c.submission_id)
    if sent:
        held = held.where(submissions.c.state != BatchState.PLANNED)
    with ledger.read() as con:
        known = set(con.execute(held).scalars())
        known |= set(con.execute(sa.select(set_aside.c.submission_id)).scalars())
    return sorted(set(submission_ids) - known)


def accept(ledger: Ledger, submission_ids: Sequence[str]) -> None:
    """Set batches aside: the ledger goes on without them."""
    with ledger.write() as tx:
        if submission_ids:
            tx.con.execute(set_aside.insert(), [{"submission_id": name} for name in submission_ids])


def enter(
    ledger: Ledger, accounts: Sequence[str], paths: Mapping[str, str], ids: Mapping[str, str]
) -> dict[str, str]:
    """Enter the stores of accounts that buy into the same ones, and return their ids by place.

    Args:
        ledger: the ledger.
        accounts: the accounts.
        paths: where each store is, by place.
        ids: the ids that stores have already.
    """
    found = dict(ids)
    with ledger.write() as tx:
        for place, path in paths.items():
            ours = stores.c.account.in_(accounts) & (stores.c.place == place)
            entered = tx.con.execute(sa.select(stores.c.store_id).where(ours)).scalars().first()
            found[place] = ids.get(place) or entered or uuid.uuid4().hex
            tx.con.execute(stores.delete().where(ours))
            tx.con.execute(
                stores.insert(),
                [
                    {"account": name, "place": place, "store_id": found[place], "path": path}
                    for name in accounts
                ],
            )
    return found
