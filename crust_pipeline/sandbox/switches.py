"""What the vendor's documents leave open (`Switches`) and what can go wrong (`Fault`).

Every default is the reading of the documents that the vendor's own examples support best. Both are
plain data, so a JSON file, a test or a control request sets them the same way.
"""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Literal, get_args, get_origin, get_type_hints

from crust_pipeline.sandbox.refusals import RefusalBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """One choice for each thing the documents do not settle, and the limits of the account.

    Attributes:
        submit_status: HTTP status of an accepted batch.
        contact_lines: Shape of a contact line: flat as observed, or the documented envelope.
        contact_unrequested: What a contact line holds for fields nobody asked for.
        contact_emails: How a contact line writes addresses: objects, texts, or one text for one.
        contact_phones: Whether users' finding holds that there are addresses among the numbers.
        contact_narrowing: Whether asking for one contact tier is honoured, or brings and bills all.
        identify_lines: Shape of an identify line: current, or before `match_status` existed.
        identify_matches: Whether an identifier may lead to several people, with less confidence.
        sync_answers: Shape of a sync answer: a list, or the older one that wraps it in `results`.
        bad_fields_metadata: Whether the list of available fields comes in a list of one object.
        no_credits_status: HTTP status when the balance does not suffice.
        out_of_credits: What a job does when the balance ends before its records do.
        retry_after: Add `retry-after` to every 429.
        non_uuid_batch_status: Answer to a batch id that is no UUID.
        completed_at_before_end: `completed_at` of a job that has not ended.
        zero_results_link: Link of a completed job without results.
        parts: `chunk_size` rows per part, or one part.
        line_order: Order of the lines in a file.
        duplicates: Equal identifiers in one submission: one line and one bill each, or collapsed.
        charged: When a batch is billed; at submit, the worst case is taken and the rest refunded.
        links_renewed: Whether each status answer signs fresh links.
        webhook: The callback when a job ends; `early` comes before the status says so.
        webhook_on_failed: Whether a failed job calls back.
        identify_action: `action` of identify jobs.
        emails_match_type: `match_type` of identifiers sent as `emails`.
        sync_fields: Whether the fields of a sync enrich replace the defaults or add to them.
        unknown_keys: What happens to a body with keys the documents do not name.
        preview_enabled: Whether the account has the preview feature.
        disabled_endpoints: Paths that answer 403.
        refusal: The words of a refusal of every request that sells; "" for none.
        refusal_status: HTTP status of that refusal.
        refusal_credits: What `x-credits-used` says that it cost, and is taken for it.
        refusal_body: Shape of every refusal: documented, as frameworks write it, or as a proxy.
        refused_word: What the list of endpoints calls one that is not on the plan.
        endpoints_listed: Whether the account may list its endpoints.
        denied_fields: Fields that make a request naming them answer 403.
        max_active_jobs: Pending and processing jobs allowed per account.
        link_days: Life of a download link, in days of the sandbox's clock.
        rate_limit_rpm: Requests per minute allowed on every path not in `rate_limits_rpm`.
        rate_limits_rpm: Requests per minute by path.
        token_limit_rpm: Requests per minute over all paths; None: no such limit.
        job_seconds: Durations that jobs take in turn; (): by the size of each.
        time_scale: Divides the duration of every job.
        instant_jobs: Jobs end the moment they are accepted.
    """

    submit_status: Literal[200, 202] = 200
    contact_lines: Literal["flat", "envelope"] = "flat"
    contact_unrequested: Literal["absent", "empty"] = "absent"
    contact_emails: Literal["objects", "texts", "one_text"] = "objects"
    contact_phones: Literal["clean", "with_emails"] = "clean"
    contact_narrowing: Literal["honoured", "ignored"] = "honoured"
    identify_lines: Literal["current", "old"] = "current"
    identify_matches: Literal["one", "several"] = "one"
    sync_answers: Literal["list", "wrapped"] = "list"
    bad_fields_metadata: Literal["list", "object"] = "list"
    no_credits_status: Literal[402, 403] = 402
    out_of_credits: Literal["partial", "failed"] = "partial"
    retry_after: bool = False
    non_uuid_batch_status: Literal[404, 400] = 404
    completed_at_before_end: Literal["null", "absent"] = "null"
    zero_results_link: Literal["dead", "absent"] = "dead"
    parts: Literal["by_chunk", "one"] = "by_chunk"
    line_order: Literal["shuffled", "input"] = "shuffled"
    duplicates: Literal["kept", "collapsed"] = "kept"
    charged: Literal["at_completion", "at_submit"] = "at_completion"
    links_renewed: bool = True
    webhook: Literal["plain", "signed", "duplicate", "never", "early"] = "plain"
    webhook_on_failed: bool = True
    identify_action: str = "identify"
    emails_match_type: Literal["business_email", "email"] = "business_email"
    sync_fields: Literal["whitelist", "plus_defaults"] = "whitelist"
    unknown_keys: Literal["rejected", "ignored"] = "rejected"
    preview_enabled: bool = False
    disabled_endpoints: tuple[str, ...] = ()
    refusal: str = ""
    refusal_status: int = 400
    refusal_credits: float = 0
    refusal_body: RefusalBody = "documented"
    refused_word: Literal["not_enabled", "disabled", "on_request"] = "not_enabled"
    endpoints_listed: bool = True
    denied_fields: tuple[str, ...] = ()
    max_active_jobs: int = 5
    link_days: float = 5.0
    rate_limit_rpm: int = 6000
    rate_limits_rpm: Mapping[str, int] = field(default_factory=dict[str, int])
    token_limit_rpm: int | None = None
    job_seconds: tuple[float, ...] = ()
    time_scale: float = 1.0
    instant_jobs: bool = False

    def with_changes(self, changes: Mapping[str, Any]) -> "Switches":
        """Return a copy with some switches set, from JSON or from keyword arguments.

        Raises:
            ValueError: A switch that does not exist, or a value it does not have.
        """
        hints = get_type_hints(Switches)
        clean: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in hints:
                raise ValueError(f"no switch {name!r}; there are: {', '.join(sorted(hints))}")
            choices = get_args(hints[name]) if get_origin(hints[name]) is Literal else ()
            if choices and value not in choices:
                raise ValueError(f"switch {name!r} is one of {list(choices)}, not {value!r}")
            clean[name] = tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # JSON
        return replace(self, **clean)

    def as_json(self) -> dict[str, Any]:
        """Return all switches as JSON values."""
        return asdict(self)


