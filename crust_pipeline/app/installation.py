"""The installation: ledger, lake, warehouse and the account at the vendor, made from the settings.

This is where the Dagster-free packages meet: batching knows nothing of tables, tables nothing of
the ledger. What is done with it is in `steps`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

from crust_pipeline.app.waterfall import contacts_of, steps_before
from crust_pipeline.buying.account import Engine, ReadAnswer, ReadFile, utc_now
from crust_pipeline.buying.decide import Policy, Products
from crust_pipeline.keys import InvalidIdentifier, key_of_url
from crust_pipeline.ledger.store import Ledger, submission
from crust_pipeline.marts import create_marts
from crust_pipeline.settings import PRONTO_JOBS_AT_A_TIME, Settings, SettingsError
from crust_pipeline.tables.flatten.answers import read_answers
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.tables.store.warehouse import Warehouse
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.operations import (
    BULK_CONTACTS,
    CONTACT,
    CONTACT_FIELDS,
    CONTACT_SYNC,
    ENRICH,
    IDENTIFY,
    LIVE_ENRICH,
    PRONTO_PRODUCTS,
)
from crust_pipeline.vendors.prices import PRICES, PriceError, Prices, prices_from_file
from crust_pipeline.vendors.pronto.client import ProntoClient
from crust_pipeline.vendors.pronto.jobs import ProntoJobs

# All that can be bought; `operations_of` says what is, and in which order.
OPERATIONS = ("identify", "contact", "enrich", *BULK_CONTACTS)

# What earlier settings may have planned is still landed when they have changed.
_OTHER_PRODUCTS = {
    product.product: product for product in (CONTACT, CONTACT_SYNC, ENRICH, LIVE_ENRICH)
}

# Under these keys the vendor echoes what was asked (crustdata: enrich, contact, identify).
_IDENTIFIER = re.compile(
    r'"(?:original_identifier|professional_network_url|matched_on)"\s*:\s*"([^"\\]+)"'
)


def operations_of(settings: Settings) -> tuple[str, ...]:
    """What an installation buys, in the order in which it is planned.

    Identify finds profile URLs that the others ask for; enrich finds names, which Pronto needs.
    """
    orders = settings.waterfall
    contact = ("contact",) if any("crustdata" in vendors for vendors in orders.values()) else ()
    pronto = {name: orders[product.fields[0]] for name, product in BULK_CONTACTS.items()}
    first = tuple(name for name, vendors in pronto.items() if vendors[:1] == ("pronto",))
    second = tuple(name for name, vendors in pronto.items() if vendors[1:] == ("pronto",))
    if first:
        return ("identify", "enrich", *first, *contact, *second)
    return ("identify", *contact, "enrich", *second)


def operations_before(settings: Settings, operation: str) -> tuple[str, ...]:
    """Those whose answers decide what this one asks for: whom about, and who is left."""
    if operation == "identify":
        return ()
    names = ("enrich",) if operation in BULK_CONTACTS else ()
    return ("identify", *names, *(step.operation for step in steps_before(settings, operation)))


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """All parts of one installation, made from its settings; each opens at first use."""

    settings: Settings
    clock: Callable[[], datetime] = field(default=utc_now)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger."""
        return Ledger(self.settings.ledger_url, account=self.settings.account)

    @cached_property
    def lake(self) -> Lake:
        """The Parquet tables."""
        return Lake(self.settings.lake, add_views=create_marts)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The DuckDB tables."""
        return Warehouse(self.settings.warehouse)

    @cached_property
    def engine(self) -> Engine:
        """The account at the vendor.

        Raises:
            SettingsError: there is no usable API key.
            OSError: there is no folder to keep files in.
        """
        if not self.settings.api_key:
            raise SettingsError(
                "CRUSTDATA_API_KEY is not set. Set it to your Crustdata API key; to try things out "
                "without one, use `crust-pipeline demo`."
            )
        try:
            client = CrustdataClient(api_key=self.settings.api_key, base_url=self.settings.base_url)
        except ValueError as error:
            raise SettingsError(f"CRUSTDATA_API_KEY cannot be used: {error}") from None
        # What is bought must be kept: better to fail now than when it has been paid for.
        self.settings.raw.mkdir(parents=True, exist_ok=True)
        return Engine(
            ledger=self.ledger,
            client=client,
            products={
                product.product: product
                for operation in ("identify", "contact", "enrich")
                for product in self.products(operation).values()
            }
            | _OTHER_PRODUCTS,
            raw=self.settings.raw,
            read_file=read_file,
            max_active=self.settings.max_active_batches,
            poll_seconds=self.settings.poll_seconds,
            resubmit_unknown=self.settings.on_unknown == "resubmit",
            prices=self.prices,
            limits=self.policy.limits,
            inbox_url=self.settings.inbox_url,
            clock=self.clock,
        )

    @cached_property
    def pronto(self) -> Engine:
        """The account at the second vendor.

        Raises:
            SettingsError: there is no usable API key.
        """
        if not self.settings.pronto_api_key:
            raise SettingsError(
                "PRONTO_API_KEY is not set, and pronto is asked for contact data "
                "(CRUST_BUSINESS_EMAIL_VENDORS and the like). Set the key, or leave pronto out."
            )
        try:
            client = ProntoClient(
                api_key=self.settings.pronto_api_key, base_url=self.settings.pronto_base_url
            )
        except ValueError as error:
            raise SettingsError(f"PRONTO_API_KEY cannot be used: {error}") from None
        self.settings.raw.mkdir(parents=True, exist_ok=True)
        ledger = self.ledger_of("bulk_contact")
        return Engine(
            ledger=ledger,
            client=ProntoJobs(
                ledger=ledger,
                client=client,
                contacts=partial(contacts_of, self.lake),
                phone_countries=self.settings.phone_countries,
                deadline=timedelta(hours=self.settings.bulk_contact_deadline_hours),
                clock=self.clock,
            ),
            products=PRONTO_PRODUCTS,
            raw=self.settings.raw,
            read_file=read_file,
            max_active=PRONTO_JOBS_AT_A_TIME,
            poll_seconds=self.settings.poll_seconds,
            resubmit_unknown=self.settings.on_unknown == "resubmit",
            prices=self.prices,
            limits=self.policy.limits,
            inbox_url=self.settings.inbox_url,
            clock=self.clock,
        )

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Every account that is bought with; their credits are different currencies.

        Raises:
            SettingsError: an API key is missing.
        """
        uses_pronto = self.settings.pronto_account in self.settings.accounts
        return (self.engine, self.pronto) if uses_pronto else (self.engine,)

    def engine_of(self, operation: str) -> Engine:
        """The account that an operation is bought with.

        Raises:
            SettingsError: its API key is missing.
        """
        return self.pronto if operation in BULK_CONTACTS else self.engine

    def engine_with(self, submission_id: str) -> Engine:
        """The account that a batch is bought with.

        Raises:
            LedgerError: there is no such batch.
            SettingsError: an API key is missing.
        """
        with self.ledger.read() as con:
            return self.engine_of(submission(con, submission_id).operation)

    def ledger_of(self, operation: str) -> Ledger:
        """The ledger, as it remembers purchases of the account that an operation is bought with."""
        if operation not in BULK_CONTACTS:
            return self.ledger
        return Ledger(self.settings.ledger_url, account=self.settings.pronto_account)

    @cached_property
    def ledgers(self) -> tuple[Ledger, ...]:
        """The ledger, as it remembers purchases of each account that is bought with."""
        others = [name for name in self.settings.accounts if name != self.ledger.account]
        return self.ledger, *(Ledger(self.settings.ledger_url, account=name) for name in others)

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

    def products(self, operation: str) -> Products:
        """How an operation is bought, for each kind of identifier, as set.

        Raises:
            KeyError: there is no such operation.
        """
        match operation:
            case "identify":
                keys = {**IDENTIFY.identifier_keys, "email": self.settings.identify_email_key}
                product = replace(IDENTIFY, identifier_keys=keys)
                return {"profile_url": product, "email": product}
            case "contact":
                by_url = CONTACT_SYNC if self.settings.contact_mode == "sync" else CONTACT
                # The batch takes no e-mail addresses; the synchronous request does.
                return {"profile_url": by_url, "email": CONTACT_SYNC}
            case "enrich" if self.settings.enrich_mode == "live":
                return {"profile_url": LIVE_ENRICH}
            case "enrich":
                return {"profile_url": ENRICH, "email": ENRICH}
            case _:
                product = BULK_CONTACTS[operation]
                # Without an inbox only single searches can be asked for their results.
                alone = None if self.settings.inbox_url else product.alone
                return {"profile_url": alone or product}

    def fields(self, operation: str) -> tuple[str, ...]:
        """What an operation asks for, as set.

        Raises:
            SettingsError: a field that is set does not exist, or needs a consent that is missing.
        """
        match operation:
            case "identify":
                return IDENTIFY.fields
            case "enrich":
                return self._enrich_fields()
            case "contact":
                return self._contact_fields()
            case _:
                fields = BULK_CONTACTS[operation].fields
                self._check_consent(fields)
                return fields

    def _enrich_fields(self) -> tuple[str, ...]:
        (product, *_) = self.products("enrich").values()
        fields = self.settings.enrich_fields or product.fields
        if unknown := product.unknown_fields(fields):
            raise SettingsError(
                f"CRUST_ENRICH_FIELDS names fields that do not exist: {', '.join(unknown)}. "
                f"There are: {', '.join(product.known_fields)}, and paths below them."
            )
        return fields

    def _contact_fields(self) -> tuple[str, ...]:
        waterfall = self.settings.waterfall
        types = [name for name, vendors in waterfall.items() if "crustdata" in vendors]
        if not types:
            raise SettingsError(
                "Crustdata is asked for no contact data: none of CRUST_BUSINESS_EMAIL_VENDORS, "
                "CRUST_PERSONAL_EMAIL_VENDORS and CRUST_PHONE_NUMBER_VENDORS names crustdata."
            )
        self._check_consent(types)
        fields = tuple(CONTACT_FIELDS[name] for name in types)
        if self.settings.contact_verified and "business_email" in fields:
            return (*fields, "verified")
        return fields

    def _check_consent(self, contact_types: Sequence[str]) -> None:
        personal = [name for name in contact_types if name != "business_email"]
        if personal and not self.settings.personal_contact_consent:
            raise SettingsError(
                f"{' and '.join(f'CRUST_{name.upper()}_VENDORS' for name in personal)} name a "
                "vendor. Personal e-mail addresses and phone numbers are bought only with "
                "CRUST_PERSONAL_CONTACT_CONSENT=true. Nothing was planned or sent."
            )


def read_file(path: Path, operation: str) -> ReadFile:
    """A vendor's file, as settling needs it."""
    read = read_answers(path, operation=operation)
    return ReadFile(
        lines=read.lines,
        answers=tuple(
            ReadAnswer(
                identifier=row["identifier"],
                status=row["status"],
                items=tuple(row["items"] or ()),
                person_id=row["person_id"],
                source_line=row["source_line"],
                resolved_key=_key_of(row["profile_url"]),
            )
            for row in read.table.to_pylist()
        ),
        unreadable=tuple((bad.source_line, _identifier_in(bad.line)) for bad in read.quarantined),
    )


def _key_of(profile_url: str | None) -> str | None:
    """The key of a profile URL from a vendor, if it is one."""
    try:
        return key_of_url(profile_url) if profile_url else None
    except InvalidIdentifier:
        return None


def _identifier_in(line: str) -> str | None:
    """Whom a line that cannot be read is about, if that much of it is whole."""
    found = _IDENTIFIER.search(line)
    return found.group(1) if found else None
