"""Every kind of bad input that was tried on other tools, and the test of what becomes of it."""

import pytest

from crust_pipeline_tests.tables import test_bad_lines as bad

_LINE = bad.test_a_bad_line_is_quarantined_and_the_others_load
_FIELD = bad.test_a_bad_field_costs_the_field_and_not_the_record
_FINE = bad.test_what_can_be_read_is_read
_FILE = bad.test_files_that_are_a_little_odd_are_read
_DAMAGED = bad.test_no_line_of_a_damaged_file_is_trusted
_EMPTY = bad.test_an_empty_file_is_no_error
_OF = {
    _LINE: bad.BAD_LINES,
    _FIELD: bad.BAD_FIELDS,
    _FINE: bad.FINE_FIELDS,
    _FILE: bad.FINE_FILES,
    _DAMAGED: bad.DAMAGED_FILES,
    _EMPTY: bad.EMPTY_FILES,
}

# What is wrong: the test, and the id of its parameter if it has any.
CASES = {
    "malformed line": (_LINE, "malformed"),
    "garbage behind the object": (_LINE, "garbage behind"),
    "raw NUL": (_LINE, "raw NUL"),
    "control character": (_LINE, "control character"),
    "two objects on a line": (_LINE, "two objects"),
    "blank line": (_LINE, "blank"),
    "white space only": (_LINE, "white space"),
    "null line": (_LINE, "null"),
    "list instead of an object": (_LINE, "a list"),
    "number instead of an object": (_LINE, "a number"),
    "text instead of an object": (_LINE, "a text"),
    "data null": (_LINE, "data null"),
    "data missing": (_LINE, "data missing"),
    "data a text": (_LINE, "data a text"),
    "identifier missing": (_LINE, "identifier missing"),
    "duplicate key": (_LINE, "key twice, deep"),
    "lone surrogate": (_LINE, "lone surrogate"),
    "invalid UTF-8": (_LINE, "not UTF-8"),
    "NaN": (_LINE, "NaN"),
    "nested too deeply": (_LINE, "too deep"),
    "struct is a list": (_FIELD, "object is a list"),
    "struct is a text": (_FIELD, "object is a text"),
    "list is an object": (_FIELD, "list is an object"),
    "list is a text": (_FIELD, "list is a text"),
    "item of another type": (_FIELD, "list item is a text"),
    "500+ for a whole number": (_FIELD, "text for a number"),
    "2^70 for a whole number": (_FIELD, "beyond all numbers"),
    "500.7 for a whole number": (_FIELD, "fraction for a whole number"),
    "true for a whole number": (_FIELD, "truth for a number"),
    "whole number for text": (_FINE, "number for a text"),
    "object for text": (_FINE, "object for a text"),
    "escaped NUL in text": (_FINE, "escaped NUL"),
    "unknown field": (_FINE, "unknown key"),
    "key in other case": (_FINE, "key in other case"),
    "duplicate identifier": (
        bad.test_a_second_answer_about_the_same_person_is_quarantined_and_counted,
        None,
    ),
    "identifier never asked for": (bad.test_an_answer_nobody_asked_for_is_quarantined, None),
    "line of 50 MB": (bad.test_a_line_of_many_megabytes_is_a_line_like_any_other, None),
    "byte order mark": (_FILE, "byte order mark"),
    "gzip cut off": (bad.test_of_a_file_that_is_cut_off_the_whole_lines_are_used, None),
    "garbage behind the gzip": (bad.test_bytes_behind_the_compressed_data_are_noted, None),
    "no gzip, text": (_FILE, "not compressed"),
    "no gzip, no text": (_DAMAGED, "no gzip"),
    "wrong CRC": (_DAMAGED, "wrong check sum"),
    "flipped bit": (_DAMAGED, "flipped bit"),
    "gzip of nothing": (_EMPTY, "gzip of nothing"),
    "empty file": (_EMPTY, "nothing"),
}


def test_there_are_forty_six_cases() -> None:
    assert len(CASES) == 46


@pytest.mark.parametrize("case", CASES)
def test_a_case_is_tested(case: str) -> None:
    test, parameter = CASES[case]

    assert parameter is None or parameter in _OF[test]
