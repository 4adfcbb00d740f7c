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


def _contenders(dlt: str | None) -> list[_Contender]:
    ours = [sys.executable, "-m", "bench.flatten.ours"]
    found = [
        _Contender(name.replace("_", " "), [*ours, name])
        for name in ("floor_read", "floor", "ours_lake", "ours_month", "ours_warehouse")
    ]
    found.append(
        _Contender("pandas", [sys.executable, str(_HERE / "with_pandas.py")], most_people=20_000)
    )
    if dlt:
        found += [
            _Contender(f"dlt {kind}", [dlt, str(_HERE / "with_dlt.py"), kind], most_people=20_000)
            for kind in ("parquet", "duckdb")
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
    print(f"\n{people:,} people, {megabytes:,.0f} MB of text\n")
    print("| contender | runs | seconds (min) | CPU s | people/s | MB/s | peak MB | times ours |")
    print("|---|---|---|---|---|---|---|---|")
    seconds = {contender.name: contender.median("seconds") for contender in contenders}
    for contender in contenders:
        mine = "ours warehouse" if "warehouse" in contender.name else "ours lake"
        mine = "ours warehouse" if contender.name == "dlt duckdb" else mine
        took = seconds[contender.name]
        fastest = min(run["seconds"] for run in contender.runs)
        cpu = contender.median("cpu_seconds")
        figures = [
            contender.name,
            str(len(contender.runs)),
            f"{took:.2f} ({fastest:.2f})",
            f"{cpu:.2f}",
            f"{people / took:,.0f}",
            f"{megabytes / took:,.0f}",
            f"{contender.median('peak_mb'):,.0f}",
            f"{took / seconds[mine]:.2f}",
        ]
        print(f"| {' | '.join(figures)} |")
    print(f"\nlake over floor: {seconds['ours lake'] / seconds['floor']:.2f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, action="append", help="how many, once per size")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dlt", metavar="PYTHON", help="a Python that has dlt")
    parser.add_argument("--only", action="append", help="run only contenders of this name")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for people in options.people or [10_000, 100_000]:
        contenders = [
            contender
            for contender in _contenders(options.dlt)
            if people <= contender.most_people
            if not options.only or contender.name in {*options.only, "floor", "ours lake"}
        ]
        with tempfile.TemporaryDirectory(prefix="bench-flatten-") as name:
            folder = Path(name)
            megabytes = _make(folder, people)
            for _ in range(options.rounds):
                for contender in contenders:
                    contender.run(folder)
        _report(people, megabytes, contenders)
    if not options.dlt:
        print("\ndlt was not run: --dlt names a Python that has it")


if __name__ == "__main__":
    main()
