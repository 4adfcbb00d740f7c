"""The checks: which question is asked of which asset, and which answer stops a run.

Money, loss and double counting stop a run before the warehouse is loaded; the rest warns. A run
asks each question once for all of its days, so that a backfill does not drown the event log.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

import dagster as dg

from crust_pipeline.app import checks as questions
from crust_pipeline.app.checks import Finding
from crust_pipeline.app.days import days_between
from crust_pipeline.app.installation import Installation
from crust_pipeline.defs.graph import Graph
from crust_pipeline.defs.resource import PipelineResource, failures_as_dagster
from crust_pipeline.local_dagster.client import RANGE_END_TAG, RANGE_START_TAG
from crust_pipeline.tables.spec import Table
from crust_pipeline.tables.specs import TABLES, tables_of

PARTITION_TAG = "dagster/partition"
DaysQuestion = Callable[[Installation, Sequence[date]], Finding]
NO_DAYS = Finding(passed=True, numbers={"days": 0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of one asset."""

    name: str
    asset: str
    description: str
    ask: DaysQuestion
    blocks: bool = False
    about_now: bool = False  # and not about days

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """What Dagster shows of it."""
        return dg.AssetCheckSpec(
            self.name, asset=self.asset, description=self.description, blocking=self.blocks
        )


def _of_table(table: Table) -> list[Check]:
    """Return what follows from a table's spec."""

    def keys(installation: Installation, days: Sequence[date]) -> Finding:
        return questions.keys_are_unique(installation, table, days)

    def columns(installation: Installation, days: Sequence[date]) -> Finding:
        return questions.columns_are_as_specified(installation, table, days)

    def profiles(installation: Installation, days: Sequence[date]) -> Finding:
        return questions.profiles_are_of_those_asked_for(installation, table, days)

    checks = [
        Check(
            name="keys_are_unique",
            asset=table.name,
            description="No two rows of a day have the same key: nothing is counted twice.",
            ask=keys,
            blocks=True,
        ),
        Check(
            name="columns_are_as_specified",
            asset=table.name,
            description="All columns are there, typed; what joins and traces is not null.",
            ask=columns,
            blocks=True,
        ),
    ]
    if "identity_mismatch" in {column.name for column in table.columns}:
        checks.append(
            Check(
                name="profiles_are_of_those_asked_for",
                asset=table.name,
                description="No record's own profile URL is somebody else's. Rows where it is are "
                "kept, with identity_mismatch.",
                ask=profiles,
            )
        )
    return checks


def _as_of_now(ask: Callable[[Installation], Finding]) -> DaysQuestion:
    def ask_whatever_the_days(installation: Installation, days: Sequence[date]) -> Finding:
        del days
        return ask(installation)

    return ask_whatever_the_days


def _fill_rate(operation: str) -> Check:
    def ask(installation: Installation, days: Sequence[date]) -> Finding:
        return questions.fill_rate_is_usual(installation, operation, days)

    return Check(
        name=f"{operation}_fill_rate_is_usual",
        asset="outcomes",
        description="About as many rows were found as in the four weeks before these days.",
        ask=ask,
    )


