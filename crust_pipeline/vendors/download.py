"""A result file, brought from the vendor's storage to disk: streamed, resumed, whole or not at all.

The storage is another host than the API. It gets no header of the API's, and neither does any host
it redirects to: links are signed, and a second authorisation makes the storage refuse them.
"""

import hashlib
import os
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import httpx

from crust_pipeline.vendors import errors
from crust_pipeline.vendors.models import Downloaded
from crust_pipeline.vendors.parsing import whole_number

DOWNLOAD_TIMEOUT: Final = httpx.Timeout(120.0, connect=10.0)
RETRY_WAITS_SECONDS: Final = (1.0, 2.0, 4.0)
MOST_REDIRECTS: Final = 5

# Refusals that say "not now" and not "not this link".
_NOT_NOW: Final = frozenset({408, 416, 425, 429})


def download(
    client: httpx.Client,
    url: str,
    to: Path,
    *,
    sleep: Callable[[float], None],
    take_what_comes: bool = False,
) -> Downloaded:
    """Bring the file behind `url` to `to`, which appears only when all of it is safe on disk.

    Args:
        client: for the storage; has no header of the API's.
        url: the signed link.
        to: where the file belongs.
        sleep: waits that many seconds between two attempts.
        take_what_comes: keep the beginning of a file that breaks off again and again.

    Raises:
        LinkDead: the storage does not serve the link.
        DownloadBroken: the file did not come over whole, however often it was resumed.
        Unavailable: the storage cannot be reached or fails.
        OSError: the disk is full or may not be written.
    """
    unfinished = to.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with unfinished.open("wb") as file:
            transfer = _Transfer(client, url, file)
            for wait_seconds in RETRY_WAITS_SECONDS:
                try:
                    transfer.go_on()
                except (errors.Unavailable, errors.DownloadBroken):
                    sleep(wait_seconds)
                else:
                    break
            else:
                try:
                    transfer.go_on()
                except errors.DownloadBroken:
                    if not take_what_comes:
                        raise
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(to)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(to.parent)
    return Downloaded(bytes=transfer.received, sha256=transfer.digest.hexdigest())


class _Transfer:
    """A file on its way: what has arrived, and how much there is."""

    def __init__(self, client: httpx.Client, url: str, file: BinaryIO) -> None:
        self._client = client
        self._url = url
        self._file = file
        self._etag: str | None = None
        self.received = 0
        self.digest = hashlib.sha256()

    def go_on(self) -> None:
        """Fetch what is missing; return when all is there."""
        # Compression on the way would change the bytes that are kept and their count.
        headers = {"accept-encoding": "identity"}
        if self.received:
            headers["range"] = f"bytes={self.received}-"
            if self._etag:
                headers["if-range"] = self._etag
        try:
            with _following_redirects(self._client, self._url, headers) as response:
                self._take(response)
        except httpx.InvalidURL:
            raise errors.LinkDead("The vendor's link is not an address") from None
        except httpx.HTTPError as error:
            raise errors.Unavailable(
                f"The storage could not be reached ({type(error).__name__})"
            ) from error

    def _take(self, response: httpx.Response) -> None:
        status = response.status_code
        if response.is_client_error and status not in _NOT_NOW:
            raise errors.LinkDead("The storage does not serve this link", status=status)
        resumes = status == 206 and _continues_at(self.received, response)
        if status in {200, 206, 416} and not resumes:
            self._start_over()
        if status != 200 and not resumes:
            raise errors.Unavailable("The storage did not deliver the file", status=status)
        self._etag = _strong_etag(response)
        length = whole_number(response.headers.get("content-length"))
        expected = None if length is None else self.received + length
        try:
            for chunk in response.iter_raw():
                self._file.write(chunk)
                self.digest.update(chunk)
                self.received += len(chunk)
        except httpx.HTTPError as error:
            raise errors.DownloadBroken(
                f"The download broke off after {self.received} bytes ({type(error).__name__})"
            ) from error
        if expected is not None and self.received != expected:
            raise errors.DownloadBroken(
                f"The download ended after {self.received} of {expected} bytes"
            )

    def _start_over(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.received = 0
        self.digest = hashlib.sha256()


@contextmanager
def _following_redirects(
    client: httpx.Client, url: str, headers: dict[str, str]
) -> Generator[httpx.Response]:
    address = httpx.URL(url)
    for _ in range(MOST_REDIRECTS + 1):
        with client.stream("GET", address, headers=headers, timeout=DOWNLOAD_TIMEOUT) as response:
            if not response.has_redirect_location:
                yield response
                return
            target = address.join(response.headers["location"])
        if address.scheme == "https" and target.scheme != "https":
            raise errors.LinkDead("The storage redirects to an address without encryption")
        address = target
    raise errors.LinkDead("The storage redirects without end")


def _continues_at(position: int, response: httpx.Response) -> bool:
    content_range = response.headers.get("content-range", "")
    return content_range.startswith(f"bytes {position}-")


def _strong_etag(response: httpx.Response) -> str | None:
    etag = response.headers.get("etag")
    return etag if etag and not etag.startswith("W/") else None


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
