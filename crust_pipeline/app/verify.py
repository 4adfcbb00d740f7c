"""Verification: raw files, lake and warehouse compared with what the ledger says of them.

Reads only. Each fault says what is wrong with which file, and which command or backup mends it.
"""

import hashlib
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, TypeVar

from crust_pipeline.app.installation import Installation
from crust_pipeline.errors import in_words
from crust_pipeline.ledger import load as ledger_load
from crust_pipeline.ledger.load import KnownFile
from crust_pipeline.tables.flatten.files import RawFileError
from crust_pipeline.tables.specs import tables_of
from crust_pipeline.tables.store.lake import StorageError
from crust_pipeline.tables.store.warehouse import WarehouseBusyError
from crust_pipeline.vendors.catalog import OPERATIONS

if TYPE_CHECKING:
    from crust_pipeline.tables.store.warehouse import Key

_Item = TypeVar("_Item")

# The tables that are written for a day as soon as it is loaded, whatever was bought.
_OF_EVERY_DAY = ("profile_urls", "outcomes", "credit_usage", "batches")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as the ledger says.

    Args:
        place: `raw`, `lake` or `warehouse`.
        name: The file or partition.
        problem: What is wrong, and what to do.
    """

    place: str
    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked, and what is wrong.

    Args:
        raw_files: Raw files that were compared.
        partitions: Partitions of the lake that were read.
        warehouse_partitions: Partitions whose rows in the warehouse were compared.
        faults: What is wrong.
    """

    raw_files: int
    partitions: int
    warehouse_partitions: int
    faults: tuple[Fault, ...]


def verify(installation: Installation, *, sample: int | None = None) -> Verified:
    """Compare raw files, lake and warehouse with the ledger.

    Args:
        installation: the installation.
        sample: how many raw files and how many partitions to draw at random; None: all.
    """
    files = _drawn(ledger_load.files_landed(installation.ledger), sample)
    promised = _promised(installation)
    partitions = _drawn(sorted(promised), sample)
    in_warehouse = partitions if sample is not None else None
    faults = [
        *_raw_faults(installation, files),
        *_lake_faults(installation, {key: promised[key] for key in partitions}),
        *_warehouse_faults(installation, in_warehouse),
    ]
    return Verified(len(files), len(partitions), len(partitions), tuple(faults))


def _drawn(items: Sequence[_Item], sample: int | None) -> list[_Item]:
    if sample is None or sample >= len(items):
        return list(items)
    return random.sample(items, sample)


def _raw_faults(installation: Installation, files: Collection[KnownFile]) -> Iterator[Fault]:
    for file in files:
        if problem := _raw_problem(installation, file):
            error = RawFileError(file.source_file, file.submission_id, problem=problem)
            yield Fault("raw", file.source_file, str(error))


def _raw_problem(installation: Installation, file: KnownFile) -> str | None:
    try:
        with (installation.settings.raw / file.source_file).open("rb") as raw:
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error}"
    return None if digest == file.sha256 else "is altered: its SHA-256 is not the ledger's"


def _promised(installation: Installation) -> "Mapping[Key, int | None]":
    """Return the partitions that the ledger says are written, with their rows where it knows."""
    promised: dict[Key, int | None] = {}
    for operation in OPERATIONS:
        for day in ledger_load.days_ever_flattened(installation.ledger, operation):
            promised |= {(table.name, day): None for table in tables_of(operation)}
            promised["quarantine", day] = None
    loaded = ledger_load.days_whole(installation.ledger)
    for day, rows in loaded.items():
        promised |= {(table, day): None for table in _OF_EVERY_DAY}
        promised["outcomes", day] = rows
    return promised


def _lake_faults(
    installation: Installation, promised: "Mapping[Key, int | None]"
) -> Iterator[Fault]:
    for (table, day), rows in promised.items():
        if problem := _lake_problem(installation, table, day, rows):
            yield Fault(
                "lake",
                f"{table} {day}",
                f"The partition {day} of {table} {problem}. Other days stay as they are. "
                f"`crust-pipeline rebuild --from {day} --to {day}` makes it anew from the raw "
                "files; it buys nothing.",
            )


def _lake_problem(
    installation: Installation, table: str, day: date, rows: int | None
) -> str | None:
    """Read a partition whole; return what is wrong with it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = installation.lake.path(table, day)
    try:
        found = pq.ParquetFile(path)
        read = sum(batch.num_rows for batch in found.iter_batches())
    except FileNotFoundError:
        return "is gone from the lake"
    except (pa.ArrowException, OSError) as error:
        return f"cannot be read ({in_words(error)})"
    noted = (found.metadata.metadata or {}).get(b"crust_pipeline.table")
    if noted is not None and noted.decode() != table:
        return f"holds another table, {noted.decode()}"
    if read != found.metadata.num_rows:
        return f"has {read} rows, and its own footer says {found.metadata.num_rows}"
    if rows is not None and read != rows:
        return f"has {read} rows, and the ledger says {rows}"
    return None


def _warehouse_faults(
    installation: Installation, only: "Collection[Key] | None"
) -> Iterator[Fault]:
    warehouse = installation.warehouse
    name = warehouse.path.name
    if not warehouse.path.exists():
        if warehouse.behind(installation.lake):
            yield Fault(
                "warehouse", name, f"{name} is gone. `crust-pipeline warehouse refresh` makes it."
            )
        return
    try:
        differences = warehouse.verify(installation.lake, only=only)
    except WarehouseBusyError as busy:
        yield Fault("warehouse", name, f"It could not be compared: {busy}. Try again later.")
        return
    except (StorageError, OSError) as error:
        yield Fault("warehouse", name, in_words(error))
        return
    for difference in differences:
        yield Fault(
            "warehouse",
            " ".join(difference.split(":")[0].split()),
            f"{difference}. `crust-pipeline warehouse refresh` loads what is new in the lake; if "
            "the difference stays, `crust-pipeline warehouse rebuild` makes the file anew.",
        )
