"""Settle: what became of every identifier of a batch, from what its file says. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from crust_pipeline.keys import InvalidIdentifier, key_of_echo, key_of_url
from crust_pipeline.ledger.land import Settled
from crust_pipeline.ledger.states import Answer
from crust_pipeline.vendors.landed import FileAnswers
from crust_pipeline.vendors.lines import LineAnswer

# The vendor has been known to add lines; more than these are somebody else's list.
MAX_STRANGER_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class About:
    """Of whom a file says something.

    Attributes:
        answers: what it says of those asked for, by subject_key.
        unreadable: those asked for whose line cannot be read, with that line.
        strangers: lines about others.
    """

    answers: Mapping[str, LineAnswer]
    unreadable: Mapping[str, int]
    strangers: int


def about(
    asked: Mapping[str, str],
    read: FileAnswers,
    key_of: Callable[[str], str | None] = key_of_echo,
) -> About:
    """Return of whom a file says something.

    Args:
        asked: {identifier as sent: subject_key}.
        read: the file.
        key_of: makes a key of an identifier that did not come back as it was sent.
    """
    keys = set(asked.values())
    answers: dict[str, LineAnswer] = {}
    strangers = 0
    for answer in read.answers:
        key = asked.get(answer.identifier) or key_of(answer.identifier)
        if key in keys:
            answers.setdefault(key, answer)
        else:
            strangers += 1
    return About(answers, _unreadable(read, asked, key_of), strangers)


def settle(  # noqa: PLR0913 - all that an answer depends on
    *,
    asked: Mapping[str, str],
    read: FileAnswers,
    lines_expected: int | None,
    adopted: bool,
    cost: Callable[[Sequence[str]], Decimal],
    worst_case: Decimal,
    items_asked_for: frozenset[str] | None = None,
    unanswered: Answer = Answer.DROPPED,
    key_of: Callable[[str], str | None] = key_of_echo,
) -> list[Settled] | None:
    """Return one answer for each identifier asked for.

    Args:
        asked: {identifier as sent: subject_key}.
        read: the file.
        lines_expected: how many lines the vendor says it has.
        adopted: whether the job was found by reconcile and may be somebody else's.
        cost: credits for the billable items of one line.
        worst_case: credits of one identifier when nobody can tell what came.
        items_asked_for: billable items that were asked for; None: whatever comes was.
        unanswered: what it means that nothing is said of somebody.
        key_of: makes a key of an identifier that did not come back as it was sent.

    Returns:
        None when nothing shows that an adopted job is ours: its file is about other people, or
        about nobody.
    """
    found = about(asked, read, key_of)
    if adopted and not _is_about(found, unreadable=len(read.unreadable)):
        return None
    return list(
        _settled(
            set(asked.values()),
            answers=found.answers,
            unreadable=found.unreadable,
            lost=max(len(read.unreadable), (lines_expected or 0) - read.lines),
            cost=cache(cost),
            worst_case=worst_case,
            items_asked_for=items_asked_for,
            unanswered=unanswered,
        )
    )


def _is_about(found: About, *, unreadable: int) -> bool:
    """Return whether a file is about those asked for; another's may share a few of them."""
    asked_for = len(found.answers)
    return asked_for + unreadable > 0 and found.strangers <= MAX_STRANGER_SHARE * asked_for


def _unreadable(
    read: FileAnswers, asked: Mapping[str, str], key_of: Callable[[str], str | None]
) -> dict[str, int]:
    """Return whose lines came but cannot be read: {subject_key: line}."""
    found = {
        asked.get(identifier) or key_of(identifier): line
        for line, identifier in read.unreadable
        if identifier
    }
    keys = set(asked.values())
    return {key: line for key, line in found.items() if key in keys}


def _settled(
    keys: set[str],
    *,
    answers: Mapping[str, LineAnswer],
    unreadable: Mapping[str, int],
    lost: int,
    cost: Callable[[tuple[str, ...]], Decimal],
    worst_case: Decimal,
    items_asked_for: frozenset[str] | None,
    unanswered: Answer,
) -> Iterator[Settled]:
    missing = len(keys - answers.keys() - unreadable.keys())
    # The vendor leaves out whom it does not know. Where about as many lines are lost as people are
    # missing, they are rather the lost ones: delivered and billed, and to be bought again only on
    # purpose.
    lost_rather_than_dropped = 2 * (lost - len(unreadable)) >= missing > 0
    for key in sorted(keys):
        if answer := answers.get(key):
            yield Settled(
                key,
                Answer(answer.status),
                cost(answer.items),
                answer.person_id,
                answer.source_line,
                _key_of_profile(answer.profile_url),
                tuple(
                    item
                    for item in answer.items
                    if items_asked_for is not None and item not in items_asked_for
                ),
            )
        elif key in unreadable:
            yield Settled(key, Answer.FAILED, worst_case, source_line=unreadable[key])
        elif lost_rather_than_dropped:
            yield Settled(key, Answer.FAILED, worst_case)
        elif unanswered is Answer.UNKNOWN:
            yield Settled(key, unanswered, worst_case)  # found and billed, for all we know
        else:
            yield Settled(key, unanswered, Decimal(0))


def _key_of_profile(profile_url: str | None) -> str | None:
    """Return the key of a profile URL that a vendor found, if it is one."""
    try:
        return key_of_url(profile_url) if profile_url else None
    except InvalidIdentifier:
        return None
