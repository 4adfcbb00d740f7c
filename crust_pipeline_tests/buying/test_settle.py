"""Settling, pure: one answer for everyone asked about, whatever the file holds."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.buying.settle import settle
from crust_pipeline.keys import identifier_of
from crust_pipeline.ledger.land import Settled
from crust_pipeline.ledger.states import Answer
from crust_pipeline.vendors.landed import FileAnswers
from crust_pipeline.vendors.lines import LineAnswer

WORST = Decimal(7)
PRICES = {"profile": Decimal(1), "extra": Decimal("0.3")}
KEYS = [f"linkedin.com/in/p{number}" for number in range(12)]
STRANGERS = [f"https://www.linkedin.com/in/stranger-{number}" for number in range(5)]


def cost(items: Sequence[str]) -> Decimal:
    return sum((PRICES[item] for item in items), Decimal(0))


def settled(
    asked: Sequence[str],
    read: FileAnswers,
    *,
    lines_expected: int | None = None,
    adopted: bool = False,
    items_asked_for: frozenset[str] | None = None,
) -> list[Settled] | None:
    return settle(
        asked={identifier_of(key): key for key in asked},
        read=read,
        lines_expected=lines_expected,
        adopted=adopted,
        cost=cost,
        worst_case=WORST,
        items_asked_for=items_asked_for,
    )


def found(key: str, line: int = 1, *items: str) -> LineAnswer:
    return LineAnswer(identifier_of(key), "matched", items or ("profile",), 1, line)


def answers_of(result: list[Settled] | None) -> dict[str, Answer]:
    assert result is not None
    return {item.subject_key: item.answer for item in result}


LINES = st.one_of(
    st.builds(
        LineAnswer,
        st.sampled_from([*map(identifier_of, KEYS), *STRANGERS, "", "no identifier"]),
        st.sampled_from(["matched", "not_found", "redacted", "no_data"]),
        st.sampled_from([(), ("profile",), ("profile", "extra")]),
        st.one_of(st.none(), st.integers(1, 99)),
        st.integers(1, 99),
    ),
    st.tuples(st.integers(1, 99), st.sampled_from([None, *map(identifier_of, KEYS), *STRANGERS])),
)


@given(
    asked=st.lists(st.sampled_from(KEYS), unique=True, min_size=1),
    lines=st.lists(LINES, max_size=30),
    expected=st.one_of(st.none(), st.integers(0, 40)),
    adopted=st.booleans(),
)
def test_everyone_asked_about_has_exactly_one_answer_and_nobody_costs_more_than_reserved(
    asked: list[str],
    lines: list[LineAnswer | tuple[int, str | None]],
    expected: int | None,
    adopted: bool,
) -> None:
    answers = tuple(line for line in lines if isinstance(line, LineAnswer))
    unreadable = tuple(line for line in lines if not isinstance(line, LineAnswer))
    read = FileAnswers(len(lines), answers, unreadable)
    result = settled(asked, read, lines_expected=expected, adopted=adopted)
    if result is None:
        assert adopted
        return
    assert sorted(item.subject_key for item in result) == sorted(asked)
    assert all(0 <= item.credits <= WORST for item in result)
    about = {line.identifier: line for line in reversed(answers)}
    for item in result:
        line = about.get(identifier_of(item.subject_key))
        if line is not None:
            assert (item.answer, item.credits) == (Answer(line.status), cost(line.items))
        else:
            assert item.answer in {Answer.DROPPED, Answer.FAILED}
            assert item.credits == (WORST if item.answer is Answer.FAILED else 0)


def test_whom_the_vendor_leaves_out_was_dropped_and_costs_nothing() -> None:
    result = settled(KEYS[:2], FileAnswers(1, (found(KEYS[0]),), ()), lines_expected=1)
    assert answers_of(result) == {KEYS[0]: Answer.MATCHED, KEYS[1]: Answer.DROPPED}
    assert sum(item.credits for item in result or ()) == 1


def test_a_line_that_cannot_be_read_but_says_whom_it_is_about_fails_only_that_one() -> None:
    read = FileAnswers(2, (found(KEYS[0]),), ((2, identifier_of(KEYS[1])),))
    result = settled(KEYS[:3], read, lines_expected=2)
    assert answers_of(result) == {
        KEYS[0]: Answer.MATCHED,
        KEYS[1]: Answer.FAILED,
        KEYS[2]: Answer.DROPPED,
    }


def test_when_as_many_lines_are_lost_as_people_are_missing_they_are_taken_as_delivered() -> None:
    result = settled(
        KEYS[:4], FileAnswers(2, (found(KEYS[0]), found(KEYS[1])), ()), lines_expected=4
    )
    assert [item.answer for item in result or ()] == [Answer.MATCHED] * 2 + [Answer.FAILED] * 2
    assert sum(item.credits for item in result or ()) == 2 + 2 * WORST


def test_when_few_lines_are_lost_the_many_who_are_missing_were_dropped() -> None:
    read = FileAnswers(2, (found(KEYS[0]),), ((2, None),))
    assert (
        list(answers_of(settled(KEYS, read, lines_expected=2)).values()).count(Answer.DROPPED)
        == len(KEYS) - 1
    )


@pytest.mark.parametrize(
    "echo",
    [
        "https://www.linkedin.com/in/p0",
        "https://il.linkedin.com/in/P0/",
        "http://linkedin.com/in/p0?utm=1",
        "linkedin.com/in/%700",
    ],
)
def test_an_echo_is_recognised_however_it_is_written(echo: str) -> None:
    read = FileAnswers(1, (LineAnswer(echo, "matched", ("profile",), 1, 1),), ())
    assert answers_of(settled(KEYS[:1], read)) == {KEYS[0]: Answer.MATCHED}


def test_the_first_of_several_lines_about_somebody_counts() -> None:
    read = FileAnswers(2, (found(KEYS[0], 1), found(KEYS[0], 2, "profile", "extra")), ())
    (item,) = settled(KEYS[:1], read) or []
    assert (item.source_line, item.credits) == (1, 1)


@pytest.mark.parametrize(("strangers", "ours"), [(0, 1), (1, 10), (0, 12)])
def test_an_adopted_file_with_few_strangers_is_ours(strangers: int, ours: int) -> None:
    lines = [found(key) for key in KEYS[:ours]]
    lines += [LineAnswer(one, "matched", ("profile",), 1, 1) for one in STRANGERS[:strangers]]
    assert settled(KEYS, FileAnswers(len(lines), tuple(lines), ()), adopted=True) is not None


@pytest.mark.parametrize(("strangers", "ours"), [(0, 0), (1, 0), (1, 1), (2, 12)])
def test_an_adopted_file_about_others_or_about_nobody_is_not_ours(
    strangers: int, ours: int
) -> None:
    lines = [found(key) for key in KEYS[:ours]]
    lines += [LineAnswer(one, "matched", ("profile",), 1, 1) for one in STRANGERS[:strangers]]
    read = FileAnswers(len(lines), tuple(lines), ())
    assert settled(KEYS, read, adopted=True) is None
    assert settled(KEYS, read, adopted=False) is not None


def test_what_came_without_having_been_asked_for_is_named_and_paid_for() -> None:
    read = FileAnswers(1, (found(KEYS[0], 1, "profile", "extra"),), ())
    (item,) = settled(KEYS[:1], read, items_asked_for=frozenset({"profile"})) or []
    assert item.unrequested == ("extra",)
    assert item.credits == Decimal("1.3")
