"""Bill: what the vendor says that it has charged, for all that uses the account. Only reads.

A job's own charge is reported nowhere (vendor documents): only the sum can be compared.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from crust_pipeline.buying.account import Account
from crust_pipeline.vendors import errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What an account has, and what its usage report adds up to since a day.

    Attributes:
        account: whose credits these are.
        balance: what is left; None: the vendor does not tell.
        since: the day (UTC) from which the report was read.
        credits_charged: what it adds up to; None: there is no report.
    """

    account: str
    balance: Decimal | None
    since: date
    credits_charged: Decimal | None


def ask_for_bill(account: Account, *, since: date) -> Bill:
    """Ask the vendor for the balance and the usage report.

    Raises:
        VendorError: it cannot be asked.
    """
    balance = charged = None
    # Not every account may see both.
    with suppress(errors.NotPermitted, errors.NotFound):
        balance = account.client.credits()
    with suppress(errors.NotPermitted, errors.NotFound):
        charged = account.client.charged_since(since)
    return Bill(
        account=account.ledger.account, balance=balance, since=since, credits_charged=charged
    )
