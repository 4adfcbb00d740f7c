"""Tables: what they are, how vendor files become them, and where they are kept."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crust_pipeline.tables.store.lake import Lake

__all__ = ["Lake"]


def __getattr__(name: str) -> "type[Lake]":
    """Import `Lake` at its first use: this package is imported where DuckDB is not needed."""
    if name != "Lake":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from crust_pipeline.tables.store.lake import Lake

    return Lake
