"""CRUST_PARTITIONS_START raised over days that are paid for: they are loaded, or named."""

from datetime import date

import dagster as dg
import pytest

from crust_pipeline.app.days import days_before_start
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline_tests.command_line import crust
from crust_pipeline_tests.defs.conftest import SandboxedInstallation
from crust_pipeline_tests.people import DAYS


def loaded(installation: SandboxedInstallation) -> list[date]:
    return Lake(installation.pipeline.settings.lake).days("people")


@pytest.fixture
def stranded(installation: SandboxedInstallation) -> SandboxedInstallation:
    """The first two days are bought and have landed; then the first is no partition any more."""
    installation.buy(DAYS[:2])
    (request,) = installation.requests()
    assert request.job_name
    assert installation.run(request.job_name).success
    installation.pipeline.ledger.close()
    installation.start(CRUST_PARTITIONS_START=str(DAYS[1]))
    return installation


def test_the_sensor_loads_the_other_days(stranded: SandboxedInstallation) -> None:
    (request,) = stranded.requests()
    assert request.job_name == "load_enrich"
    assert stranded.run(request.job_name, tags=request.tags).success
    assert loaded(stranded) == [DAYS[1]]


def test_the_sensor_names_the_days_and_the_setting(stranded: SandboxedInstallation) -> None:
    (request,) = stranded.requests()
    assert request.job_name
    assert stranded.run(request.job_name, tags=request.tags).success
    with pytest.raises(dg.Failure, match=f"CRUST_PARTITIONS_START .*{DAYS[0]}.*rebuild --from"):
        stranded.tick()


@pytest.mark.parametrize(
    "command",
    [("rebuild",), ("run", "--from", str(DAYS[2]), "--to", str(DAYS[2]), "--operation", "enrich")],
    ids=["rebuild", "run"],
)
def test_the_command_line_loads_them_all_the_same(
    stranded: SandboxedInstallation, command: tuple[str, ...]
) -> None:
    done = crust(*command, settings=dict(stranded.environment))
    assert done.code == 0, done.err
    assert DAYS[0] in loaded(stranded)
    assert not days_before_start(stranded.pipeline)
