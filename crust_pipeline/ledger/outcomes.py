"""Outcomes: what can become of an input row for one operation, and the fill rate made of them.

Everything that names outcomes follows from the enum: words for SQL, marts, checks, metadata, docs.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, StrEnum, auto
from typing import Final, assert_never

from crust_pipeline.ledger.states import Answer, BatchState, Verdict


class Kind(Enum):
    """Groups of outcomes. Each outcome is of one kind."""

    INVALID = auto()  # the row names no person
    NOT_NEEDED = auto()  # nothing had to be bought for the row
    NOT_ALLOWED = auto()  # budget or permission did not suffice
    OPEN = auto()  # a later run can still change it without anybody's doing
    TROUBLED = auto()  # a person has to look: money may be lost or spent twice
    ANSWERED = auto()  # the vendor answered, now or in an earlier purchase


class Outcome(StrEnum):
    """What became of one input row for one operation (docs/outcomes.md)."""

    MATCHED = "matched"
    REUSED = "reused"
    DROPPED = "dropped"
    NOT_FOUND = "not_found"
    NO_DATA = "no_data"
    REDACTED = "redacted"
    DUPLICATE = "duplicate"
    INVALID_INPUT = "invalid_input"
    SUPPRESSED = "suppressed"
    OVER_BUDGET = "over_budget"
    NOT_PERMITTED = "not_permitted"
    PENDING = "pending"
    UNKNOWN = "unknown"
    FAILED = "failed"
    EXPIRED = "expired"

    @property
    def kind(self) -> Kind:
        """The group that the outcome belongs to."""
        match self:
            case (
                Outcome.MATCHED
                | Outcome.REUSED
                | Outcome.DROPPED
                | Outcome.NOT_FOUND
                | Outcome.NO_DATA
                | Outcome.REDACTED
            ):
                return Kind.ANSWERED
            case Outcome.DUPLICATE | Outcome.SUPPRESSED:
                return Kind.NOT_NEEDED
            case Outcome.INVALID_INPUT:
                return Kind.INVALID
            case Outcome.OVER_BUDGET | Outcome.NOT_PERMITTED:
                return Kind.NOT_ALLOWED
            case Outcome.PENDING:
                return Kind.OPEN
            case Outcome.UNKNOWN | Outcome.FAILED | Outcome.EXPIRED:
                return Kind.TROUBLED
            case _:
                assert_never(self)

    @property
    def answered(self) -> bool:
        """Whether the vendor answered, now or in an earlier purchase."""
        return self.kind is Kind.ANSWERED

    @property
    def found(self) -> bool:
        """Whether the answer holds what was asked for."""
        return self in {Outcome.MATCHED, Outcome.REUSED}

    @property
    def open(self) -> bool:
        """Whether a later run can still change it without anybody's doing."""
        return self.kind is Kind.OPEN

    @property
    def troubled(self) -> bool:
        """Whether a person has to look: money may be lost or spent twice."""
        return self.kind is Kind.TROUBLED


FOUND_OUTCOMES: Final = frozenset(outcome for outcome in Outcome if outcome.found)
ANSWERED_OUTCOMES: Final = frozenset(outcome for outcome in Outcome if outcome.answered)
OPEN_OUTCOMES: Final = frozenset(outcome for outcome in Outcome if outcome.open)
TROUBLED_OUTCOMES: Final = frozenset(outcome for outcome in Outcome if outcome.troubled)

# A rejected batch whose reason begins so was refused for lack of permission, not for its content.
NOT_PERMITTED: Final = "not permitted: "


def outcome_of(  # noqa: PLR0911 - one return for each kind of case
    verdict: Verdict,
    state: BatchState | None,
    answer: Answer | None,
    *,
    not_permitted: bool = False,
) -> Outcome:
    """Return the outcome of a row.

    Args:
        verdict: what the plan decided for the row.
        state: the state of the batch that the row points at.
        answer: what that batch's file says about the row's identifier.
        not_permitted: whether a rejected batch was refused for lack of permission.
    """
    match verdict:
        case (
            Verdict.DUPLICATE
            | Verdict.INVALID_INPUT
            | Verdict.SUPPRESSED
            | Verdict.OVER_BUDGET
            | Verdict.NOT_PERMITTED
        ):
            return Outcome(verdict.value)
        case Verdict.AWAIT:
            return Outcome.UNKNOWN if state is BatchState.UNKNOWN else Outcome.PENDING
        case Verdict.ASK | Verdict.REUSE:
            pass
        case _:
            assert_never(verdict)
    match state:
        case None:
            return Outcome.PENDING
        case (
            BatchState.PLANNED
            | BatchState.SUBMITTING
            | BatchState.PENDING
            | BatchState.PROCESSING
            | BatchState.COMPLETED
        ):
            return Outcome.PENDING
        case BatchState.UNKNOWN | BatchState.EXPIRED | BatchState.FAILED:
            return Outcome(state.value)
        case BatchState.REJECTED:
            return Outcome.NOT_PERMITTED if not_permitted else Outcome.FAILED
        case BatchState.LANDED | BatchState.LOADED:
            if verdict is Verdict.REUSE and answer is Answer.MATCHED:
                return Outcome.REUSED
            return Outcome((answer or Answer.DROPPED).value)
        case _:
            assert_never(state)


def fill_rate(counts: Mapping[str, int]) -> float | None:
    """Return the share of the answered rows that were found; None without an answered row.

    Args:
        counts: how many rows have which outcome.
    """
    answered = sum(counts.get(outcome, 0) for outcome in ANSWERED_OUTCOMES)
    if not answered:
        return None
    return sum(counts.get(outcome, 0) for outcome in FOUND_OUTCOMES) / answered


def sql_words(outcomes: Iterable[Outcome]) -> str:
    """Return outcomes as a list for SQL's IN, in the enum's order."""
    chosen = frozenset(outcomes)
    return ", ".join(f"'{outcome.value}'" for outcome in Outcome if outcome in chosen)


# The two counts that make the fill rate, of rows with a column `outcome`.
ROWS_FOUND: Final = f"count(*) FILTER (outcome IN ({sql_words(FOUND_OUTCOMES)}))"
ROWS_ANSWERED: Final = f"count(*) FILTER (outcome IN ({sql_words(ANSWERED_OUTCOMES)}))"

# What a SQL file may write `$name` for: each outcome, each kind's list of words, the two counts.
SQL_FRAGMENTS: Final[Mapping[str, str]] = {
    **{outcome.value: sql_words([outcome]) for outcome in Outcome},
    **{
        f"{kind.name.lower()}_outcomes": sql_words(
            outcome for outcome in Outcome if outcome.kind is kind
        )
        for kind in Kind
    },
    "rows_found": ROWS_FOUND,
    "rows_answered": ROWS_ANSWERED,
}
