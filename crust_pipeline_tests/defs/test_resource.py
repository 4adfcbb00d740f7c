"""The resource: the settings handed in, and what the Launchpad lays over them."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from crust_pipeline.defs.resource import PipelineResource, build_resource
from crust_pipeline.settings import Settings, SettingsError
from crust_pipeline_tests.defs.conftest import SandboxedInstallation


def settings_of(resource: PipelineResource) -> Settings:
    return resource.get_pipeline().settings


def test_without_fields_it_is_the_settings_handed_in() -> None:
    settings = Settings(data_dir=Path("somewhere"), api_key="abc")
    assert settings_of(build_resource(settings)) == settings


def test_it_does_not_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUST_MAX_ACTIVE_BATCHES", "3")
    assert settings_of(build_resource(Settings())).max_active_batches == 5


def test_a_field_is_laid_over_the_settings() -> None:
    resource = build_resource(Settings(max_active_batches=4), max_active_batches=2)
    assert settings_of(resource).max_active_batches == 2


def test_a_field_that_cannot_be_used_is_named() -> None:
    with pytest.raises(SettingsError, match="CRUST_POLL_SECONDS"):
        settings_of(build_resource(Settings(), poll_seconds=-1))


def test_a_number_is_a_number() -> None:
    with pytest.raises(ValidationError):
        build_resource(Settings(), poll_seconds="soon")


def test_a_resource_of_nobodys_says_where_to_get_one() -> None:
    with pytest.raises(SettingsError, match="build_resource"):
        PipelineResource().get_pipeline()


def test_two_installations_have_a_resource_each() -> None:
    one, other = (build_resource(Settings(account=name)) for name in ("one", "other"))
    assert [settings_of(each).account for each in (one, other)] == ["one", "other"]


def test_no_key_is_a_field() -> None:
    # What is typed into the Launchpad is kept in run records.
    assert not [name for name in PipelineResource.model_fields if "api_key" in name]


def test_what_a_run_cannot_change_is_no_field() -> None:
    shaping = {spec.name for spec in fields(Settings) if spec.metadata["shapes_graph"]}
    assert "partitions_start" in shaping
    assert not shaping & PipelineResource.model_fields.keys()


def test_a_field_with_choices_names_them() -> None:
    described = PipelineResource.model_fields["on_unknown"].description or ""
    assert "one of hold | resubmit" in described


def test_every_field_says_what_it_is_and_which_variable_it_takes_the_place_of() -> None:
    for name, field in PipelineResource.model_fields.items():
        assert f"Else {'PRONTO' if name.startswith('pronto') else 'CRUST'}" in str(field), name


def launch(
    installation: SandboxedInstallation, config: dict[str, object]
) -> dg.ExecuteInProcessResult:
    job = installation.defs.resolve_job_def("write_report")
    return job.execute_in_process(
        instance=installation.instance, run_config={"resources": {"crust": {"config": config}}}
    )


@pytest.mark.parametrize(
    "config",
    [
        {"on_unknown": "perhaps"},
        {"contact_mode": "by post"},
        {"personal_contact_consent": "maybe"},
        {"max_active_batches": "many"},
        {"credit_limit_per_run": "all"},
        {"partitions_start": "2025-01-01"},
        {"api_key": "abc"},
    ],
)
def test_the_launchpad_takes_only_what_a_run_can_do(
    installation: SandboxedInstallation, config: dict[str, object]
) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError):
        launch(installation, config)


def test_what_the_launchpad_takes_holds_for_that_run(
    installation: SandboxedInstallation, tmp_path: Path
) -> None:
    config = {"data_dir": str(tmp_path / "other"), "poll_seconds": 2, "credit_limit_per_run": 0.3}
    assert launch(installation, config).success
    assert (tmp_path / "other" / "report.html").exists()


def test_nothing_of_the_settings_gets_into_what_dagster_keeps_of_a_job(
    installation: SandboxedInstallation,
) -> None:
    installation.start(CRUSTDATA_API_KEY="sesame", CRUST_RAW="cellar")
    run = installation.run("write_report").dagster_run
    assert run.job_snapshot_id
    snapshot = installation.instance.get_job_snapshot(run.job_snapshot_id)
    kept = dg.serialize_value(snapshot) + json.dumps(run.run_config)
    assert "write_report" in kept
    assert "sesame" not in kept
    assert "cellar" not in kept


def test_a_choice_of_the_launchpad_is_a_setting() -> None:
    chosen: dict[str, Any] = {"on_unknown": "resubmit", "personal_contact_consent": True}
    settings = settings_of(build_resource(Settings(), **chosen))
    assert settings.on_unknown == "resubmit"
    assert settings.personal_contact_consent is True
