"""The resource: settings from the environment, and what the Launchpad lays over them."""

from pathlib import Path

import dagster as dg
import pytest

from crust_pipeline.defs.resource import PipelineResource
from crust_pipeline.settings import SettingsError
from crust_pipeline_tests.defs.conftest import Installation


def with_fields(**fields: str) -> PipelineResource:
    return PipelineResource.model_validate(fields)


def test_without_fields_it_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUST_DATA_DIR", "somewhere")
    assert PipelineResource().get_pipeline().settings.lake == Path("somewhere/lake")


def test_a_field_is_laid_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUST_MAX_ACTIVE_BATCHES", "5")
    settings = with_fields(max_active_batches="2").get_pipeline().settings
    assert settings.max_active_batches == 2


def test_a_field_that_cannot_be_used_is_named() -> None:
    with pytest.raises(SettingsError, match="CRUST_POLL_SECONDS"):
        with_fields(poll_seconds="soon").get_pipeline()


def test_no_key_is_a_field() -> None:
    # What is typed into the Launchpad is kept in run records.
    assert not [name for name in PipelineResource.model_fields if "api_key" in name]


def test_a_field_with_choices_names_them() -> None:
    described = PipelineResource.model_fields["on_unknown"].description or ""
    assert "one of hold | resubmit" in described


def test_every_field_says_what_it_is_and_which_variable_it_takes_the_place_of() -> None:
    for name, field in PipelineResource.model_fields.items():
        assert f"Else {'PRONTO' if name.startswith('pronto') else 'CRUST'}" in str(field), name


def launch(installation: Installation, config: dict[str, object]) -> dg.ExecuteInProcessResult:
    job = installation.defs.resolve_job_def("write_report")
    return job.execute_in_process(
        instance=installation.instance, run_config={"resources": {"crust": {"config": config}}}
    )


@pytest.mark.parametrize(
    "config",
    [{"on_unknown": "perhaps"}, {"contact_mode": "by post"}, {"personal_contact_consent": "maybe"}],
)
def test_the_launchpad_takes_only_the_words_that_there_are(
    installation: Installation, config: dict[str, object]
) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError):
        launch(installation, config)


def test_a_choice_of_the_launchpad_is_a_setting() -> None:
    resource = PipelineResource.model_validate(
        {"on_unknown": "resubmit", "personal_contact_consent": True}
    )
    settings = resource.get_pipeline().settings
    assert settings.on_unknown == "resubmit"
    assert settings.personal_contact_consent is True
