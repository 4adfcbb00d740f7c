"""Tables: what they are, how vendor files become them, the lake and the warehouse that hold them.

Names are imported on first use, so that importing this package does not import DuckDB.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from crust_pipeline.tables.answers import Answers, read_answers
    from crust_pipeline.tables.drift import Drift
    from crust_pipeline.tables.files import FileReport, LandedFile
    from crust_pipeline.tables.flattening import FlattenReport, flatten
    from crust_pipeline.tables.lake import Lake
    from crust_pipeline.tables.landed import BadLine
    from crust_pipeline.tables.partition import PartitionWritten
    from crust_pipeline.tables.spec import Column, Table
    from crust_pipeline.tables.specs import TABLES, filling, operations_sharing, tables_of
    from crust_pipeline.tables.upstream import (
        Upstream,
        UpstreamError,
        read_upstream,
        upstream_rows,
        without_people,
    )
    from crust_pipeline.tables.warehouse import (
        LoadReport,
        Warehouse,
        WarehouseBusyError,
        publish_views,
    )

_MODULES: Final = {
    "Answers": "answers",
    "BadLine": "landed",
    "Column": "spec",
    "Drift": "drift",
    "FileReport": "files",
    "FlattenReport": "flattening",
    "Lake": "lake",
    "LandedFile": "files",
    "LoadReport": "warehouse",
    "PartitionWritten": "partition",
    "TABLES": "specs",
    "Table": "spec",
    "Upstream": "upstream",
    "UpstreamError": "upstream",
    "Warehouse": "warehouse",
    "WarehouseBusyError": "warehouse",
    "filling": "specs",
    "flatten": "flattening",
    "operations_sharing": "specs",
    "publish_views": "warehouse",
    "read_answers": "answers",
    "read_upstream": "upstream",
    "tables_of": "specs",
    "upstream_rows": "upstream",
    "without_people": "upstream",
}

__all__ = [  # noqa: RUF022 - in the order of _MODULES
    "Answers",
    "BadLine",
    "Column",
    "Drift",
    "FileReport",
    "FlattenReport",
    "Lake",
    "LandedFile",
    "LoadReport",
    "PartitionWritten",
    "TABLES",
    "Table",
    "Upstream",
    "UpstreamError",
    "Warehouse",
    "WarehouseBusyError",
    "filling",
    "flatten",
    "operations_sharing",
    "publish_views",
    "read_answers",
    "read_upstream",
    "tables_of",
    "upstream_rows",
    "without_people",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    """Import a public name from the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
