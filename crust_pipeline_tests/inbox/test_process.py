"""The inbox as a process of its own, killed at any moment."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx

from crust_pipeline.ledger import inbox
from crust_pipeline_tests.inbox.conftest import Batches


@contextmanager
def running_inbox(ledger_url: str, folder: Path) -> Generator[tuple[subprocess.Popen[str], str]]:
    """The process and its address, once it accepts connections."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crust_pipeline", "inbox"],
        env={
            **os.environ,
            "CRUST_LEDGER_URL": ledger_url,
            "CRUST_DATA_DIR": str(folder),
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_no_acknowledged_delivery_is_lost_when_the_inbox_is_killed(
    batches: Batches, ledger_url: str, tmp_path: Path
) -> None:
    submission_id, token = batches.pending()
    acknowledged: set[bytes] = set()
    for life, kill_after in enumerate((1, 8, 20, 40)):
        with running_inbox(ledger_url, tmp_path) as (process, address):
            enough = threading.Event()

            def deliver(
                worker: int,
                *,
                life: int = life,
                address: str = address,
                enough: threading.Event = enough,
                kill_after: int = kill_after,
            ) -> None:
                for number in range(50):
                    body = f'{{"life": {life}, "worker": {worker}, "number": {number}}}'.encode()
                    try:
                        response = httpx.post(
                            f"{address}/hooks/{token}", content=body, trust_env=False
                        )
                    except httpx.HTTPError:
                        return
                    if response.is_success:
                        acknowledged.add(body)
                    if worker == 0 and number == kill_after:
                        enough.set()

            workers = [threading.Thread(target=deliver, args=(worker,)) for worker in range(4)]
            for worker in workers:
                worker.start()
            assert enough.wait(30)
            process.send_signal(signal.SIGKILL)
            for worker in workers:
                worker.join()
    assert len(acknowledged) > 4
    assert acknowledged <= set(inbox.delivered(batches.ledger, submission_id))


def test_it_prints_its_address_first_and_ends_when_told(
    batches: Batches, ledger_url: str, tmp_path: Path
) -> None:
    batches.pending()
    with running_inbox(ledger_url, tmp_path) as (process, address):
        assert httpx.get(f"{address}/health", trust_env=False).json()["status"] == "ok"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
