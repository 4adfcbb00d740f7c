"""Every setting, read once from the environment and a `.env` file, then handed down.

A setting is one line in `Settings`; docs/settings.md and Dagster's config fields are made of them.
"""

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from crust_pipeline.errors import CrustError

# In the working folder.
ENV_FILE = Path(".env")


class SettingsError(CrustError, ValueError):
    """A setting cannot be used as it is. The message names the variable and what to give."""


def setting(
    variable: str,
    default: Any,  # noqa: ANN401
    parse: Callable[[str], Any],
    text: str,
    *,
    shapes_graph: bool = False,
    secret: bool = False,
) -> Any:  # noqa: ANN401
    """Declare a dataclass field that comes from the environment variable `variable`.

    Args:
        variable: The variable's name.
        default: Its value where the variable is not set.
        parse: Makes a value of the text.
        text: What the setting is for.
        shapes_graph: Whether Dagster's assets, jobs, days or hours follow from it: a run that has
            started can change none of them.
        secret: Whether it may be shown to nobody, and so is kept in no run's records.
    """
    return field(
        default=default,
        repr=not secret,
        metadata={
            "variable": variable,
            "parse": parse,
            "description": text,
            "shapes_graph": shapes_graph,
            "secret": secret,
        },
    )


def _boolean(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    return words[text.lower()]


_CHOICES: dict[Callable[[str], Any], tuple[str, ...]] = {_boolean: ("true", "false")}


def choices(parse: Callable[[str], Any]) -> tuple[str, ...]:
    """Return the words that a setting may be set to; none where it is free."""
    return _CHOICES.get(parse, ())


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    parse.__doc__ = "one of " + " | ".join(allowed)
    _CHOICES[parse] = allowed
    return parse


def _in_order(text: str) -> tuple[str, ...]:
    """names in order, separated by commas, or none"""  # noqa: D403, D415
    if text == "none":
        return ()
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _positive_int(text: str) -> int:
    """a whole number above 0"""  # noqa: D401, D403, D415
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def _hour(text: str) -> int:
    """an hour of the day, 0 to 23"""  # noqa: D401, D403, D415
    if not 0 <= int(text) <= 23:
        raise ValueError(text)
    return int(text)


def _time_zone(text: str) -> str:
    """a time zone such as Europe/Berlin"""  # noqa: D401, D403, D415
    return ZoneInfo(text).key


def _not_negative(text: str) -> float:
    """a number, 0 or more"""  # noqa: D401, D403, D415
    if not 0 <= float(text) < float("inf"):
        raise ValueError(text)
    return float(text)


def _credits(text: str) -> Decimal:
    """a number of credits, such as 500 or 12.5"""  # noqa: D401, D403, D415
    if not Decimal(text).is_finite() or Decimal(text) < 0:
        raise ValueError(text)
    return Decimal(text)


def _words(text: str) -> tuple[str, ...]:
    """a comma-separated list"""  # noqa: D401, D403, D415
    return tuple(sorted({word.strip() for word in text.split(",")} - {""}))


def _url(text: str) -> str:
    """an http or https address"""  # noqa: D401, D403, D415
    if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname:
        raise ValueError(text)
    return text.rstrip("/")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, where only a test server answers."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_EXPECTED = {_boolean: "true or false", date.fromisoformat: "a date such as 2026-01-31"}


def expected(parse: Callable[[str], Any]) -> str:
    """Return what a setting may be set to, in words; empty where any text is."""
    return _EXPECTED.get(parse) or (parse.__doc__ or "" if parse.__module__ == __name__ else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, typed. Paths that are not set follow `data_dir`."""

    api_key: str | None = setting(
        "CRUSTDATA_API_KEY",
        None,
        str,
        "The Crustdata API key. Needed for everything that asks the vendor.",
        secret=True,
    )
    base_url: str = setting(
        "CRUSTDATA_BASE_URL", "https://api.crustdata.com", _url, "Where the Crustdata API is."
    )
    data_dir: Path = setting(
        "CRUST_DATA_DIR", Path("data"), Path, "The folder that all other paths default into."
    )
    upstream: str = setting(
        "CRUST_UPSTREAM",
        "",
        str,
        "The table of people to ask for: CSV or Parquet, a path or glob. "
        "Default: profile_urls.csv in the data folder.",
    )
    ledger_url: str = setting(
        "CRUST_LEDGER_URL",
        "",
        str,
        "The ledger's database, an SQLAlchemy URL. Default: ledger.db (SQLite) in the data folder.",
    )
    warehouse: Path = setting(
        "CRUST_WAREHOUSE",
        Path(),
        Path,
        "The DuckDB file. Default: warehouse.duckdb in the data folder.",
    )
    lake: Path = setting(
        "CRUST_LAKE",
        Path(),
        Path,
        "The folder of Parquet tables. Default: lake in the data folder.",
    )
    raw: Path = setting(
        "CRUST_RAW",
        Path(),
        Path,
        "The folder of vendor files as received, never deleted. Default: raw in the data folder.",
    )
    max_active_batches: int = setting(
        "CRUST_MAX_ACTIVE_BATCHES",
        5,
        _positive_int,
        "Vendor jobs allowed at a time, over all processes on this ledger.",
    )
    poll_seconds: float = setting(
        "CRUST_POLL_SECONDS",
        10.0,
        _not_negative,
        "Seconds between two polls of a job. Fractions allowed.",
    )
    refresh_after_days: float = setting(
        "CRUST_REFRESH_AFTER_DAYS",
        90.0,
        _not_negative,
        "How long something bought counts as fresh and is not bought again.",
    )
    retry_not_found_after_days: float = setting(
        "CRUST_RETRY_NOT_FOUND_AFTER_DAYS",
        30.0,
        _not_negative,
        "How long the answers not_found, dropped and no_data are remembered before asking again.",
    )
    credit_limit_per_run: Decimal | None = setting(
        "CRUST_CREDIT_LIMIT_PER_RUN",
        None,
        _credits,
        "The most credits one run may reserve. Unset: no limit.",
    )
    credit_limit_per_day: Decimal | None = setting(
        "CRUST_CREDIT_LIMIT_PER_DAY",
        None,
        _credits,
        "The most credits that may be reserved on one calendar day (UTC). Unset: no limit.",
    )
    on_over_budget: str = setting(
        "CRUST_ON_OVER_BUDGET",
        "buy_what_fits",
        _choice("buy_what_fits", "refuse"),
        "Over a credit limit: buy what fits and mark the rest over_budget, or refuse it all.",
    )
    personal_contact_consent: bool = setting(
        "CRUST_PERSONAL_CONTACT_CONSENT",
        False,  # noqa: FBT003 - a default, not a call
        _boolean,
        "Whether you may buy personal e-mail addresses and phone numbers.",
    )
    on_unknown: str = setting(
        "CRUST_ON_UNKNOWN",
        "hold",
        _choice("hold", "resubmit"),
        "A submit whose fate nobody knows: hold it for a decision, or buy again.",
    )
    partitions_start: date = setting(
        "CRUST_PARTITIONS_START",
        date(2026, 1, 1),
        date.fromisoformat,
        "The first day that is a partition.",
        shapes_graph=True,
    )
    daily_hour: int = setting(
        "CRUST_DAILY_HOUR",
        6,
        _hour,
        "The hour at which the schedule daily_plan plans yesterday.",
        shapes_graph=True,
    )
    daily_time_zone: str = setting(
        "CRUST_DAILY_TIME_ZONE",
        "UTC",
        _time_zone,
        "The time zone of that hour, and of what counts as yesterday.",
        shapes_graph=True,
    )
    operations: tuple[str, ...] = setting(
        "CRUST_OPERATIONS",
        ("identify", "contact", "enrich"),
        _in_order,
        "What is bought. There is also company_enrich: the companies of people enriched.",
        shapes_graph=True,
    )
    enrich_fields: tuple[str, ...] = setting(
        "CRUST_ENRICH_FIELDS",
        (),
        _words,
        "Fields to ask enrich for. Default: every group but social_posts.",
    )
    enrich_mode: str = setting(
        "CRUST_ENRICH_MODE",
        "batch",
        _choice("batch", "live"),
        "Where profiles come from: the vendor's database, or live from the web (dearer).",
    )
    business_email_vendors: tuple[str, ...] = setting(
        "CRUST_BUSINESS_EMAIL_VENDORS",
        ("crustdata",),
        _in_order,
        "Who is asked for business e-mail addresses, in order, as in `crustdata,pronto`; each only "
        "for people of whom those before it have none. Or none.",
        shapes_graph=True,
    )
    personal_email_vendors: tuple[str, ...] = setting(
        "CRUST_PERSONAL_EMAIL_VENDORS",
        (),
        _in_order,
        "The same for personal e-mail addresses. Needs consent.",
        shapes_graph=True,
    )
    phone_number_vendors: tuple[str, ...] = setting(
        "CRUST_PHONE_NUMBER_VENDORS",
        (),
        _in_order,
        "The same for phone numbers. Needs consent.",
        shapes_graph=True,
    )
    contact_verified: bool = setting(
        "CRUST_CONTACT_VERIFIED",
        False,  # noqa: FBT003 - a default, not a call
        _boolean,
        "Whether the vendor checks business e-mail addresses now and delivers only those that "
        "pass, for half a credit more a person.",
    )
    contact_mode: str = setting(
        "CRUST_CONTACT_MODE",
        "batch",
        _choice("batch", "sync"),
        "How contact data is asked for: in batch jobs (higher fill rate), or 25 people at once.",
    )
    identify_first: bool = setting(
        "CRUST_IDENTIFY_FIRST",
        True,  # noqa: FBT003 - a default, not a call
        _boolean,
        "Whether contact and enrich wait for identify where only an e-mail address is known, and "
        "then ask by the profile URL it found. Off: they ask by the address at once.",
    )
    identify_email_key: str = setting(
        "CRUST_IDENTIFY_EMAIL_KEY",
        "emails",
        _choice("emails", "business_emails"),
        "What identify calls a list of e-mail addresses: emails, or business_emails as of old.",
    )
    pronto_api_key: str | None = setting(
        "PRONTO_API_KEY",
        None,
        str,
        "The Pronto API key. Needed when pronto is asked for contact data.",
        secret=True,
    )
    pronto_base_url: str = setting(
        "PRONTO_BASE_URL",
        "https://app.prontohq.com/api/v2",
        _url,
        "Where the Pronto API is; the vendor, now Pipecorn, has had several addresses.",
    )
    bulk_contact_deadline_hours: float = setting(
        "CRUST_BULK_CONTACT_DEADLINE_HOURS",
        24.0,
        _not_negative,
        "How long Pronto's results are waited for; people without one are unknown from then on.",
    )
    phone_countries: tuple[str, ...] = setting(
        "CRUST_PHONE_COUNTRIES",
        (),
        _words,
        "Countries that Pronto's phone numbers are wanted from, such as FR,DE. Default: the "
        "account's own list.",
    )
    inbox_url: str | None = setting(
        "CRUST_INBOX_URL",
        None,
        _url,
        "Where vendors reach the inbox from outside. Unset: no callbacks, polling only.",
    )
    prices: Path | None = setting(
        "CRUST_PRICES",
        None,
        Path,
        "A JSON file with your contract's prices, in place of the vendor's published ones.",
    )
    account: str = setting(
        "CRUST_ACCOUNT",
        "",
        str,
        "The name Crustdata purchases are remembered under. Default: api.crustdata.com, whatever "
        "the API's address, such as a proxy's; on this machine (localhost, 127.0.0.1) the host "
        "name, so that what a test server sold is never taken for the real thing. For a test "
        "server elsewhere set a name of its own.",
    )

    @property
    def vendor_orders(self) -> dict[str, tuple[str, ...]]:
        """Who is asked for each type of contact data, in order."""
        return {
            "business_email": self.business_email_vendors,
            "personal_email": self.personal_email_vendors,
            "phone_number": self.phone_number_vendors,
        }

    @property
    def scratch(self) -> Path:
        """The folder for files that are needed only while a step runs."""
        return self.data_dir / "scratch"

    def __post_init__(self) -> None:
        """Fill in what follows the data folder and the API's address."""
        for name, value in self._followers().items():
            if getattr(self, name) in ("", Path()):
                object.__setattr__(self, name, value)

    def _followers(self) -> dict[str, Any]:
        """Return what follows from other settings, where it is not set itself."""
        return {
            "upstream": str(self.data_dir / "profile_urls.csv"),
            "ledger_url": f"sqlite:///{self.data_dir / 'ledger.db'}",
            "warehouse": self.data_dir / "warehouse.duckdb",
            "lake": self.data_dir / "lake",
            "raw": self.data_dir / "raw",
            "account": self.account_host("base_url"),
        }

    def account_host(self, address: str) -> str:
        """Return the host that stands for a vendor in the name of its account.

        It is that of the vendor's published address, however the vendor is reached. Only a server
        on this machine stands for itself.

        Args:
            address: the name of the setting that says where the vendor's API is.
        """
        host = self.host_of(address)
        published = next(str(spec.default) for spec in fields(self) if spec.name == address)
        return host if is_loopback(host) else urlsplit(published).hostname or ""

    def host_of(self, address: str) -> str:
        """Return the host of an address, which is the value of a setting of this name."""
        return urlsplit(str(getattr(self, address))).hostname or ""

    def with_texts(self, texts: Mapping[str, str]) -> "Settings":
        """Lay values over these settings, as text, by variable; what follows them follows again.

        Raises:
            SettingsError: a text is something that cannot be used.
        """
        followers = self._followers()
        own = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        kept = {
            name: value
            for name, value in own.items()
            if name not in followers or value != followers[name]
        }
        return Settings(**{**kept, **_parsed(texts)})

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings: from a mapping, else from the environment and the `.env` file.

        What is in both is taken from the environment, even when it is set to nothing there.

        Raises:
            SettingsError: a variable is set to something that cannot be used, or the file cannot
                be read.
        """
        if environment is not None:
            return cls(**_parsed(environment))
        from_file = {
            name: assigned
            for name, assigned in _read_env_file(ENV_FILE).items()
            if name not in os.environ
        }
        texts = {name: text for name, (text, _) in from_file.items()}
        places = {name: f" in {ENV_FILE}, line {line}" for name, (_, line) in from_file.items()}
        return cls(**_parsed({**texts, **os.environ}, places))


def _parsed(texts: Mapping[str, str], places: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Make values of the texts that are settings, by the name of the field."""
    values: dict[str, Any] = {}
    for spec in fields(Settings):
        variable, parse = spec.metadata["variable"], spec.metadata["parse"]
        # Keys copied from a web page often end in a newline, which no HTTP header may hold.
        text = texts.get(variable, "").strip()
        if not text:
            continue
        try:
            values[spec.name] = parse(text)
        except (ValueError, KeyError, InvalidOperation):
            place = (places or {}).get(variable, "")
            message = f"{variable} cannot be used as it is set{place}: give {expected(parse)}."
            raise SettingsError(message) from None
    return values


def _read_env_file(path: Path) -> dict[str, tuple[str, int]]:
    """Read what a `.env` file assigns, each with its line; nothing where there is no file."""
    # A folder of this name is a virtual environment of somebody's.
    if not path.exists() or path.is_dir():
        return {}
    # Here, because most have no such file, and `--help` must be quick.
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        message = f"{path} cannot be read: make it a text file in UTF-8 that this user may read."
        raise SettingsError(message) from None
    lines: dict[str, int] = {}
    for binding in parse_stream(StringIO(text)):
        blank = len(binding.original.string) - len(binding.original.string.lstrip())
        line = binding.original.line + binding.original.string[:blank].count("\n")
        if binding.error:
            raise SettingsError(f"{path}, line {line} cannot be read: write NAME=value.")
        if binding.key:
            lines[binding.key] = line
    # Not taken from the parser, because here `${NAME}` is filled in, as Dagster does with the file.
    values = dotenv_values(stream=StringIO(text))
    return {name: (value, lines[name]) for name, value in values.items() if value is not None}
