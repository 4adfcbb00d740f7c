"""The sensor that watches the vendor, and the jobs it asks for."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import dagster as dg

from crust_pipeline.app.days import DaysBeforeStartError, days_before_start
from crust_pipeline.app.installation import Installation
from crust_pipeline.buying.account import Account
from crust_pipeline.buying.advance import advance_all
from crust_pipeline.buying.watch import Watch, watch_all
from crust_pipeline.defs.buying import SCHEDULED_PRIORITY, SCHEDULED_TAGS, new_rows_only
from crust_pipeline.defs.graph import Graph
from crust_pipeline.defs.partitions import range_tags
from crust_pipeline.defs.resource import PipelineResource, failures_as_dagster
from crust_pipeline.errors import Failures
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger.load import DueDay, ranges
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.ledger.submit import backoff
from crust_pipeline.ledger.waits import furthest
from crust_pipeline.marts import MARTS
from crust_pipeline.settings import SettingsError
from crust_pipeline.tables.specs import operations_sharing, tables_of

if TYPE_CHECKING:
    # Dagster has no public name for what `define_asset_job` makes.
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition as Job,
    )

# Dagster 1.13 reports a tick as failed after 60 s while its body runs on; it must end well before.
TICK_BUDGET_SECONDS = 40.0
# Below Dagster's own loop of 5 s nothing is gained.
TICK_SECONDS = 5
# A tick goes on looking for almost as long, so that a job's end is seen at once.
LOOK_SECONDS, LEAST_IDLE_SECONDS, MOST_IDLE_SECONDS = 4.0, 0.1, 1.0
# A run that loads days is asked for again when nothing has come of it; its key counts the requests.
FIRST_RETRY_SECONDS, MOST_RETRY_SECONDS = 60.0, 3600.0

# One run of a job at a time, to spare the machine; the ledger keeps two apart. No longer than this:
# after a power cut a run stays STARTED until `max_runtime_seconds` (dagster.yaml) ends it.
WAITS_FOR_RUN = timedelta(minutes=3)
# Free slots do not wait for a run that lands large files for longer than this.
WAITS_FOR_ADVANCE = timedelta(minutes=1)
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.op
def advance_batches(context: dg.OpExecutionContext, crust: PipelineResource) -> None:
    """Fill the free slots first, then land every completed file, so that no link dies."""
    failures = Failures()
    with failures_as_dagster():
        installation = crust.get_pipeline()
        installation.check_stores()
        done = advance_all(
            list(installation.accounts.values()), run_id=context.run_id, failures=failures
        )
    for batch in done.landed.expired:
        context.log.error(
            "The link of batch %s died before its file was kept. `crust-pipeline refetch %s` asks "
            "for a new one. Without it what it cost is lost, and buying it again is your decision: "
            "materialise its days with refresh.",
            batch,
            batch,
        )
    with failures_as_dagster():
        failures.raise_at_end()


@dg.job(description="Submits planned batches to free slots and lands completed files.")
def advance_job() -> None:
    """Do one step: it may spend, and it may take long."""
    advance_batches()


def _load_job(operation: str) -> str:
    return f"load_{operation}"


# Dagster takes two jobs of one name only when they are the same object.
@cache
def build_load_jobs(graph: Graph) -> "tuple[Job, ...]":
    """Build the jobs that load days of an operation, for each that fills tables."""
    return tuple(
        dg.define_asset_job(
            _load_job(operation),
            selection=[
                *(table.name for table in tables_of(operation)),
                "outcomes",
                "credit_usage",
                "batches",
                "quarantine",
                "warehouse",
                *MARTS,
            ],
            description=f"Flattens the landed files of {operation} into tables.",
        )
        for operation in graph.fills_tables
    )


def _plan_again_job(operation: str) -> str:
    return f"plan_{operation}_again"


def build_plan_again_jobs(graph: Graph) -> "list[Job]":
    """Build the jobs that plan days of an operation again."""
    return [
        dg.define_asset_job(
            _plan_again_job(operation),
            selection=[f"{operation}_batches"],
            description="Asks for people of planned days who could not be asked for before.",
        )
        for operation in graph.operations
    ]


def build_batch_monitor(graph: Graph) -> dg.SensorDefinition:
    """Build the sensor."""

    @dg.sensor(
        jobs=[advance_job, *build_load_jobs(graph), *build_plan_again_jobs(graph)],
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Polls the vendor's jobs, asks for runs to submit and land, and to load days that are "
            "final. On by default: it follows what somebody planned. It reads; what spends is a "
            "run."
        ),
    )
    def batch_monitor(
        context: dg.SensorEvaluationContext, crust: PipelineResource
    ) -> dg.SensorResult | dg.SkipReason:
        """Look once, and ask for what is to be done.

        What fails is logged, and fails the tick if there is nothing to ask for: Dagster forgets
        what a failed tick has asked for.
        """
        began, failures = time.monotonic(), Failures()
        try:
            installation = crust.get_pipeline()
            seen = _watch_for_a_while(
                list(installation.accounts.values()),
                may_go_on=lambda: time.monotonic() - began < TICK_BUDGET_SECONDS,
                failures=failures,
            )
        except SettingsError as error:
            return dg.SkipReason(str(error))
        requests = list(
            _requests(context, installation, graph, cause=seen.cause, failures=failures)
        )
        for problem in failures.in_words:
            context.log.error("%s", problem)
        if not requests:
            with failures_as_dagster():
                failures.raise_at_end()
            return dg.SkipReason(seen.in_words)
        return dg.SensorResult(run_requests=requests)

    return batch_monitor


def _requests(
    context: dg.SensorEvaluationContext,
    installation: Installation,
    graph: Graph,
    *,
    cause: str | None,
    failures: Failures,
) -> Iterator[dg.RunRequest]:
    """Ask for what is to be done, but for jobs of which a run is under way."""
    now = installation.clock()
    if cause and not _unfinished(context, advance_job.name, since=now - WAITS_FOR_ADVANCE):
        yield dg.RunRequest(run_key=cause, job_name=advance_job.name)
    for operation in graph.operations:
        with failures.unit("plan", "operation", operation):
            if not _unfinished(context, _plan_again_job(operation), since=now - WAITS_FOR_RUN):
                yield from _plan_again_requests(installation, operation)
    for operation in graph.fills_tables:
        with failures.unit("load", "operation", operation):
            if not _unfinished(context, _load_job(operation), since=now - WAITS_FOR_RUN):
                yield from _load_requests(installation, operation)
    with failures.unit("load", "days", "before the first partition"):
        if early := days_before_start(installation):
            raise DaysBeforeStartError(list(early), start=installation.settings.partitions_start)


def _watch_for_a_while(
    accounts: Sequence[Account], *, may_go_on: Callable[[], bool], failures: Failures
) -> Watch:
    """Look, and look again while jobs run: one may end, or the inbox may hear of its end."""
    now = accounts[0].now
    until = now() + timedelta(seconds=LOOK_SECONDS)
    while True:
        seen = watch_all(accounts, may_go_on=may_go_on, failures=failures)
        if seen.cause or not seen.next_look or now() >= until or not may_go_on():
            return seen
        wait = (seen.next_look - now()).total_seconds()
        idle_seconds = min(max(wait, LEAST_IDLE_SECONDS), MOST_IDLE_SECONDS)
        time.sleep(idle_seconds)  # no job can be seen to end before


def _unfinished(context: dg.SensorEvaluationContext, job: str, *, since: datetime) -> bool:
    filters = dg.RunsFilter(job_name=job, statuses=UNFINISHED, updated_after=since)
    return bool(context.instance.get_run_records(filters, limit=1))


def _plan_again_requests(installation: Installation, operation: str) -> list[dg.RunRequest]:
    ledger, now = installation.ledger, installation.clock()
    first = installation.settings.partitions_start  # there are no runs for days before it
    identified = [day for name, day in ledger_load.days_identified(ledger) if name == operation]
    # A limit per run is one for each day's automatic run: sooner, it would be no limit.
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    causes = (
        # At once for news; for the same again, should a plan come to nothing, once a minute.
        (
            f"plan:{ledger_load.latest_identified(ledger, operation)}",
            identified,
            int(now.timestamp()) // int(FIRST_RETRY_SECONDS),
        ),
        (
            "budget",
            ledger_load.days_over_budget(ledger, operation, planned_before=midnight),
            now.date(),
        ),
    )
    return [
        dg.RunRequest(
            run_key=f"{cause}:{operation}:{start}:{end}:{attempt}",
            job_name=_plan_again_job(operation),
            tags={**range_tags(start, end), **tags},
            run_config=new_rows_only(operation),
        )
        for cause, days, attempt in causes
        for tags, of_priority in _by_priority(ledger, [day for day in days if day >= first])
        for start, end in ranges(of_priority)
    ]


def _by_priority(
    ledger: Ledger, days: Sequence[date]
) -> list[tuple[Mapping[str, str], Sequence[date]]]:
    """Return days that a schedule planned, which go on going first, and the others."""
    first = ledger_load.days_of_priority(ledger, days, priority=SCHEDULED_PRIORITY)
    return [(SCHEDULED_TAGS, sorted(first)), ({}, [day for day in days if day not in first])]


def _load_requests(installation: Installation, operation: str) -> list[dg.RunRequest]:
    ledger, now = installation.ledger, installation.clock()
    first = installation.settings.partitions_start  # there are no runs for days before it
    due = [
        day
        for day in ledger_load.due_days(ledger, operations_sharing(operation))
        if day.partition_date >= first
        and (
            day.requested_at is None
            or day.requested_at > furthest(now)  # by a clock that has been put back since
            or now - day.requested_at >= _retry_after(day)
        )
    ]
    if not due:
        return []
    # Noted first: if the tick dies here, the same days are asked for a little later.
    ledger_load.record_load_request(ledger, due, now=now)
    return [
        dg.RunRequest(
            run_key=f"load:{start}:{end}:{_versions(due, start=start, end=end)}",
            job_name=_load_job(operation),
            tags=range_tags(start, end),
        )
        for start, end in ranges({day.partition_date for day in due})
    ]


def _versions(due: Sequence[DueDay], *, start: date, end: date) -> str:
    """Return what is to be loaded of a range, and which attempt it is: never the same twice."""
    of_range = [day for day in due if start <= day.partition_date <= end]
    versions: dict[str, int] = {}
    attempts: dict[str, int] = {}
    for day in of_range:
        versions[day.operation] = max(day.version, versions.get(day.operation, 0))
        attempts[day.operation] = max(day.requests + 1, attempts.get(day.operation, 0))
    return ",".join(f"{name}:{versions[name]}:{attempts[name]}" for name in sorted(versions))


def _retry_after(due: DueDay) -> timedelta:
    if due.requests == 0:
        return timedelta(0)
    return backoff(
        due.requests - 1, first_seconds=FIRST_RETRY_SECONDS, most_seconds=MOST_RETRY_SECONDS
    )
