"""`crust-pipeline refetch`: what a bad file hid comes into the tables, and nothing is bought."""

import gzip
import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from crust_pipeline.buying import land
from crust_pipeline.sandbox.serve import RunningSandbox
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.models import Downloaded
from crust_pipeline_tests.command_line import Ended, crust
from crust_pipeline_tests.people import DAYS

RUN = ["run", "--from", str(DAYS[0]), "--to", str(DAYS[2]), "--operation", "enrich"]


def count(settings: dict[str, str], query: str) -> int:
    (row,) = crust("sql", f"SELECT count(*) AS n FROM {query}", "--json", settings=settings).json
    return row["n"]


def batch_ids(settings: dict[str, str]) -> list[str]:
    query = "SELECT submission_id FROM batches ORDER BY submission_id"
    rows = crust("sql", query, "--json", settings=settings).json
    return [row["submission_id"] for row in rows]


@pytest.fixture
def landed_short(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Ended:
    """A run whose one file lacks half of its lines, and was taken for all that."""
    download: Callable[..., Downloaded] = CrustdataClient.download

    def cut(client: CrustdataClient, url: str, to: Path, **how: bool) -> Downloaded:
        download(client, url, to, **how)
        lines = gzip.decompress(to.read_bytes()).splitlines(keepends=True)
        content = gzip.compress(b"".join(lines[: len(lines) // 2]), mtime=0)
        to.write_bytes(content)
        return Downloaded(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    with monkeypatch.context() as patch:
        patch.setattr(CrustdataClient, "download", cut)
        patch.setattr(land, "TRIES_OF_SHORT_FILE", 1)
        patch.setattr(land, "PATIENCE_WITH_SHORT_FILE", timedelta(0))
        return crust(*RUN, settings=settings)


def test_the_tables_follow_the_better_file(
    settings: dict[str, str], landed_short: Ended, sandbox: RunningSandbox
) -> None:
    assert landed_short.code == 1
    (batch,) = batch_ids(settings)
    people, failed = count(settings, "people"), count(settings, "outcomes WHERE outcome = 'failed'")
    assert people
    assert failed

    done = crust("refetch", batch, settings=settings)

    assert done.code == 0
    assert f"Batch {batch}: the new file answers" in done.out
    assert count(settings, "people") > people
    assert count(settings, "outcomes WHERE outcome = 'failed'") == 0
    assert set(sandbox.state.times_submitted().values()) == {1}
    assert crust("warehouse", "verify", settings=settings).code == 0
    assert crust(*RUN, settings=settings).code == 0


@pytest.mark.usefixtures("landed_short")
def test_status_names_what_may_be_fetched_again(settings: dict[str, str]) -> None:
    (batch,) = batch_ids(settings)
    assert f"`crust-pipeline refetch {batch}`" in crust("status", settings=settings).out
    (told,) = crust("status", "--json", settings=settings).json["incomplete"]
    assert told["submission_id"] == batch
    crust("refetch", batch, settings=settings)
    assert "refetch" not in crust("status", settings=settings).out


@pytest.mark.usefixtures("landed_short")
def test_a_batch_that_there_is_not_stops_no_other(settings: dict[str, str]) -> None:
    (batch,) = batch_ids(settings)
    done = crust("refetch", "0" * 32, batch, "--json", settings=settings)
    assert done.code == 1
    assert done.json["batches"][batch]["outcome"] == "better"
    assert "no batch" in done.err


def test_a_file_that_is_no_better_changes_nothing_and_is_no_failure(
    settings: dict[str, str],
) -> None:
    assert crust(*RUN, settings=settings).code == 0
    (batch,) = batch_ids(settings)
    done = crust("refetch", batch, settings=settings)
    assert done.code == 0
    assert "the vendor gives the same file. Nothing is changed." in done.out
