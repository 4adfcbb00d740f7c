"""How fast landed files become tables: this project, the floor beneath it, pandas and dlt.

    python -m bench.flatten [--people N]... [--rounds N] [--dlt PYTHON]

Every run is a process of its own; contenders take turns, so that a slow minute of the machine is
nobody's alone. dlt is run only when told which Python has it: a virtual environment with
`pip install 'dlt[duckdb,parquet,filesystem]' orjson isal`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench.flatten.people import write_file

_HERE = Path(__file__).parent
_PEOPLE_PER_FILE = 10_000


@dataclass
class _Contender:
    """A command that gets the folder with the files as its last argument."""

    name: str
    command: list[str]
    most_people: int = sys.maxsize
    runs: list[dict[str, float]] = field(default_factory=list[dict[str, float]])

    def run(self, folder: Path) -> None:
        environment = os.environ | {"PYTHONPATH": f"{_HERE.parents[1]}{os.pathsep}{_HERE}"}
        done = subprocess.run(
            [*self.command, str(folder)], capture_output=True, check=True, env=environment
        )
        self.runs.append(json.loads(done.stdout.splitlines()[-1]))

    def median(self, figure: str) -> float:
        return statistics.median(run[figure] for run in self.runs)


# More people than this are flattened once only: pandas and dlt need minutes for them.
_FEW = 20_000


def _contenders(dlt: str | None) -> list[_Contender]:
    ours = [sys.executable, "-m", "bench.flatten.ours"]
    found = [
        _Contender("floor, read only", [*ours, "floor_read"]),
        _Contender("floor", [*ours, "floor"]),
        _Contender("lake", [*ours, "ours_lake"]),
        _Contender("lake, 1 bad line", [*ours, "ours_one_bad"], most_people=_FEW),
        _Contender("lake, 1,000 bad lines", [*ours, "ours_many_bad"], most_people=_FEW),
        _Contender("lake, 30 days", [*ours, "ours_month"]),
        _Contender("lake and warehouse", [*ours, "ours_warehouse"]),
        _Contender("pandas", [sys.executable, str(_HERE / "with_pandas.py")]),
    ]
    if dlt:
        with_dlt = [dlt, str(_HERE / "with_dlt.py")]
        found += [
            _Contender("dlt to Parquet", [*with_dlt, "parquet"]),
            _Contender("dlt to DuckDB, tuned", [*with_dlt, "duckdb"]),
            _Contender("dlt to DuckDB, tuned further", [*with_dlt, "duckdb-uncompressed"]),
        ]
    return found


def _make(folder: Path, people: int) -> float:
    """Write the landed files; give the megabytes of text in them."""
    made = [
        (f"{seed}.jsonl.gz", min(_PEOPLE_PER_FILE, people - seed * _PEOPLE_PER_FILE), seed)
        for seed in range(-(-people // _PEOPLE_PER_FILE))
    ]
    for name, count, seed in made:
        write_file(folder / name, count, seed)
    (folder / "files.json").write_text(json.dumps(made))
    sizes = [int.from_bytes((folder / name).read_bytes()[-4:], "little") for name, _, _ in made]
    return sum(sizes) / 1e6


def _report(people: int, megabytes: float, contenders: list[_Contender]) -> None:
    """Print the medians of all rounds."""
    print(f"\n{people:,} people, {megabytes:,.0f} MB of text, rounds: {len(contenders[0].runs)}\n")
    print(
        "| contender | wall s (min) | CPU s | people/s | MB/s | peak MB | wall, times ours "
        "| CPU, times ours |"
    )
    print("|---|---|---|---|---|---|---|---|")
    named = {contender.name: contender for contender in contenders}
    for contender in contenders:
        to_duckdb = contender.name == "lake and warehouse" or "to DuckDB" in contender.name
        mine = named["lake and warehouse" if to_duckdb else "lake"]
        wall, cpu = contender.median("seconds"), contender.median("cpu_seconds")
        figures = [
            contender.name,
            f"{wall:.2f} ({min(run['seconds'] for run in contender.runs):.2f})",
            f"{cpu:.2f}",
            f"{people / wall:,.0f}",
            f"{megabytes / wall:,.0f}",
            f"{contender.median('peak_mb'):,.0f}",
            f"{wall / mine.median('seconds'):.2f}",
            f"{cpu / mine.median('cpu_seconds'):.2f}",
        ]
        print(f"| {' | '.join(figures)} |")
    lake, floor = named["lake"], named["floor"]
    paired = [
        ours["seconds"] / theirs["seconds"]
        for ours, theirs in zip(lake.runs, floor.runs, strict=True)
    ]
    print(f"\nlake over floor, round by round: {statistics.median(paired):.2f} of wall time")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, action="append", help="how many, once per size")
    parser.add_argument("--rounds", type=int, default=5, help="for at most 20,000 people")
    parser.add_argument("--dlt", metavar="PYTHON", help="a Python that has dlt")
    parser.add_argument("--only", action="append", help="run only contenders of this name")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for people in options.people or [10_000, 100_000]:
        contenders = [
            contender
            for contender in _contenders(options.dlt)
            if people <= contender.most_people
            if not options.only
            or contender.name in {*options.only, "floor", "lake", "lake and warehouse"}
        ]
        with tempfile.TemporaryDirectory(prefix="bench-flatten-") as name:
            folder = Path(name)
            megabytes = _make(folder, people)
            for _ in range(options.rounds if people <= _FEW else 1):
                for contender in contenders:
                    contender.run(folder)
        _report(people, megabytes, contenders)
    if not options.dlt:
        print("\ndlt was not run: --dlt names a Python that has it")


if __name__ == "__main__":
    main()
