"""A result file, brought from the vendor's storage to disk: streamed, resumed, whole or not at all.

The storage is another host than the API. It gets no header of the API's, and neither does any host
it redirects to: links are signed, and a second authorisation makes the storage refuse them.
"""

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import httpx

from crust_pipeline.private_files import open_private
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.http import new_client, tls
from crust_pipeline.vendors.models import Downloaded
from crust_pipeline.vendors.parsing import whole_number
from crust_pipeline.vendors.targets import Resolve, Targets, resolve_name

DOWNLOAD_TIMEOUT: Final = httpx.Timeout(120.0, connect=10.0)
RETRY_WAITS_SECONDS: Final = (1.0, 2.0, 4.0)
MOST_REDIRECTS: Final = 5
# Full records of the 10,000 people of the largest batch take some 100 MB, compressed.
MOST_FILE_BYTES: Final = 4 << 30
# Time-outs watch over each piece of a file; one that comes in drops would keep all others waiting.
MOST_SECONDS: Final = 1800.0

# Refusals that say "not now" and not "not this link".
_NOT_NOW: Final = frozenset({408, 416, 425, 429})

_Ask = Callable[[str, dict[str, str]], AbstractContextManager[httpx.Response]]


class Storage:
    """The vendor's storage, as far as it may be asked."""

    def __init__(
        self,
        *,
        api: str,
        user_agent: str,
        transport: httpx.BaseTransport | None = None,
        resolve: Resolve | None = None,
        sleep: Callable[[float], None],
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            api: the API's base URL: files may come from inside its network only if it is there.
            user_agent: names this program.
            transport: takes the place of the network in tests; names are not resolved then.
            resolve: takes the place of the system's resolver in tests.
            sleep: waits that many seconds between two attempts.
        """
        # A client with a transport asks no proxy: it connects to the address that was checked.
        limits = httpx.Limits(max_keepalive_connections=0)
        network = httpx.HTTPTransport(verify=tls(), limits=limits)
        self._direct = new_client(transport or network, user_agent=user_agent)
        self._by_environment = new_client(transport, user_agent=user_agent)
        self._targets = Targets(api=api, resolve=resolve or _resolver(transport))
        self._sleep = sleep

    def close(self) -> None:
        """Close all connections."""
        self._direct.close()
        self._by_environment.close()

    def download(self, url: str, to: Path, *, take_what_comes: bool = False) -> Downloaded:
        """Bring the file behind `url` to `to`, which appears only when all of it is safe on disk.

        Args:
            url: the signed link.
            to: where the file belongs.
            take_what_comes: keep the beginning of a file that breaks off again and again.

        Raises:
            LinkDead: the storage does not serve the link.
            TargetRefused: the link leads to where downloads do not go.
            OutOfBounds: the file is larger than any that was bought, or does not end.
            DownloadBroken: the file did not come over whole, however often it was resumed.
            Unavailable: the storage cannot be reached or fails.
            OSError: the disk is full or may not be written.
        """
        unfinished = to.with_name(f".{uuid.uuid4().hex}.part")
        try:
            with open_private(unfinished) as file:
                transfer = _Transfer(self._following_redirects, url, file)
                for wait_seconds in RETRY_WAITS_SECONDS:
                    try:
                        transfer.go_on()
                    except (errors.Unavailable, errors.DownloadBroken):
                        self._sleep(wait_seconds)
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

    @contextmanager
    def _following_redirects(self, url: str, headers: dict[str, str]) -> Generator[httpx.Response]:
        address = httpx.URL(url)
        for _ in range(MOST_REDIRECTS + 1):
            response = self._get(address, headers)
            try:
                if not response.has_redirect_location:
                    yield response
                    return
                target = address.join(response.headers["location"])
            finally:
                response.close()
            if address.scheme == "https" and target.scheme != "https":
                raise errors.TargetRefused(
                    "The storage redirects to an address without encryption: it was not asked"
                )
            address = target
        raise errors.LinkDead("The storage redirects without end")

    def _get(self, url: httpx.URL, headers: dict[str, str]) -> httpx.Response:
        """Ask for one address, at the first of its machines that can be reached."""
        addresses = self._targets.addresses(url)
        if not addresses:
            return self._send(self._by_environment, url, headers)
        *others, last = addresses
        for address in others:
            try:
                return self._send(self._direct, url, headers, at=address)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return self._send(self._direct, url, headers, at=last)

    def _send(
        self, client: httpx.Client, url: httpx.URL, headers: dict[str, str], at: str | None = None
    ) -> httpx.Response:
        """Ask for one address; `at` the machine that was checked, but by its name."""
        request = client.build_request("GET", url, headers=headers, timeout=DOWNLOAD_TIMEOUT)
        if at is not None:
            request.extensions = {**request.extensions, "sni_hostname": url.host}
            request.url = url.copy_with(host=at)
        return client.send(request, stream=True)


class _Transfer:
    """A file on its way: what has arrived, and how much there is."""

    def __init__(self, ask: _Ask, url: str, file: BinaryIO) -> None:
        self._ask = ask
        self._url = url
        self._file = file
        self._etag: str | None = None
        self._until = time.monotonic() + MOST_SECONDS
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
            with self._ask(self._url, headers) as response:
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
                self._check_bounds()
        except httpx.HTTPError as error:
            raise errors.DownloadBroken(
                f"The download broke off after {self.received} bytes ({type(error).__name__})"
            ) from error
        if expected is not None and self.received != expected:
            raise errors.DownloadBroken(
                f"The download ended after {self.received} of {expected} bytes"
            )

    def _check_bounds(self) -> None:
        if self.received > MOST_FILE_BYTES:
            raise errors.OutOfBounds(
                f"The vendor's file has more than {MOST_FILE_BYTES >> 20:,} MB: no batch has that"
            )
        if time.monotonic() > self._until:
            raise errors.OutOfBounds(
                f"The vendor's file was still coming after {MOST_SECONDS / 60:.0f} minutes"
            )

    def _start_over(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.received = 0
        self.digest = hashlib.sha256()


def _resolver(transport: httpx.BaseTransport | None) -> Resolve:
    """Return what resolves names: nothing where tests take the place of the network."""
    return resolve_name if transport is None else lambda _host: ()


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
