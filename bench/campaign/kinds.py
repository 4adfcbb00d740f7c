"""What is killed, and what goes wrong beside the vendor's faults, by kind of run."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from bench.campaign.shop import DAYS, Shop
from crust_pipeline.local_dagster.client import InstanceError
from crust_pipeline_tests.databases import in_new_schema
from crust_pipeline_tests.e2e.crashable_instance import CrashableInstance

Kind = Callable[[Shop], None]

HOUR_SECONDS = 3600
SMALL_DISK, LARGE_DISK = "2500k", "500m"
DAEMON_SECONDS = 25


def commands(shop: Shop) -> None:
    """Kill `run`, of which there are sometimes two at the same time."""
    for _ in range(shop.draw.randint(3, 6)):
        shop.add_faults()
        running = [shop.start(*shop.run_command()) for _ in range(shop.draw.choice((1, 1, 2)))]
        for process in running:
            shop.end(process, shop.draw.uniform(1.0, 8.0))


def clock(shop: Shop) -> None:
    """Kill `run` while the clock is put forward and back by hours between two of them."""
    for _ in range(shop.draw.randint(4, 6)):
        shop.add_faults()
        wrong_by = shop.draw.choice((-10, -6, -1, 1, 6, 20)) * HOUR_SECONDS
        shop.end(
            shop.start(*shop.run_command(), wrong_by_seconds=wrong_by),
            shop.draw.uniform(2.0, 10.0),
        )


def disk(shop: Shop) -> None:
    """Let the disk be full, at another moment each time, and kill `run` on it as well."""
    with _mounted(shop.data):
        for _ in range(shop.draw.randint(3, 5)):
            shop.add_faults()
            filler = shop.data / "filler"
            _fill(filler, leave=shop.draw.randint(0, 1200) * 1024)
            shop.end(shop.start(*shop.run_command()), shop.draw.uniform(2.0, 12.0))
            filler.unlink(missing_ok=True)
        subprocess.run(["mount", "-o", f"remount,size={LARGE_DISK}", str(shop.data)], check=True)
        shop.finish()


def pronto(shop: Shop) -> None:
    """Kill `run` and the inbox, or starve it, while the second vendor delivers until it is kept."""
    port = _free_port()
    shop.operations = ("contact", "bulk_contact")
    shop.more_settings |= {
        "CRUST_OPERATIONS": "contact",  # the second vendor follows from its key
        "PRONTO_API_KEY": shop.sandbox.api_key,
        "PRONTO_BASE_URL": shop.sandbox.pronto_url,
        "CRUST_BUSINESS_EMAIL_VENDORS": "crustdata,pronto",
        "CRUST_INBOX_URL": f"http://127.0.0.1:{port}",
    }
    inbox = shop.start("inbox", "--port", str(port))
    for _ in range(shop.draw.randint(3, 6)):
        shop.add_faults()
        running = shop.start(*shop.run_command())
        with _held_connections(port, shop.draw.choice((0, 0, 1100))):
            shop.end(inbox, shop.draw.uniform(1.0, 15.0))
        inbox = shop.start("inbox", "--port", str(port))
        shop.end(running, shop.draw.uniform(1.0, 6.0))


def daemon(shop: Shop) -> None:
    """Kill Dagster and its runs in a backfill, or tell them to end."""
    _backfill(shop, homes=1)


def two_daemons(postgres: str) -> Kind:
    """Return the same with two Dagsters whose installations share a ledger on Postgres."""

    def kind(shop: Shop) -> None:
        shop.more_settings["CRUST_LEDGER_URL"] = in_new_schema(postgres)
        _backfill(shop, homes=2)

    return kind


def kinds(*, postgres: str | None) -> Mapping[str, Kind]:
    """Return all kinds of runs that can be had here."""
    found: dict[str, Kind] = {
        "commands": commands,
        "clock": clock,
        "disk": disk,
        "pronto": pronto,
        "daemon": daemon,
    }
    return found | ({"two daemons": two_daemons(postgres)} if postgres else {})


def _backfill(shop: Shop, *, homes: int) -> None:
    assets = ["profile_urls", *(f"{name}_batches" for name in shop.operations)]
    for life in range(shop.draw.randint(2, 3)):
        shop.add_faults()
        with ExitStack() as stack:
            running = [
                stack.enter_context(
                    CrashableInstance.running(
                        home=shop.folder / f"dagster-{number}",
                        environment=shop.environment,
                        log_dir=shop.folder / f"logs-{number}",
                        daemon=False,
                    )
                )
                for number in range(homes)
            ]
            for instance in running:
                if instance.sensor_state("batch_monitor") != "RUNNING":
                    instance.start_sensor("batch_monitor")
                if life == 0:
                    instance.launch_backfill(assets, [day.isoformat() for day in DAYS])
                instance.start_daemon()
            until = monotonic() + shop.draw.uniform(DAEMON_SECONDS / 2, DAEMON_SECONDS * 2)
            while monotonic() < until:
                sleep(shop.draw.uniform(1.0, 6.0))
                with suppress(InstanceError):  # a web server that was killed does not answer
                    shop.killed += shop.draw.choice(running).kill_run_workers()
            for instance in running:
                if shop.draw.random() < 0.5:
                    instance.kill()
                    shop.killed += 1
        shop.killed += homes


@contextmanager
def _held_connections(port: int, count: int) -> Generator[None]:
    """Hold connections that send half of a head, so that the inbox has none for deliveries."""
    with ExitStack() as held:
        for _ in range(count):
            try:
                connection = socket.create_connection(("127.0.0.1", port), timeout=5)
            except OSError:  # it is not up yet, or takes no more
                sleep(0.01)
                continue
            held.enter_context(connection)
            with suppress(OSError):
                connection.sendall(b"POST /hooks/x HTTP/1.1\r\n")
        yield


@contextmanager
def _mounted(folder: Path) -> Generator[None]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(path: Path, *, leave: int) -> None:
    """Write a file that leaves so many bytes free."""
    free = shutil.disk_usage(path.parent).free
    try:
        path.write_bytes(bytes(max(free - leave, 0)))
    except OSError:
        return


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
