"""The installation: ledger, lake, warehouse and the accounts at vendors, made from the settings.

This is where the Dagster-free packages meet: buying knows nothing of tables, tables nothing of the
ledger's rules. What is done with it is in `days`; what it buys is in `orders`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial

from crust_pipeline.app.known import known_people
from crust_pipeline.app.orders import fields_for, operations_of, products_for, vendors_of
from crust_pipeline.app.stores import check_stores
from crust_pipeline.buying.account import Account, utc_now
from crust_pipeline.buying.decide import Policy
from crust_pipeline.ledger.store import Ledger, submission
from crust_pipeline.marts import create_marts
from crust_pipeline.private_files import make_private_folder
from crust_pipeline.settings import Settings, SettingsError
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.tables.store.scratch import Scratch
from crust_pipeline.tables.store.warehouse import Warehouse
from crust_pipeline.vendors.catalog import OPERATIONS, vendor_of
from crust_pipeline.vendors.prices import PRICES, PriceError, Prices, prices_from_file
from crust_pipeline.vendors.product import Products
from crust_pipeline.vendors.vendor import Means, Vendor


@dataclass(frozen=True, kw_only=True)
class Installation:
    """All parts of one installation, made from its settings; each opens at first use."""

    settings: Settings
    clock: Callable[[], datetime] = field(default=utc_now)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, as it remembers purchases of the first account that is bought with."""
        return self.ledgers[0]

    @cached_property
    def ledgers(self) -> tuple[Ledger, ...]:
        """The ledger, as it remembers purchases of each account that is bought with."""
        return tuple(map(self._ledger_at, vendors_of(self.settings)))

    @cached_property
    def scratch(self) -> Scratch:
        """The folder for what is needed only while a step runs."""
        return Scratch(self.settings.scratch)

    @cached_property
    def lake(self) -> Lake:
        """The Parquet tables."""
        return Lake(self.settings.lake, add_views=create_marts, scratch=self.scratch)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The DuckDB tables."""
        return Warehouse(self.settings.warehouse, scratch=self.scratch)

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """Every account that is bought with, by vendor; their credits are different currencies.

        Raises:
            SettingsError: a vendor has no usable API key.
            OSError: there is no folder to keep files in.
        """
        return {vendor.name: self._account_at(vendor) for vendor in vendors_of(self.settings)}

    def check_stores(self) -> None:
        """Refuse to go on, once for all steps, if ledger, raw folder and lake are no set.

        Raises:
            StoresError: they do not belong together.
        """
        _ = self._stores_checked

    @cached_property
    def _stores_checked(self) -> bool:
        check_stores(self.ledgers, raw=self.settings.raw, lake=self.lake)
        return True

    def account_for(self, operation: str) -> Account:
        """Return the account that an operation is bought with.

        Raises:
            SettingsError: it is not bought, or a vendor has no usable API key.
        """
        vendor = vendor_of(operation).name
        if vendor not in self.accounts:
            raise SettingsError(f"Nothing is bought from {vendor}, as the settings stand.")
        return self.accounts[vendor]

    def account_with(self, submission_id: str) -> Account:
        """Return the account that a batch is bought with.

        Raises:
            LedgerError: there is no such batch.
            SettingsError: an API key is missing.
        """
        with self.ledger.read() as con:
            return self.account_for(submission(con, submission_id).operation)

    def ledger_of(self, operation: str) -> Ledger:
        """Return the ledger as it remembers purchases of the account of an operation."""
        return self._ledger_at(vendor_of(operation))

    @property
    def policy(self) -> Policy:
        """The rules of a plan, as set."""
        return Policy(
            refresh_after=timedelta(days=self.settings.refresh_after_days),
            retry_not_found_after=timedelta(days=self.settings.retry_not_found_after_days),
            limit_per_run=self.settings.credit_limit_per_run,
            limit_per_day=self.settings.credit_limit_per_day,
            refuse_over_budget=self.settings.on_over_budget == "refuse",
            identify_first=self.settings.identify_first,
        )

    @cached_property
    def prices(self) -> Prices:
        """What things cost, in credits.

        Raises:
            SettingsError: the file of prices cannot be used.
        """
        if self.settings.prices is None:
            return PRICES
        try:
            return prices_from_file(self.settings.prices)
        except (PriceError, OSError) as error:
            raise SettingsError(f"CRUST_PRICES cannot be used: {error}") from None

    @property
    def operations(self) -> tuple[str, ...]:
        """What is bought, in the order in which it is planned."""
        return operations_of(self.settings)

    def products(self, operation: str) -> Products:
        """Return how an operation is bought, for each kind of identifier, as set."""
        return products_for(self.settings, operation)

    def fields(self, operation: str) -> tuple[str, ...]:
        """Return what an operation asks for, as set.

        Raises:
            SettingsError: a field that is set does not exist, or needs a consent that is missing.
        """
        return fields_for(self.settings, operation)

    @cached_property
    def _opened(self) -> dict[str, Ledger]:
        """The ledger by vendor; opened for each once, since its statements are compiled anew."""
        return {}

    def _ledger_at(self, vendor: Vendor) -> Ledger:
        if vendor.name not in self._opened:
            former = vendor.former_account
            self._opened[vendor.name] = Ledger(
                self.settings.ledger_url,
                account=vendor.account(self.settings),
                former_account=former(self.settings) if former else None,
            )
        return self._opened[vendor.name]

    def _account_at(self, vendor: Vendor) -> Account:
        ledger = self._ledger_at(vendor)
        means = Means(ledger=ledger, known=partial(known_people, self.lake), clock=self.clock)
        client = vendor.connect(self.settings, means)
        # What is bought must be kept: better to fail now than when it has been paid for.
        make_private_folder(self.settings.raw)
        # What earlier settings may have planned is still landed when they have changed.
        chosen = (
            product
            for operation in OPERATIONS
            if vendor_of(operation) is vendor
            for product in self.products(operation).values()
        )
        return Account(
            ledger=ledger,
            client=client,
            products={product.name: product for product in (*vendor.products, *chosen)},
            raw=self.settings.raw,
            max_active=vendor.max_active(self.settings),
            poll_seconds=self.settings.poll_seconds,
            resubmit_unknown=self.settings.on_unknown == "resubmit",
            prices=self.prices,
            limits=self.policy.limits,
            inbox_url=self.settings.inbox_url,
            clock=self.clock,
        )