class FaultKind(StrEnum):
    """What can go wrong, by the place where it does."""

    # A request, before anything is accepted.
    SLOW = "slow"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    CONNECTION_LOST = "connection_lost"
    # A sale that was carried out: the job runs, the bill comes.
    SERVER_ERROR_AFTER_ACCEPT = "server_error_after_accept"
    CONNECTION_LOST_AFTER_ACCEPT = "connection_lost_after_accept"
    SLOW_AFTER_ACCEPT = "slow_after_accept"
    NO_BATCH_ID = "no_batch_id"
    # Any request that was carried out.
    EMPTY_ANSWER = "empty_answer"
    UNREADABLE_ANSWER = "unreadable_answer"
    # A job, decided when it is accepted.
    JOB_FAILS = "job_fails"
    JOB_NEVER_ENDS = "job_never_ends"
    # The lines of a job's file, decided when it is accepted.
    MALFORMED_LINES = "malformed_lines"
    NUL_BYTES = "nul_bytes"
    WRONG_TYPES = "wrong_types"
    UNASKED_LINES = "unasked_lines"
    DUPLICATE_LINES = "duplicate_lines"
    WRONG_PERSON = "wrong_person"
    # A download.
    TRUNCATED_DOWNLOAD = "truncated_download"
    CORRUPT_DOWNLOAD = "corrupt_download"
    WRONG_DOWNLOAD = "wrong_download"
    DEAD_LINK = "dead_link"
    REDIRECT = "redirect"


JOB_FAULTS = (FaultKind.JOB_FAILS, FaultKind.JOB_NEVER_ENDS)
LINE_FAULTS = (
    FaultKind.MALFORMED_LINES,
    FaultKind.NUL_BYTES,
    FaultKind.WRONG_TYPES,
    FaultKind.UNASKED_LINES,
    FaultKind.DUPLICATE_LINES,
    FaultKind.WRONG_PERSON,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong a number of times.

    Attributes:
        kind: What goes wrong.
        path: Only on this route, such as `/batch/{batch_id}`; None: anywhere.
        skip: How many requests it would fit pass unharmed first.
        times: How many it then hits; None: all.
        value: Seconds of `slow`; status of `server_error` and `dead_link`; rows of a fault in the
            lines; share of the body that `truncated_download` sends. None: a usual value.
    """

    kind: FaultKind
    path: str | None = None
    skip: int = 0
    times: int | None = 1
    value: float | None = None

    @staticmethod
    def from_json(item: Mapping[str, Any]) -> "Fault":
        """Return a fault from JSON such as `{"fault": "dead_link", "times": 2, "value": 410}`.

        Raises:
            ValueError: An unknown fault or key.
        """
        allowed = {"fault"} | {f.name for f in fields(Fault)} - {"kind"}
        if unknown := set(item) - allowed:
            raise ValueError(f"a fault has no {sorted(unknown)}; it has {sorted(allowed)}")
        rest = {name: value for name, value in item.items() if name != "fault"}
        return Fault(kind=FaultKind(item.get("fault", "")), **rest)

    def as_json(self) -> dict[str, Any]:
        """Return the fault as `from_json` reads it."""
        rest = {name: value for name, value in asdict(self).items() if name != "kind"}
        return {"fault": self.kind.value, **rest}


class Faults:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        """Start with nothing going wrong."""
        self._pending: list[Fault] = []
        self._lock = threading.Lock()

    def set(self, faults: list[Fault]) -> None:
        """Replace what is to happen."""
        with self._lock:
            self._pending = list(faults)

    def add(self, fault: Fault) -> None:
        """Let one more thing go wrong."""
        with self._lock:
            self._pending.append(fault)

    def pending(self) -> list[Fault]:
        """Return the faults that are still to come."""
        with self._lock:
            return list(self._pending)

    def take(self, kind: FaultKind, path: str) -> Fault | None:
        """Use up and return the fault of this kind that applies to a request on `path`."""
        with self._lock:
            for index, fault in enumerate(self._pending):
                if fault.kind is not kind or fault.path not in (None, path):
                    continue
                if fault.skip:
                    self._pending[index] = replace(fault, skip=fault.skip - 1)
                    continue
                if fault.times is not None:
                    left = replace(fault, times=fault.times - 1)
                    self._pending[index : index + 1] = [left] if left.times else []
                return fault
        return None
