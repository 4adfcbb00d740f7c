"""Settings: what the environment says, and what people are told when it cannot be used."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from crust_pipeline.settings import Settings, SettingsError


def test_everything_has_a_default_but_the_key() -> None:
    settings = Settings.from_env({})
    assert settings.api_key is None
    assert settings.base_url == "https://api.crustdata.com"
    assert settings.max_active_batches == 5
    assert settings.partitions_start == date(2026, 1, 1)


def test_paths_follow_the_data_folder() -> None:
    settings = Settings.from_env({"CRUST_DATA_DIR": "elsewhere"})
    assert settings.upstream == "elsewhere/profile_urls.csv"
    assert settings.ledger_url == "sqlite:///elsewhere/ledger.db"
    assert settings.lake == Path("elsewhere/lake")


def test_a_path_that_is_set_does_not_follow_the_data_folder() -> None:
    settings = Settings.from_env({"CRUST_DATA_DIR": "elsewhere", "CRUST_RAW": "kept"})
    assert settings.raw == Path("kept")


def test_purchases_are_remembered_under_the_host_of_the_api() -> None:
    settings = Settings.from_env({"CRUSTDATA_BASE_URL": "http://127.0.0.1:8123"})
    assert settings.account == "127.0.0.1"


def test_a_newline_behind_the_key_is_dropped() -> None:
    assert Settings.from_env({"CRUSTDATA_API_KEY": "abc\n"}).api_key == "abc"


def test_the_key_is_not_shown_with_the_settings() -> None:
    assert "abc123" not in repr(Settings.from_env({"CRUSTDATA_API_KEY": "abc123"}))


def test_credits_are_exact() -> None:
    settings = Settings.from_env({"CRUST_CREDIT_LIMIT_PER_RUN": "0.3"})
    assert settings.credit_limit_per_run == Decimal("0.3")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CRUST_POLL_SECONDS", "soon"),
        ("CRUST_POLL_SECONDS", "-1"),
        ("CRUST_POLL_SECONDS", "nan"),
        ("CRUST_MAX_ACTIVE_BATCHES", "-3"),
        ("CRUST_CREDIT_LIMIT_PER_DAY", "-5"),
        ("CRUST_CREDIT_LIMIT_PER_DAY", "NaN"),
        ("CRUST_PERSONAL_CONTACT_CONSENT", "perhaps"),
        ("CRUST_ON_UNKNOWN", "guess"),
        ("CRUST_PARTITIONS_START", "01.02.2026"),
        ("CRUSTDATA_BASE_URL", "api.crustdata.com"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_without_its_value(
    variable: str, value: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({variable: value})
    assert variable in str(raised.value)
    assert value not in str(raised.value).replace(variable, "")
