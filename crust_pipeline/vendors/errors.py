"""What can go wrong between us and a vendor: one class for each reaction a caller may have.

    VendorError
    ├── NotSent            nothing reached the vendor: send it again later
    ├── MaybeStarted       a paid request whose fate nobody knows: reconcile, never re-send blindly
    ├── Unavailable        a free read failed: ask again later
    ├── InvalidKey         stop and ask for another key
    ├── OutOfCredits       stop spending until the account is topped up
    ├── NotPermitted       stop this operation only, the plan does not include it
    ├── NotUnderstood      stop this operation until a person has read why
    ├── FieldsDenied       ask again without those fields
    ├── InvalidRequest     mend the request
    │   └── FieldsUnsupported   mend the fields: it says which there are
    ├── RateLimited        wait that long
    ├── SlotsFull          wait until an active job of the account ends
    ├── NotFound           the vendor knows no such thing
    ├── LinkDead           ask for the job again, its answer may carry a fresh link
    └── DownloadBroken     the file would not come over whole: download again later

Nothing else belongs here. How a response becomes one of these is in `vendors/http.py`.
"""

# ruff: noqa: N818 - every class is an error, and each name says what is the case

import re
from decimal import Decimal
from typing import Final, TypedDict, Unpack

from crust_pipeline.errors import CrustError

_REQUEST_ID: Final = re.compile(r" \[request [^\]]*\]$")


class Circumstances(TypedDict, total=False):
    """What is known of the response that an error was made from; see `VendorError`."""

    status: int | None
    vendor_message: str
    request_id: str | None
    credits_used: Decimal | None


class VendorError(CrustError):
    """A request to a vendor did not do what it should.

    The text is safe to log: it holds no key, address, link or person's data.

    Attributes:
        status: the HTTP status, None when no response came.
        vendor_message: the vendor's own words, masked, at most 300 characters; "" if it had none.
        request_id: the vendor's id of the request, for its support and for its usage report.
        credits_used: what the vendor says it charged all the same; None if it does not say.
    """

    def __init__(self, text: str = "", **circumstances: Unpack[Circumstances]) -> None:
        """Say what happened in a sentence without its full stop."""
        super().__init__(text)
        self.status = circumstances.get("status")
        self.vendor_message = circumstances.get("vendor_message", "")
        self.request_id = circumstances.get("request_id")
        self.credits_used = circumstances.get("credits_used")

    def __str__(self) -> str:
        """Return the sentence, then the status, the vendor's words, charge and request id."""
        text = super().__str__() or type(self).__name__
        if self.status is not None:
            text += f" (HTTP {self.status})"
        if self.vendor_message:
            text += f": {self.vendor_message}"
        if self.credits_used:
            text += f"; it charged {self.credits_used.normalize():f} credits"
        if self.request_id:
            text += f" [request {self.request_id}]"
        return text


def without_request_id(text: str) -> str:
    """Return what an error says without its request id, by which no two are the same."""
    return _REQUEST_ID.sub("", text)


class NotSent(VendorError):
    """The request cannot have reached the vendor, so nothing started and nothing is billed."""


class MaybeStarted(VendorError):
    """A paid request may have been taken: a job may be running and billed."""


class Unavailable(VendorError):
    """A free request failed on the way or at the vendor."""


class InvalidKey(VendorError):
    """The vendor does not accept the API key."""


class OutOfCredits(VendorError):
    """The account has too few credits left."""


class NotPermitted(VendorError):
    """The account's plan does not include this endpoint."""


class NotUnderstood(VendorError):
    """The vendor refused a paid request with words that nobody has taught us; nothing started."""


class FieldsDenied(VendorError):
    """The account may not ask for some of the fields; the vendor refused the whole request.

    Attributes:
        fields: the denied fields as the vendor names them.
    """

    def __init__(
        self,
        text: str = "",
        *,
        fields: tuple[str, ...] = (),
        **circumstances: Unpack[Circumstances],
    ) -> None:
        """Say what happened, and which fields were denied."""
        super().__init__(text, **circumstances)
        self.fields = fields


class InvalidRequest(VendorError):
    """The vendor refused the request as it was written."""


class FieldsUnsupported(InvalidRequest):
    """The request asked for a field that does not exist.

    Attributes:
        fields: what the vendor's words call unknown; () if they name nothing.
        available_fields: all fields that exist; () if the vendor does not list them.
    """

    def __init__(
        self,
        text: str = "",
        *,
        fields: tuple[str, ...] = (),
        available_fields: tuple[str, ...] = (),
        **circumstances: Unpack[Circumstances],
    ) -> None:
        """Say what happened, which fields are meant, and which there are."""
        super().__init__(text, **circumstances)
        self.fields = fields
        self.available_fields = available_fields


class RateLimited(VendorError):
    """Too many requests in the vendor's window.

    Attributes:
        retry_after_seconds: when the window has room again.
    """

    def __init__(
        self,
        text: str = "",
        *,
        retry_after_seconds: float = 10.0,
        **circumstances: Unpack[Circumstances],
    ) -> None:
        """Say what happened, and how long to wait."""
        super().__init__(text, **circumstances)
        self.retry_after_seconds = retry_after_seconds


class SlotsFull(VendorError):
    """The account has as many active jobs as it may have; a job must end first.

    Attributes:
        retry_after_seconds: when the vendor suggests to try again, None if it does not say.
    """

    def __init__(
        self,
        text: str = "",
        *,
        retry_after_seconds: float | None = None,
        **circumstances: Unpack[Circumstances],
    ) -> None:
        """Say what happened, and how long the vendor says to wait."""
        super().__init__(text, **circumstances)
        self.retry_after_seconds = retry_after_seconds


class NotFound(VendorError):
    """The vendor knows no such thing, or this key may not see it."""


class LinkDead(VendorError):
    """The storage does not serve this link: it expired, or no file was ever written."""


class TargetRefused(VendorError):
    """A link leads to where downloads do not go: inside this network, or without encryption."""


class OutOfBounds(VendorError):
    """A file is larger than any that was bought, or does not end."""


class DownloadBroken(VendorError):
    """The file did not come over whole, even after resuming and starting over."""
