"""The same files through dlt, which needs an environment of its own: dlt[duckdb,parquet,filesystem].

`parquet` is dlt's filesystem destination as it comes. `duckdb` is tuned with what dlt's documentation
offers: Parquet as the loader's format, orjson, a worker per core; and isal inflates.
"""

import gzip
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

TUNED = sys.argv[1] == "duckdb"

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}
if TUNED:
    os.environ |= {
        "NORMALIZE__WORKERS": str(os.cpu_count()),
        "LOAD__WORKERS": str(os.cpu_count()),
        "DATA_WRITER__DISABLE_COMPRESSION": "true",
    }

import dlt
import orjson
from isal import igzip
from usage import peak_mb


@dlt.resource(name="people", write_disposition="replace")
def people(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Give the lines of all files of a folder."""
    for name, _, _ in json.loads((folder / "files.json").read_text()):
        opened, loads = (igzip.open, orjson.loads) if TUNED else (gzip.open, json.loads)
        with opened(folder / name) as file:
            lines: list[dict[str, Any]] = []
            for line in file:
                lines.append(loads(line))
                if len(lines) == 1000:
                    yield lines
                    lines = []
            if lines:
                yield lines


def main() -> None:
    """Run one destination and print what it took."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    for place in ("dlt-state", "dlt-lake", "dlt.duckdb"):
        rmtree(folder / place, ignore_errors=True)
        (folder / place).unlink(missing_ok=True) if (folder / place).is_file() else None
    start = time.perf_counter()
    destination = (
        dlt.destinations.filesystem(str(folder / "dlt-lake"))
        if kind == "parquet"
        else dlt.destinations.duckdb(str(folder / "dlt.duckdb"))
    )
    pipeline = dlt.pipeline(
        "bench",
        destination=destination,
        dataset_name="flat",
        pipelines_dir=str(folder / "dlt-state"),
    )
    pipeline.run(people(folder), loader_file_format="parquet")
    print(json.dumps({"seconds": time.perf_counter() - start, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
