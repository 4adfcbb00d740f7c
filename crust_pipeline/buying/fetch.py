"""Fetch: bring a job's file from the vendor to our disk, and what such files are called there."""

import gzip
import hashlib
import os
import shutil
import zlib
from pathlib import Path

from crust_pipeline.buying.account import Account
from crust_pipeline.errors import CrustError
from crust_pipeline.private_files import make_private_folder, open_private
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.models import Job, JobStatus

_LINE_END = gzip.compress(b"\n", mtime=0)


class FileCheckError(CrustError):
    """The job, or the file that came, is not what the vendor says it is."""

    def __init__(self, problem: str, *, sha256: str | None = None) -> None:
        """Say what is wrong; `sha256` is the file's, to know it when it is met again."""
        super().__init__(problem)
        self.sha256 = sha256


def file_name(vendor: str, operation: str, submission_id: str) -> str:
    """Return where a batch's file is kept, below the raw folder."""
    return f"{vendor}/{operation}/{submission_id}.jsonl.gz"


def next_name(raw: Path, first: str) -> str:
    """Return a name, numbered where a file has it already: files that were kept never change."""
    name, number = first, 1
    while (kept := raw / name).exists() and not kept.stat().st_mode & 0o200:
        number += 1
        name = first.replace(".jsonl", f".{number}.jsonl")
    return name


def has_file(job: Job) -> bool:
    """Return whether a completed job has a file; it has none when nothing was found.

    Raises:
        FileCheckError: the job is not completed.
        LinkDead: the job has results and no link to them.
    """
    if job.status is not JobStatus.COMPLETED:
        raise FileCheckError(
            f"the vendor said the job is completed, and now that it is {job.status}"
        )
    # With nothing found the vendor may still give a link, to an object that was never written.
    if job.result_count == 0 and not job.entities_fulfilled:
        return False
    if not (job.download_url or job.download_urls):
        if job.result_count is None and job.entities_fulfilled == 0:
            return False
        raise errors.LinkDead("The job has results, but the vendor gives no link to them")
    return True


def fetch_file(account: Account, job: Job, to: Path, *, take_what_comes: bool) -> tuple[int, str]:
    """Bring a job's merged file to `to`, or its parts put together: gzip members may follow.

    Args:
        account: the account.
        job: the job, which has a file.
        to: where the file belongs.
        take_what_comes: keep the beginning of a file that breaks off again and again.

    Returns:
        Its size in bytes and its SHA-256.

    Raises:
        VendorError: it cannot be fetched now.
        OSError: it cannot be written.
    """
    make_private_folder(to.parent)
    if job.download_url:
        merged = account.client.download(job.download_url, to, take_what_comes=take_what_comes)
        return merged.bytes, merged.sha256
    whole = to.with_suffix(".parts")
    with open_private(whole) as out:
        for number, url in enumerate(job.download_urls):
            part = to.with_suffix(f".part{number}")
            account.client.download(url, part, take_what_comes=take_what_comes)
            with part.open("rb") as source:
                shutil.copyfileobj(source, out)
            if _breaks_off_in_a_line(part):
                out.write(_LINE_END)
            part.unlink()
        out.flush()
        os.fsync(out.fileno())
    whole.replace(to)
    return to.stat().st_size, sha256_of(to)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_whole(path: Path, sha256: str | None) -> bool:
    """Return whether a file is on our disk as it was when this was its SHA-256."""
    try:
        return sha256_of(path) == sha256
    except FileNotFoundError:
        return False


def _breaks_off_in_a_line(part: Path) -> bool:
    """Return whether the next part's first line would be taken for the rest of this one's last."""
    end = b"\n"
    try:
        with gzip.open(part) as text:
            while chunk := text.read(1 << 20):
                end = chunk
    except (OSError, EOFError, zlib.error):
        return False  # broken: what reads the whole says so
    return not end.endswith(b"\n")
