"""How many deliveries a second the inbox keeps, next to the same app that keeps nothing.

    python -m bench.inbox [--seconds 10] [--connections 32]

Server and clients run on the same machine and share its cores, so both numbers are low ones. The
bodies are as large as one contact's result, and every one is different.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from crust_pipeline.inbox.app import RequestLimits
from crust_pipeline.inbox.serve import serve
from crust_pipeline.inbox.store import Store
from crust_pipeline.ledger import inbox
from crust_pipeline.ledger import plan as ledger_plan
from crust_pipeline.ledger.inbox import Delivery, Receipt
from crust_pipeline.ledger.store import Ledger
from crust_pipeline_tests.batches import new_batch

# Below the number of deliveries that are kept for one batch.
DELIVERIES_A_TOKEN = 900


class KeepsNothing(Store):
    """Acknowledges at once."""

    async def keep(self, delivery: Delivery) -> Receipt:
        """Keep nothing."""
        del delivery
        return Receipt.KEPT


@dataclass(slots=True)
class Measured:
    """What the clients saw."""

    milliseconds: list[float] = field(default_factory=list[float])
    refused: int = 0


@contextmanager
def server(ledger_url: str, *, keeps: bool) -> Iterator[str]:
    """Start the inbox, or the app that keeps nothing, in a process of its own: its address."""
    keeping = [sys.executable, "-m", "crust_pipeline", "inbox"]
    command = keeping if keeps else [sys.executable, __file__, "--serve-nothing", ledger_url]
    environment = {**os.environ, "CRUST_LEDGER_URL": ledger_url}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def tokens(ledger: Ledger, count: int) -> list[str]:
    """Tokens of batches that are planned."""
    now, made = datetime.now(UTC), list[str]()
    with ledger.write() as tx:
        for number in range(count):
            batch = new_batch(f"bench-{number}")
            ledger_plan.add_batch(tx, batch, now=now)
            made.append(inbox.issue_token(tx, batch.submission_id, now=now))
    return made


async def deliver(address: str, paths: Iterator[str], *, until: float, seen: Measured) -> None:
    """Send one delivery after the other over one connection."""
    split = urlsplit(address)
    reader, writer = await asyncio.open_connection(split.hostname, split.port)
    while time.monotonic() < until:
        path = next(paths)
        result = {"custom": {"key": path[-20:]}, "status": "finished", "text": "x" * 400}
        body = json.dumps(result | {"at": time.monotonic_ns()}).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {len(body)}\r\n\r\n"
        began = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        seen.milliseconds.append((time.perf_counter() - began) * 1000)
        seen.refused += b" 200 " not in answer[:20]
    writer.close()


def paths_of(made: list[str]) -> Iterator[str]:
    """Paths, each token's as often as its batch may be delivered for."""
    for token in made:
        for _ in range(DELIVERIES_A_TOKEN):
            yield f"/hooks/{token}"


async def measure(address: str, made: list[str], *, seconds: float, connections: int) -> Measured:
    """Let many connections deliver at the same time."""
    seen, paths = Measured(), paths_of(made)
    until = time.monotonic() + seconds
    await asyncio.gather(
        *(deliver(address, paths, until=until, seen=seen) for _ in range(connections))
    )
    return seen


def report(name: str, seen: Measured, *, seconds: float) -> float:
    """Print one line; give the deliveries a second."""
    rate = len(seen.milliseconds) / seconds
    cuts = statistics.quantiles(seen.milliseconds, n=100)
    sys.stdout.write(
        f"{name:<14}{rate:>9.0f}/s   median {cuts[49]:6.1f} ms   99 of 100 {cuts[98]:6.1f} ms   "
        f"refused {seen.refused}\n"
    )
    return rate


def main() -> None:
    """Measure both, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--serve-nothing", metavar="LEDGER_URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_nothing:
        ledger = Ledger(given.serve_nothing, account="bench")
        unlimited = RequestLimits(requests_at_once=1e9)
        serve(KeepsNothing(ledger), host="127.0.0.1", port=0, limits=unlimited)
        return
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        ledger = Ledger(url, account="bench")
        made = tokens(ledger, 200)
        rates: list[float] = []
        for name, keeps in (("keeps nothing", False), ("keeps", True)):
            with server(url, keeps=keeps) as address:
                limits = {"seconds": given.seconds, "connections": given.connections}
                seen = asyncio.run(measure(address, made, **limits))
            rates.append(report(name, seen, seconds=given.seconds))
        sys.stdout.write(f"keeping costs a factor of {rates[0] / rates[1]:.2f}\n")
        acknowledged = len(seen.milliseconds) - seen.refused
        sys.stdout.write(f"acknowledged {acknowledged}, ")
        sys.stdout.write(f"in the ledger {inbox.deliveries_kept(ledger)}\n")
        ledger.close()


if __name__ == "__main__":
    main()
