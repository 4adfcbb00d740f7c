"""The storage behind the download links: an address of its own, as strict as S3 is."""

import hashlib
import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from crust_pipeline.sandbox.connection import CutShort
from crust_pipeline.sandbox.files import is_expired, is_signed
from crust_pipeline.sandbox.state import Sandbox
from crust_pipeline.sandbox.switches import FaultKind

PATH = "/{batch_id}/output/{name}"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_USUAL_SENT_SHARE = 0.5
_CODES = {403: "AccessDenied", 404: "NoSuchKey", 410: "Gone"}


def storage_route(sandbox: Sandbox) -> Route:
    """Return the route that serves result files."""

    # Not async: a file of 10,000 records takes a second, in which the API has to go on answering.
    def download(request: Request) -> Response:
        sandbox.requests["GET storage"] += 1
        return _download(sandbox, request)

    return Route(PATH, download, methods=["GET"])


def _download(sandbox: Sandbox, request: Request) -> Response:
    if refusal := _refusal(sandbox, request):
        return refusal
    if sandbox.faults.take(FaultKind.REDIRECT, PATH):
        return RedirectResponse(str(request.url), 307)
    job = sandbox.jobs.get(request.path_params["batch_id"])
    name = request.path_params["name"]
    body = sandbox.files.get(job, name, sandbox.switches) if job and job.settled else None
    if body is None:
        return _error(404, "NoSuchKey", "The specified key does not exist.")
    return _spoiled(sandbox, body) or _object(body, request.headers.get("range"))


def _refusal(sandbox: Sandbox, request: Request) -> Response | None:
    if "authorization" in request.headers:
        return _error(400, "InvalidArgument", "Only one auth mechanism allowed")
    if not is_signed(request.url.path, request.url.query):
        return _error(403, "SignatureDoesNotMatch", "The signature does not match")
    if is_expired(request.url.query, now=sandbox.refresh()):
        return _error(403, "AccessDenied", "Request has expired")
    if dead := sandbox.faults.take(FaultKind.DEAD_LINK, PATH):
        status = int(dead.value or 403)
        return _error(status, _CODES.get(status, "InternalError"), "This link works no longer")
    return None


def _object(body: bytes, wanted: str | None) -> Response:
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    headers = {"etag": f'"{etag}"', "accept-ranges": "bytes"}
    # No Content-Encoding: the file is gzip, the transfer is not (seen by users of the live API).
    kind = "application/gzip"
    span = _RANGE.fullmatch(wanted or "")
    if span is None:
        return Response(body, headers=headers, media_type=kind)
    start = int(span[1])
    if start >= len(body):
        headers["content-range"] = f"bytes */{len(body)}"
        return Response(status_code=416, headers=headers)
    end = min(int(span[2] or len(body) - 1), len(body) - 1)
    headers["content-range"] = f"bytes {start}-{end}/{len(body)}"
    return Response(body[start : end + 1], 206, headers=headers, media_type=kind)


def _spoiled(sandbox: Sandbox, body: bytes) -> Response | None:
    if cut := sandbox.faults.take(FaultKind.TRUNCATED_DOWNLOAD, PATH):
        share = _USUAL_SENT_SHARE if cut.value is None else cut.value
        return CutShort(body, sent=int(len(body) * share), media_type="application/gzip")
    if sandbox.faults.take(FaultKind.CORRUPT_DOWNLOAD, PATH):
        middle = len(body) // 2
        broken = (
            body[:middle] + bytes(b ^ 0x55 for b in body[middle : middle + 8]) + body[middle + 8 :]
        )
        return Response(broken, media_type="application/gzip")
    if sandbox.faults.take(FaultKind.WRONG_DOWNLOAD, PATH):
        return Response(b"<html><body>Please log in</body></html>", media_type="text/html")
    return None


def _error(status: int, code: str, message: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    return Response(body, status, media_type="application/xml")
