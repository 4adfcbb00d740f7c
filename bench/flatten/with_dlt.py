"""The same files through dlt, in an environment of its own: dlt[duckdb,parquet,filesystem].

`parquet` is dlt's filesystem destination as it comes. `duckdb` is tuned with what its documentation
offers: Parquet as the loader's format, orjson, a worker per core; and isal inflates.
`duckdb-uncompressed` does not compress what it keeps between its steps either.
"""

import gzip
import json
import os
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from typing import Any

from usage import cpu_seconds, peak_mb

_TUNING = {
    "NORMALIZE__WORKERS": str(os.cpu_count()),
    "LOAD__WORKERS": str(os.cpu_count()),
}
_UNCOMPRESSED = {"DATA_WRITER__DISABLE_COMPRESSION": "true"}


def _people(folder: Path, *, tuned: bool) -> Iterator[list[dict[str, Any]]]:
    """Give the lines of all files of a folder, a thousand at a time."""
    opened, loads = gzip.open, json.loads
    if tuned:
        import orjson  # pyright: ignore[reportMissingImports]  # only dlt's environment has it
        from isal import igzip

        opened, loads = igzip.open, orjson.loads
    for name, _, _ in json.loads((folder / "files.json").read_text()):
        with opened(folder / name) as file:
            lines: list[dict[str, Any]] = []
            for line in file:
                lines.append(loads(line))
                if len(lines) == 1000:
                    yield lines
                    lines = []
            if lines:
                yield lines


def load(kind: str, folder: Path) -> None:
    """Load all files of a folder into one of the destinations."""
    import dlt  # pyright: ignore[reportMissingImports]  # only dlt's environment has it

    for place in ("dlt-state", "dlt-lake"):
        rmtree(folder / place, ignore_errors=True)
    (folder / "dlt.duckdb").unlink(missing_ok=True)
    tuned = kind != "parquet"
    destination = (
        dlt.destinations.duckdb(str(folder / "dlt.duckdb"))
        if tuned
        else dlt.destinations.filesystem(str(folder / "dlt-lake"))
    )
    pipeline = dlt.pipeline(
        "bench",
        destination=destination,
        dataset_name="flat",
        pipelines_dir=str(folder / "dlt-state"),
    )
    pipeline.run(
        _people(folder, tuned=tuned),
        table_name="people",
        write_disposition="replace",
        loader_file_format="parquet",
    )


if __name__ == "__main__":
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}
    if sys.argv[1] != "parquet":
        os.environ |= _TUNING
    if sys.argv[1] == "duckdb-uncompressed":
        os.environ |= _UNCOMPRESSED
    import_module("dlt")  # imports are not what is measured
    start, cpu = time.perf_counter(), cpu_seconds()
    load(sys.argv[1], Path(sys.argv[2]))
    took = {"seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - cpu}
    print(json.dumps(took | {"peak_mb": peak_mb()}))
