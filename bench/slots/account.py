"""One contestant's account: a folder, a sandbox of its own, and what the sandbox saw."""

import csv
import heapq
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx

from crust_pipeline.local_dagster.processes import TetheredProcess

FIRST_DAY = date(2025, 1, 1)
SLOTS = 5
KEY = "sandbox-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the sandbox saw of one contestant, in seconds, and how long its command took."""

    name: str
    jobs: int
    bound: float
    makespan: float
    gap: float
    wall: float
    requests: float
    note: str

    @staticmethod
    def header() -> str:
        names = (
            "contestant | jobs | bound s | makespan s | ratio | slot empty s | wall s | polls a job"
        )
        return f"| {names} |\n{'|---' * 8}|"

    def line(self) -> str:
        numbers = f"{self.bound:.0f} | {self.makespan:.0f} | {self.makespan / self.bound:.3f}"
        rest = f"{self.gap:.1f} | {self.wall:.0f} | {self.requests:.1f}"
        return f"| {self.name} | {self.jobs} | {numbers} | {rest} |"


class Account:
    """A sandbox in a process of its own, and the environment that leads to it."""

    def __init__(
        self,
        folder: Path,
        *,
        upstream: Path,
        operation: str,
        days: int,
        job_seconds: Sequence[float],
        time_scale: float,
    ) -> None:
        folder.mkdir()
        self.folder, self.upstream, self.operation = folder, upstream, operation
        self.days = [FIRST_DAY + timedelta(days=number) for number in range(days)]
        self.note = ""
        switches = {"job_seconds": list(job_seconds), "time_scale": time_scale}
        config = folder / "sandbox.json"
        config.write_text(json.dumps({"switches": switches, "credits": 10_000_000}))
        self._began = time.monotonic()
        sandbox = TetheredProcess(
            [sys.executable, "-m", "crust_pipeline", "sandbox", "--config", str(config)],
            environment=dict(os.environ),
            log=folder / "sandbox.log",
        )
        self._servers = [sandbox]
        self.more_settings: dict[str, str] = {}
        self.url, self._control = sandbox.first_lines(2)

    def start(self, *command: str, name: str) -> str:
        """Start a server of ours beside the sandbox, and give the address that it prints."""
        process = TetheredProcess(
            [sys.executable, "-m", "crust_pipeline", *command],
            environment=self.environment,
            log=self.folder / f"{name}.log",
        )
        self._servers.append(process)
        return process.first_lines(1)[0]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "CRUSTDATA_API_KEY": KEY,
            "CRUSTDATA_BASE_URL": self.url,
            "CRUST_DATA_DIR": str(self.folder / "data"),
            "CRUST_UPSTREAM": str(self.upstream),
            "CRUST_PARTITIONS_START": FIRST_DAY.isoformat(),
            "CRUST_ENRICH_FIELDS": "basic_profile",
            **self.more_settings,
        }

    def result(self, name: str) -> Result:
        state: dict[str, Any] = httpx.get(f"{self._control}/_control/state", timeout=60).json()
        jobs = sorted(state["jobs"], key=lambda job: job["created_at"])
        spans = [
            (datetime.fromisoformat(job["created_at"]), datetime.fromisoformat(job["completed_at"]))
            for job in jobs
        ]
        polls = sum(
            count
            for request, count in state["requests"].items()
            if request.startswith("GET /batch")
        )
        return Result(
            name=name,
            jobs=len(jobs),
            bound=list_schedule([(end - start).total_seconds() for start, end in spans]),
            makespan=(max(end for _, end in spans) - spans[0][0]).total_seconds(),
            gap=mean_gap(spans),
            wall=time.monotonic() - self._began,
            requests=polls / len(jobs),
            note=self.note,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in reversed(self._servers):
            server.stop()


def mean_gap(spans: Sequence[tuple[datetime, datetime]]) -> float:
    """How long a slot is empty between the end of a job and the start of the next, on average."""
    ends = sorted(end for _, end in spans)
    starts = sorted(start for start, _ in spans)[SLOTS:]
    gaps = [(start - end).total_seconds() for end, start in zip(ends, starts, strict=False)]
    return sum(gaps) / len(gaps) if gaps else 0.0


def list_schedule(seconds: Sequence[float]) -> float:
    """When the last job ends if each starts the moment a slot is free, in the order given."""
    free = [0.0] * SLOTS
    for duration in seconds:
        heapq.heappush(free, heapq.heappop(free) + duration)
    return max(free)


def write_upstream(path: Path, *, days: int, rows_a_day: int) -> None:
    """Invented people, the same number on each day."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["added_on", "profile_url"])
        for number in range(days * rows_a_day):
            day = FIRST_DAY + timedelta(days=number // rows_a_day)
            table.writerow([day, f"https://www.linkedin.com/in/invented-{number:06d}"])
