"""Settings: what the environment says, and what people are told when it cannot be used."""

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from crust_pipeline.settings import Settings, SettingsError
from crust_pipeline.vendors.catalog import VENDORS


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


@pytest.mark.parametrize("address", ["https://proxy.example:8443/crustdata", "https://10.0.0.7"])
def test_another_address_of_the_vendor_is_the_same_account(address: str) -> None:
    assert Settings.from_env({"CRUSTDATA_BASE_URL": address}).account == "api.crustdata.com"


@pytest.mark.parametrize(
    ("address", "account"),
    [
        ("https://app.pipecorn.example/api/v2", "pronto@app.prontohq.com"),
        ("http://127.0.0.1:8124", "pronto@127.0.0.1"),
    ],
)
def test_a_second_vendor_is_remembered_in_the_same_way(address: str, account: str) -> None:
    assert VENDORS["pronto"].account(Settings.from_env({"PRONTO_BASE_URL": address})) == account


def test_the_account_that_is_set_stays() -> None:
    texts = {"CRUSTDATA_BASE_URL": "https://proxy.example", "CRUST_ACCOUNT": "sales"}
    assert Settings.from_env(texts).account == "sales"


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


def test_a_text_laid_over_the_settings_takes_along_what_follows_it() -> None:
    settings = Settings.from_env({"CRUST_RAW": "kept", "CRUSTDATA_API_KEY": "abc"})
    changed = settings.with_texts(
        {"CRUST_DATA_DIR": "other", "CRUSTDATA_BASE_URL": "http://127.0.0.1:8123"}
    )
    assert (changed.lake, changed.raw) == (Path("other/lake"), Path("kept"))
    assert (changed.account, changed.api_key) == ("127.0.0.1", "abc")
    assert settings.with_texts({}) == settings


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a `.env` file is read: in the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".env"


def test_a_file_in_the_working_folder_is_read(env_file: Path) -> None:
    env_file.write_text(
        """
        # the key of the team
        export CRUSTDATA_API_KEY='abc'
        CRUST_DATA_DIR=somewhere  # not in the repository
        CRUST_LAKE=${CRUST_DATA_DIR}/tables
        SOMETHING_ELSE=that is not for us
        """
    )
    settings = Settings.from_env()
    assert (settings.api_key, settings.lake) == ("abc", Path("somewhere/tables"))


def test_the_environment_goes_before_the_file_even_with_nothing(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("CRUST_POLL_SECONDS=1\nCRUST_CREDIT_LIMIT_PER_DAY=5\nCRUST_ACCOUNT=ours\n")
    monkeypatch.setenv("CRUST_POLL_SECONDS", "2")
    monkeypatch.setenv("CRUST_CREDIT_LIMIT_PER_DAY", "")
    settings = Settings.from_env()
    assert (settings.poll_seconds, settings.credit_limit_per_day) == (2, None)
    assert settings.account == "ours"


def test_what_is_wrong_in_the_environment_is_not_blamed_on_the_file(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("CRUST_POLL_SECONDS=1\n")
    monkeypatch.setenv("CRUST_POLL_SECONDS", "soon")
    with pytest.raises(SettingsError, match="as it is set: give"):
        Settings.from_env()


def test_the_file_does_not_get_into_the_environment(env_file: Path) -> None:
    env_file.write_text("CRUSTDATA_API_KEY=abc\n")
    before = dict(os.environ)
    Settings.from_env()
    assert dict(os.environ) == before


def test_settings_of_a_mapping_are_of_nothing_else(env_file: Path) -> None:
    env_file.write_text("CRUSTDATA_API_KEY=abc\n")
    assert Settings.from_env({}).api_key is None


def test_a_folder_of_that_name_is_no_file(env_file: Path) -> None:
    env_file.mkdir()
    assert Settings.from_env() == Settings()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("CRUST_ACCOUNT=ours\n\nCRUST_POLL_SECONDS=sesame\n", 3),
        ("\n# limits\n\nCRUST_CREDIT_LIMIT_PER_DAY = '-7'", 4),
        ("CRUST_ACCOUNT=ours\n\nCRUSTDATA_API_KEY='sesame\n", 3),
        ("CRUSTDATA_API_KEY sesame\n", 1),
    ],
)
def test_a_line_that_cannot_be_used_is_named_without_its_value(
    env_file: Path, text: str, line: int
) -> None:
    env_file.write_text(text)
    with pytest.raises(SettingsError, match=rf"\.env, line {line}\b") as raised:
        Settings.from_env()
    assert "sesame" not in str(raised.value)
    assert "-7" not in str(raised.value)


@pytest.mark.parametrize("content", [b"CRUST_ACCOUNT=\xff\n"])
def test_a_file_that_is_no_text_is_named(env_file: Path, content: bytes) -> None:
    env_file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"\.env cannot be read"):
        Settings.from_env()
