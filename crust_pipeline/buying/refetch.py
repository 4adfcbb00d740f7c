"""Refetch: ask the vendor again for the file of a batch, and use it if it is better.

Nothing is bought. The file that was settled first stays where it is; the better one lies beside it.
"""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from crust_pipeline.buying.account import Account
from crust_pipeline.buying.fetch import fetch_file, file_name, has_file, is_whole
from crust_pipeline.buying.land import Landed, land_now, landing_record, problem_of, settle_file
from crust_pipeline.errors import CrustError
from crust_pipeline.ledger import land as ledger_land
from crust_pipeline.ledger.land import SAID, KeptFile, LandedBatch
from crust_pipeline.ledger.states import BatchState
from crust_pipeline.private_files import keep_for_good
from crust_pipeline.vendors.landed import read_answers

# Batches whose job had ended with a file.
_HAD_A_FILE = frozenset({BatchState.LANDED, BatchState.LOADED, BatchState.EXPIRED})


class RefetchError(CrustError):
    """The file of a batch cannot be fetched again."""


class RefetchOutcome(StrEnum):
    """What fetching a batch's file again came to."""

    BETTER = "better"
    NO_BETTER = "no_better"
    WAITS = "waits"  # completed; a good file is still waited for


@dataclass(frozen=True, slots=True)
class Refetched:
    """What fetching a batch's file again came to, and the same in words."""

    outcome: RefetchOutcome
    told: str


def refetch(account: Account, submission_id: str) -> Refetched:
    """Fetch the file of a batch again, and settle the batch from it if it is better.

    It is better if it answers everybody whom the first one answers, and others who were asked for;
    or as many, when the first one is gone from our disk or damaged there.

    Args:
        account: the account that the batch was bought with.
        submission_id: the batch.

    Raises:
        LedgerError: there is no such batch.
        RefetchError: the batch has no file to fetch, or has changed meanwhile.
        VendorError: the vendor gives no file now.
        OSError: the file cannot be written.
    """
    landing = land_now(account, submission_id)
    if landing is not None:
        return _of_landing(landing)
    before = ledger_land.landed_batch(account.ledger, submission_id)
    if before.state not in _HAD_A_FILE:
        raise RefetchError(f"It is {before.state}: there is no file of it yet")
    if before.batch_id is None or account.product(before.product).is_synchronous:
        raise RefetchError("It was answered at once, without a job whose file could be fetched")
    job = account.client.job(before.batch_id)
    if not has_file(job):
        return Refetched(RefetchOutcome.NO_BETTER, "the vendor says that nothing was found")
    first = file_name(before.vendor, before.operation, submission_id)
    unjudged = account.raw / first.replace(".jsonl.gz", f".{uuid.uuid4().hex}.unfinished")
    try:
        size, sha256 = fetch_file(account, job, unjudged, take_what_comes=False)
        return _judged(
            account,
            before,
            unjudged,
            KeptFile(source_file=first, sha256=sha256, size_bytes=size),
            lines_expected=job.result_count,
        )
    finally:
        unjudged.unlink(missing_ok=True)


def _of_landing(landing: Landed) -> Refetched:
    if landing.landed:
        return Refetched(RefetchOutcome.BETTER, "its file has landed")
    if landing.later:
        return Refetched(RefetchOutcome.WAITS, f"{landing.trouble}")
    raise RefetchError("It has no file any more, or its job was another's; see its state")


def _judged(
    account: Account,
    before: LandedBatch,
    unjudged: Path,
    file: KeptFile,
    *,
    lines_expected: int | None,
) -> Refetched:
    """Compare a file with what is known, and keep and settle it if it is better."""
    first = before.source_file
    damaged = first is not None and not is_whole(account.raw / first, before.sha256)
    if file.sha256 == before.sha256 and not damaged:
        return Refetched(RefetchOutcome.NO_BETTER, "the vendor gives the same file")
    read = read_answers(unjudged, account.product(before.product).line)
    settled = settle_file(
        account,
        before.submission_id,
        product=before.product,
        fields=before.fields,
        read=read,
        lines_expected=lines_expected,
        adopted=before.adopted,
    )
    answered = {item.subject_key for item in settled or () if item.answer in SAID}
    if not (answered > before.answered or (damaged and answered >= before.answered)):
        lost = len(before.answered - answered)
        return Refetched(
            RefetchOutcome.NO_BETTER,
            f"the vendor's file answers {len(answered)} of those asked for, and the one we have "
            f"{len(before.answered)}" + (f", {lost} of whom are not in the new one" * bool(lost)),
        )
    name = _kept_beside(account, unjudged, file)
    kept = KeptFile(source_file=name, sha256=file.sha256, size_bytes=file.size_bytes)
    record = landing_record(kept, read, note=problem_of(read, lines_expected))
    if not ledger_land.record_refetched(
        account.ledger, before, record, settled=settled or (), now=account.now()
    ):
        raise RefetchError("It has changed while its file was fetched. Fetch it once more")
    return Refetched(
        RefetchOutcome.BETTER,
        f"the new file answers {len(answered)} of those asked for, and the one before "
        f"{len(before.answered)}. It lies beside that one"
        + (", which is gone from our disk or damaged" if damaged else ""),
    )


def _kept_beside(account: Account, unjudged: Path, file: KeptFile) -> str:
    """Give a file a name of its own beside those that are kept; no other process can take it."""
    number = 2
    while True:
        name = file.source_file.replace(".jsonl", f".{number}.jsonl")
        try:
            (account.raw / name).touch(exist_ok=False)
        except FileExistsError:
            number += 1
            continue
        unjudged.replace(account.raw / name)
        keep_for_good(account.raw / name)
        return name
