"""Scratch folders: gone at the end of a step, or, when its process was killed, at the next one."""

import errno
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from crust_pipeline.errors import DiskFullError
from crust_pipeline.tables.flatten import flattening
from crust_pipeline.tables.flatten.files import ReadFile
from crust_pipeline.tables.store.lake import Lake
from crust_pipeline.tables.store.scratch import Scratch
from crust_pipeline_tests.tables.landing import enriched, flattened, landed, url

_HOLDS_ONE = """
import sys
from pathlib import Path
from crust_pipeline.tables.store.scratch import Scratch

with Scratch(Path(sys.argv[1])).folder("flatten") as folder:
    (folder / "0.spool").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path / "scratch")


@contextmanager
def held_elsewhere(scratch: Scratch) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Hold a scratch folder in another process."""
    command = [sys.executable, "-c", _HOLDS_ONE, str(scratch.root)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_a_folder_of_a_process_that_lives_stays(scratch: Scratch) -> None:
    with held_elsewhere(scratch) as (_, folder):
        scratch.remove_abandoned()
        assert (folder / "0.spool").exists()
        usage = scratch.usage()
        assert (usage.folders, usage.abandoned, usage.size_bytes) == (1, 0, 1000)


def test_a_folder_of_a_process_that_was_killed_goes_with_the_next_step(scratch: Scratch) -> None:
    with held_elsewhere(scratch) as (process, folder):
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert scratch.usage().abandoned == 1
        with scratch.folder("flatten") as ours:
            assert not folder.exists()
            assert ours.exists()
    assert scratch.usage().folders == 0


def test_flattening_spools_beside_the_lake_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spools: list[Path] = []
    read_lines = flattening.read_lines

    def noting(read: ReadFile) -> pa.Table:
        spools.append(read.spool)
        return read_lines(read)

    monkeypatch.setattr(flattening, "read_lines", noting)
    flattened(tmp_path, landed(tmp_path, [enriched("a")], asked=[url("a")]))
    (spool,) = spools
    assert spool.parent.parent == tmp_path / "scratch"
    assert Scratch(tmp_path / "scratch").usage().folders == 0


def test_a_full_disk_is_told_with_its_folder(scratch: Scratch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(DiskFullError, match=f"No space is left in {scratch.root}"):  # noqa: SIM117
        with scratch.folder("flatten"):
            raise full
    assert scratch.usage().folders == 0


def test_a_lake_that_may_only_be_read_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "scratch").write_text("a file where the folder should be")
    with Lake(tmp_path / "lake").connect() as connection:
        assert connection.execute("SELECT count(*) FROM people").fetchall() == [(0,)]
