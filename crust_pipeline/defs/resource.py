"""The one resource: the pipeline, made from the environment and what the Launchpad lays over it."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from enum import StrEnum
from typing import Any, Optional

import dagster as dg
from pydantic import Field, create_model

from crust_pipeline.app.installation import Pipeline
from crust_pipeline.errors import FOR_PEOPLE
from crust_pipeline.settings import Settings, choices, expected

# Keys come from the environment only: what is typed into the Launchpad is kept in run records.
_CONFIGURABLE = {
    spec.name: spec.metadata for spec in fields(Settings) if not spec.name.endswith("api_key")
}


def _help(meta: Mapping[str, Any]) -> str:
    choices = expected(meta["parse"])
    return f"{meta['description']} {f'Give {choices}. ' if choices else ''}Else {meta['variable']}."


def _type(name: str, meta: Mapping[str, Any]) -> object:
    words = choices(meta["parse"])
    if words == ("true", "false"):
        return bool | None
    # An enum is what the Launchpad offers as a choice, and refuses to launch with another word.
    return Optional[StrEnum(name, {word: word for word in words}) if words else str]  # noqa: UP045 - `|` takes no type made at run time


_config_fields: dict[str, Any] = {
    name: (
        _type(name, meta),
        Field(default=None, description=_help(meta)),
    )
    for name, meta in _CONFIGURABLE.items()
}
_SettingsResource = create_model(
    "_SettingsResource", __base__=dg.ConfigurableResource, **_config_fields
)


class PipelineResource(_SettingsResource):
    """The installation that assets and sensors work on. Fields fall back to the environment."""

    def get_pipeline(self) -> Pipeline:
        """The pipeline as set.

        Raises:
            SettingsError: a setting cannot be used.
        """
        laid_over = {
            meta["variable"]: str(getattr(self, name))
            for name, meta in _CONFIGURABLE.items()
            if getattr(self, name) is not None
        }
        return Pipeline(settings=Settings.from_env({**os.environ, **laid_over}))


@contextmanager
def told_as_failure() -> Generator[None]:
    """What goes wrong with a message for people fails the step with it, and is not tried again.

    Trying again is the ledger's business: Dagster would run the whole step once more.
    """
    try:
        yield
    except FOR_PEOPLE as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
