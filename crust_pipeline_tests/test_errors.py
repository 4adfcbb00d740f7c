"""Errors: one base for all of ours, and messages that are for people."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

import crust_pipeline
from crust_pipeline.errors import CrustError, Failures, UnitsFailedError, in_words

# Refusals of the vendors that the sandbox plays are answers to a client, and no errors of ours.
NOT_OURS = ("crust_pipeline.sandbox", "crust_pipeline.__main__")


def errors() -> Iterator[type[Exception]]:
    """Every error class of the package; those with an underscore never leave their module."""
    for module in pkgutil.walk_packages(crust_pipeline.__path__, "crust_pipeline."):
        if module.name.startswith(NOT_OURS):
            continue
        for name, found in inspect.getmembers(importlib.import_module(module.name)):
            ours = inspect.isclass(found) and found.__module__.startswith("crust_pipeline.")
            if ours and issubclass(found, Exception) and not name.startswith("_"):
                yield found


def test_every_error_of_the_package_has_one_base() -> None:
    found = set(errors())
    assert len(found) > 20
    assert [error for error in found if not issubclass(error, CrustError)] == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CrustError("Set CRUST_LAKE."), "Set CRUST_LAKE."),
        (FileNotFoundError(2, "No such file", "raw/a"), "[Errno 2] No such file: 'raw/a'"),
        (KeyError("linkedin.com/in/somebody"), "KeyError"),
        (ValueError("no such thing: somebody@example.com"), "ValueError"),
        (OSError(), "OSError"),
    ],
)
def test_an_error_is_told_by_its_message_only_if_that_is_for_people(
    error: Exception, words: str
) -> None:
    assert in_words(error) == words


def test_a_pass_inside_a_pass_names_its_own_units() -> None:
    failures = Failures()
    with failures.unit("advance", "account", "one"):
        inner = Failures()
        with inner.unit("poll", "batch", "two"):
            raise CrustError("it was gone")
        inner.raise_at_end()
    with pytest.raises(UnitsFailedError, match="poll of batch two: it was gone"):
        failures.raise_at_end()


def test_where_a_failure_cannot_be_noted_nothing_goes_on() -> None:
    def note(_: str) -> None:
        raise CrustError("the ledger is gone")

    with (
        pytest.raises(CrustError, match="the ledger is gone"),
        Failures().unit("poll", "batch", "one", note=note),
    ):
        raise KeyError
