"""The states of a batch, the steps between them, and which of them hold a vendor slot."""

from enum import StrEnum

from crust_pipeline.errors import CrustError


class BatchState(StrEnum):
    """The life of a batch (see the picture in docs/ledger.md)."""

    PLANNED = "planned"
    SUBMITTING = "submitting"
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    LANDED = "landed"
    LOADED = "loaded"
    FAILED = "failed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


class Verdict(StrEnum):
    """What the plan decided for one input row."""

    ASK = "ask"
    AWAIT = "await"  # its e-mail is being identified; planned again by itself when that is known
    REUSE = "reuse"
    DUPLICATE = "duplicate"
    INVALID_INPUT = "invalid_input"
    SUPPRESSED = "suppressed"
    OVER_BUDGET = "over_budget"
    NOT_PERMITTED = "not_permitted"


class Answer(StrEnum):
    """What the vendor's file says about one identifier; each is also an outcome."""

    MATCHED = "matched"
    NOT_FOUND = "not_found"
    REDACTED = "redacted"
    DROPPED = "dropped"
    NO_DATA = "no_data"
    OVER_BUDGET = "over_budget"  # not delivered, and the credits have ended; nothing is billed
    UNKNOWN = "unknown"  # nothing came of what should have been delivered; it may come yet
    FAILED = "failed"  # delivered, but the line cannot be read; the line is in quarantine


class LedgerError(CrustError):
    """The ledger was asked for something that its rules forbid. Nothing was written."""


class RefusedError(LedgerError):
    """The database refused; `said` is its reason, without anybody's data. Nothing was written."""

    def __init__(self, message: str, *, said: str) -> None:
        """Keep what the database said, for callers that know more about it."""
        super().__init__(message)
        self.said = said


class OverLimitError(LedgerError):
    """A credit limit would be passed. Nothing was written."""


S = BatchState

ALLOWED: dict[BatchState, frozenset[BatchState]] = {
    S.PLANNED: frozenset({S.SUBMITTING, S.REJECTED}),
    # Straight to completed: a synchronous request has its answer at once.
    S.SUBMITTING: frozenset({S.PLANNED, S.PENDING, S.COMPLETED, S.REJECTED, S.UNKNOWN}),
    # An unknown submit is adopted (its job was found), or a person decides that it never started.
    S.UNKNOWN: frozenset({S.PENDING, S.COMPLETED, S.REJECTED}),
    # Back to unknown: the job that was adopted turned out to be somebody else's, or the vendor says
    # that it knows no such job.
    S.PENDING: frozenset({S.PROCESSING, S.COMPLETED, S.FAILED, S.UNKNOWN}),
    S.PROCESSING: frozenset({S.COMPLETED, S.FAILED, S.UNKNOWN}),
    S.COMPLETED: frozenset({S.LANDED, S.EXPIRED, S.UNKNOWN}),
    # Back to completed: an answer that was given up has been delivered after all.
    S.LANDED: frozenset({S.LOADED, S.COMPLETED}),
    S.LOADED: frozenset({S.COMPLETED}),
    S.FAILED: frozenset(),
    S.REJECTED: frozenset(),
    # A link that a later status request renewed after all.
    S.EXPIRED: frozenset({S.LANDED}),
}

# The vendor counts pending and processing jobs. One that is being submitted, or may have been, can
# be among them: only the vendor's own word frees a slot, never a local time-out.
HOLDS_SLOT = frozenset({S.SUBMITTING, S.PENDING, S.PROCESSING, S.UNKNOWN})

# Jobs of which only the vendor knows the state.
AT_VENDOR = frozenset({S.PENDING, S.PROCESSING})

# A day with a batch in one of these still has something coming. Unknown is not among them: it may
# need a person's decision, and the rest of its day should not wait for that.
IN_PROGRESS = frozenset({S.PLANNED, S.SUBMITTING, S.PENDING, S.PROCESSING, S.COMPLETED})

# Batches whose worst case is still set aside, because what they really cost is not known yet.
RESERVES = frozenset({S.PLANNED, S.SUBMITTING, S.PENDING, S.PROCESSING, S.UNKNOWN, S.COMPLETED})

# Batches that own their identifiers: nobody else may buy them meanwhile.
OWNS_IDENTIFIERS = RESERVES | {S.LANDED, S.LOADED, S.EXPIRED}