_EMAILS = TABLES["contact_emails"]
_OF_EMAILS = [
    Check(
        name="statuses_are_usual",
        asset=_EMAILS.name,
        description="As many addresses are deliverable as in the four weeks before; no status "
        "is a word that the vendor's documents do not know.",
        ask=questions.email_statuses_are_usual,
    )
]
_OF_ACCOUNTS = [
    Check(
        name="computed_as_reported",
        asset="credit_usage",
        description="The vendor took the credits that we computed, where it tells.",
        ask=questions.credits_are_as_reported,
    ),
    Check(
        name="costs_are_within_reserved",
        asset="credit_usage",
        description="No batch cost more than was set aside for it, by our prices and by the "
        "vendor's word.",
        ask=questions.costs_are_within_what_was_reserved,
        blocks=True,
    ),
    Check(
        name="files_are_complete",
        asset="batches",
        description="No landed file has fewer lines than the vendor announced.",
        ask=questions.files_are_as_long_as_the_vendor_says,
        blocks=True,
    ),
    Check(
        name="outcomes_add_up",
        asset="outcomes",
        description="Every row that was planned has exactly one outcome for that operation.",
        ask=questions.outcomes_add_up,
        blocks=True,
    ),
    Check(
        name="every_row_is_planned",
        asset="outcomes",
        description="No row came after its day was planned. If some did: plan the day again, "
        "or turn on `upstream_monitor`; only new rows are paid for.",
        ask=questions.every_row_is_planned,
    ),
    Check(
        name="no_line_is_unreadable",
        asset="quarantine",
        description="No line of a vendor's file, and none of the upstream table, was set aside.",
        ask=questions.no_line_is_unreadable,
    ),
    Check(
        name="no_submit_is_unknown",
        asset="batches",
        description="No submit may be running and billed without our knowing. If one is: "
        "`crust-pipeline reconcile`.",
        ask=_as_of_now(questions.no_submit_is_unknown),
        about_now=True,
    ),
    Check(
        name="no_link_is_near_its_end",
        asset="batches",
        description="No file waits to be landed so long that its link may die.",
        ask=_as_of_now(questions.no_link_is_near_its_end),
        about_now=True,
    ),
]
_OF_THE_WAREHOUSE = [
    Check(
        name="is_up_to_date",
        asset="warehouse",
        description="The warehouse holds what the lake holds. If it does not, a reader had it "
        "open; materialise `warehouse`.",
        ask=_as_of_now(questions.warehouse_is_up_to_date),
        about_now=True,
    )
]


def checks_by_step(graph: Graph) -> Mapping[str, Sequence[Check]]:
    """List the checks by the step that asks them, which runs right after what it asks about."""
    tables = {operation: tables_of(operation) for operation in graph.fills_tables}
    accounts = [TABLES[name] for name in ("outcomes", "credit_usage", "batches")]
    return {
        "upstream_checks": _of_table(TABLES["profile_urls"]),
        **{f"{operation}_checks": _of_tables(those) for operation, those in tables.items()},
        **({"email_checks": _OF_EMAILS} if _EMAILS in chain(*tables.values()) else {}),
        "account_checks": [
            *_of_tables(accounts),
            *map(_fill_rate, graph.operations),
            *_OF_ACCOUNTS,
        ],
        "warehouse_checks": _OF_THE_WAREHOUSE,
    }


def _of_tables(tables: Iterable[Table]) -> list[Check]:
    return [check for table in tables for check in _of_table(table)]


def check_result(
    check: dg.AssetCheckSpec, finding: Finding, days: Sequence[date] = ()
) -> dg.AssetCheckResult:
    """Return a finding as Dagster keeps it: an error where it stops a run, a warning otherwise.

    The days stand beside the numbers: evaluations of a range belong to no partition (Dagster 1.13).
    """
    severity = dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=finding.passed,
        severity=severity,
        metadata={**({"days": f"{days[0]} to {days[-1]}"} if days else {}), **finding.numbers},
    )


def _days(tags: Mapping[str, str], installation: Installation) -> list[date]:
    """Return the days of a run; without any, those for which there is input."""
    start = tags.get(RANGE_START_TAG) or tags.get(PARTITION_TAG)
    end = tags.get(RANGE_END_TAG) or tags.get(PARTITION_TAG)
    if start and end:
        return days_between(date.fromisoformat(start), date.fromisoformat(end))
    return installation.lake.days("profile_urls")


def _build(step: str, checks: Sequence[Check]) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name=step, specs=[check.spec for check in checks], can_subset=True)
    def ask(
        context: dg.AssetCheckExecutionContext, crust: PipelineResource
    ) -> Iterator[dg.AssetCheckResult]:
        with failures_as_dagster():
            installation = crust.get_pipeline()
            days = _days(context.run.tags, installation)
        for check in checks:
            if check.spec.key in context.selected_asset_check_keys:
                nothing_to_ask = not days and not check.about_now
                finding = NO_DAYS if nothing_to_ask else check.ask(installation, days)
                yield check_result(check.spec, finding, () if check.about_now else days)

    return ask


def build_asset_checks(graph: Graph) -> list[dg.AssetChecksDefinition]:
    """Build the steps that ask."""
    return [_build(step, checks) for step, checks in checks_by_step(graph).items()]
