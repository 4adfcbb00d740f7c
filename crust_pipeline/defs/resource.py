"""The one resource: the installation, from the settings and what the Launchpad lays over them."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Optional, get_args, get_type_hints

import dagster as dg
from pydantic import Field, create_model

from crust_pipeline.app.installation import Installation
from crust_pipeline.errors import FOR_PEOPLE
from crust_pipeline.settings import Settings, SettingsError, choices, expected

# What is typed into the Launchpad is kept in run records, and comes too late for the graph.
_CONFIGURABLE = {
    spec.name: spec.metadata
    for spec in fields(Settings)
    if not spec.metadata["secret"] and not spec.metadata["shapes_graph"]
}
_TYPES = get_type_hints(Settings)


def _help(meta: Mapping[str, Any]) -> str:
    choices = expected(meta["parse"])
    return f"{meta['description']} {f'Give {choices}. ' if choices else ''}Else {meta['variable']}."


def _type(name: str, meta: Mapping[str, Any]) -> object:
    words = choices(meta["parse"])
    kinds = {_TYPES[name], *get_args(_TYPES[name])}
    if bool in kinds:
        return bool | None
    if words:
        # What the Launchpad offers as a choice, and refuses to launch with another word.
        return Optional[StrEnum(name, {word: word for word in words})]  # noqa: UP045 - `|` takes no type made at run time
    if int in kinds:
        return int | None
    # Dagster's config has no decimals. As text, a float is what somebody typed.
    return float | None if kinds & {float, Decimal} else str | None


_config_fields: dict[str, Any] = {
    name: (_type(name, meta), Field(default=None, description=_help(meta)))
    for name, meta in _CONFIGURABLE.items()
}
_SettingsResource = create_model(
    "_SettingsResource", __base__=dg.ConfigurableResource, **_config_fields
)


class PipelineResource(_SettingsResource):
    """The installation that assets and sensors work on: its settings, and a run's own over them.

    `build_resource` makes it.
    """

    # Of the class, for Dagster makes a new instance for every run; and not of the config, which
    # would get them into its records.
    settings_handed_in: ClassVar[Settings | None] = None

    def get_pipeline(self) -> Installation:
        """Open the installation.

        Raises:
            SettingsError: a setting cannot be used.
        """
        if self.settings_handed_in is None:
            raise SettingsError(
                "This PipelineResource has no settings: make it with build_resource(settings), "
                "or leave it to build_defs(settings=...)."
            )
        laid_over = {
            meta["variable"]: str(getattr(self, name))
            for name, meta in _CONFIGURABLE.items()
            if getattr(self, name) is not None
        }
        return Installation(settings=self.settings_handed_in.with_texts(laid_over))


def build_resource(settings: Settings, **laid_over: object) -> PipelineResource:
    """Build the resource of an installation.

    Args:
        settings: The installation's.
        **laid_over: Fields of the Launchpad, set beforehand.
    """

    class Resource(PipelineResource):
        settings_handed_in = settings

    Resource.__doc__ = PipelineResource.__doc__
    return Resource.model_validate(laid_over)


@contextmanager
def failures_as_dagster() -> Generator[None]:
    """Fail the step with an error's message for people, without another try.

    Trying again is the ledger's business: Dagster would run the whole step once more.
    """
    try:
        yield
    except FOR_PEOPLE as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
