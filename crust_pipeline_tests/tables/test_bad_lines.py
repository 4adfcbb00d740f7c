"""No line is lost and no line stops the rest: lines, fields and files that are not right."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline.tables.flatten.files import FileReport
from crust_pipeline_tests.tables.landing import (
    Flattened,
    as_line,
    enriched,
    flattened,
    landed,
    url,
)

GOOD = [enriched(slug, basic_profile={"name": slug}) for slug in ("ada", "bo", "cy", "dee")]
ASKED = [url(slug) for slug in ("ada", "bo", "bad", "cy", "dee")]


def _with(bad: object) -> list[object]:
    """Give good lines with another one in the middle, as line 3."""
    return [*GOOD[:2], bad, *GOOD[2:]]


def _flatten(folder: Path, bad: object) -> Flattened:
    return flattened(folder, landed(folder, _with(bad), asked=ASKED))


def _names(result: Flattened) -> list[str]:
    return [row["name"] for row in result.rows("people")]


def _report(result: Flattened) -> FileReport:
    (report,) = result.report.files
    assert report.lines == report.records + report.quarantined
    return report


BAD_LINES = {
    "malformed": b'{"original_identifier": "x", "data": {',
    "garbage behind": as_line(enriched("bad")) + b" x",
    "raw NUL": b'{"original_identifier": "a\x00b", "data": {}}',
    "control character": b'{"original_identifier": "a\x01b", "data": {}}',
    "two objects": as_line(enriched("bad")) * 2,
    "blank": b"",
    "white space": b"  \t",
    "null": b"null",
    "a list": b"[1, 2]",
    "a number": b"5",
    "a text": b'"x"',
    "data null": as_line({"original_identifier": url("bad"), "data": None}),
    "data missing": as_line({"original_identifier": url("bad")}),
    "data a text": as_line({"original_identifier": url("bad"), "data": "x"}),
    "data a list": as_line({"original_identifier": url("bad"), "data": []}),
    "identifier null": as_line({"original_identifier": None, "data": {}}),
    "identifier missing": as_line({"data": {}}),
    "key twice": b'{"original_identifier": "x", "original_identifier": "y", "data": {}}',
    "key twice, deep": b'{"original_identifier": "x", "data": {"skills": {}, "skills": {}}}',
    "lone surrogate": b'{"original_identifier": "x", "data": {"updated_at": "\\ud800"}}',
    "not UTF-8": b'{"original_identifier": "x", "data": {"updated_at": "\xff\xfe"}}',
    "too deep": b'{"original_identifier": "x", "data": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
    "much too deep": b'{"original_identifier": "x", "data": {"basic_profile": {"name": '
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}}}",
    "number without end": b'{"original_identifier": "x", "data": {"n": 1e}}',
    "leading zero": b'{"original_identifier": "x", "data": {"n": 01}}',
    "single quotes": b"{'original_identifier': 'x', 'data': {}}",
    "NaN": b'{"original_identifier": "x", "data": {"n": NaN}}',
    "NaN in a column": as_line(enriched("bad", updated_at=5)).replace(b"5", b"NaN"),
    "bare word": b'{"original_identifier": "x", "data": {"n": undefined}}',
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_is_quarantined_and_the_others_load(tmp_path: Path, bad: bytes) -> None:
    result = _flatten(tmp_path, bad)

    assert _names(result) == ["ada", "bo", "cy", "dee"]
    assert [row["source_line"] for row in result.rows("people")] == [1, 2, 4, 5]
    row = result.row("quarantine")
    assert (row["source_file"], row["source_line"]) == ("results.jsonl.gz", 3)
    assert row["reason"]
    text = bad.decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")
    assert row["line"] == text
    assert (_report(result).lines, _report(result).quarantined) == (5, 1)


def _data(path: str, value: object) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return {"basic_profile": {"name": "bad"}, **value} if isinstance(value, dict) else {}


BAD_FIELDS = {
    "object is a list": _data("professional_network", [1]),
    "object is a text": _data("professional_network", "x"),
    "object is a number": _data("experience.employment_details", 3),
    "list is an object": _data("skills.professional_network_skills", {"a": 1}),
    "list is a text": _data("certifications", "x"),
    "list item is a text": _data("certifications", ["x", {"name": "y"}]),
    "list item is a list": _data("education.schools", [[1]]),
    "text for a number": _data("professional_network.connections", "500+"),
    "fraction for a whole number": _data("professional_network.connections", 500.7),
    "beyond all numbers": _data("professional_network.connections", 2**70),
    "truth for a number": _data("professional_network.connections", True),
    "object for a number": _data("professional_network.connections", {"n": 1}),
    "no date": _data("certifications", [{"name": "y", "issue_date": "soon"}]),
    "year for a date": _data("certifications", [{"name": "y", "issue_date": 2024}]),
    "endless date": _data("certifications", [{"name": "y", "issue_date": "infinity"}]),
    "no moment": _data("updated_at", "yesterday"),
    "text for a truth value": _data("recently_changed_jobs", "perhaps"),
}


@pytest.mark.parametrize("data", BAD_FIELDS.values(), ids=BAD_FIELDS.keys())
def test_a_bad_field_costs_the_field_and_not_the_record(
    tmp_path: Path, data: dict[str, Any]
) -> None:
    result = _flatten(tmp_path, enriched("bad", **data))

    assert _names(result) == ["ada", "bad", "bo", "cy", "dee"]
    row = result.row("quarantine")
    assert row["source_line"] == 3
    assert row["profile_key"] == "linkedin.com/in/bad"
    assert row["reason"].endswith("the field was set to null")
    assert row["line"] in json.dumps(data) or json.loads(row["line"]) is not None
    report = _report(result)
    assert (report.records, report.quarantined, report.mended) == (5, 0, 1)


@pytest.mark.parametrize("shift", range(4))
def test_a_value_of_another_shape_costs_the_field_in_whatever_script(
    tmp_path: Path, shift: int
) -> None:
    # DuckDB quotes a part of the value in its error, cut wherever that is in a character.
    bad = enriched("bad", honors={"x" * shift: "\N{GRINNING FACE}" * 60})

    result = _flatten(tmp_path, bad)

    assert len(_names(result)) == 5
    assert _report(result).mended == 1
    assert "\N{GRINNING FACE}" * 60 in result.row("quarantine")["line"]


def test_the_reason_names_the_path_and_the_line_holds_the_value(tmp_path: Path) -> None:
    data = _data("certifications", [{"name": "y"}, "x"])

    row = _flatten(tmp_path, enriched("bad", **data)).row("quarantine")

    assert row["reason"] == (
        "data.certifications[1]: expected an object, got text; the field was set to null"
    )
    assert row["line"] == '"x"'


def test_several_bad_fields_of_one_record_are_all_named(tmp_path: Path) -> None:
    data = {"certifications": "x", "skills": 1, "professional_network": {"followers": "many"}}

    result = _flatten(tmp_path, enriched("bad", **data))

    assert [reason.split(":")[0] for reason in result.reasons()] == [
        "data.certifications",
        "data.professional_network.followers",
        "data.skills",
    ]
    assert _report(result).mended == 1


FINE_FIELDS = {
    "number as digits": (_data("professional_network.connections", "500"), "connections", 500),
    "whole number with a point": (_data("professional_network.connections", 5.0), "connections", 5),
    "empty for a number": (_data("professional_network.connections", ""), "connections", None),
    "empty for a moment": (_data("updated_at", ""), "record_updated_at", None),
    "number for a text": (_data("basic_profile.headline", 5), "headline", "5"),
    "truth for a text": (_data("basic_profile.headline", True), "headline", "true"),
    "object for a text": (_data("basic_profile.headline", {"a": 1}), "headline", '{"a":1}'),
    "key in other case": (_data("basic_profile.Headline", "x"), "headline", None),
    "unknown key": (_data("basic_profile.brand_new", "x"), "headline", None),
    "escaped NUL": (_data("basic_profile.headline", "a\0b"), "headline", "a\0b"),
    "astral": (
        _data("basic_profile.headline", "\N{GRINNING FACE}"),
        "headline",
        "\N{GRINNING FACE}",
    ),
}


@pytest.mark.parametrize(("data", "column", "value"), FINE_FIELDS.values(), ids=FINE_FIELDS.keys())
def test_what_can_be_read_is_read(
    tmp_path: Path, data: dict[str, Any], column: str, value: object
) -> None:
    result = _flatten(tmp_path, enriched("bad", **data))

    row = next(row for row in result.rows("people") if row["profile_key"].endswith("/bad"))
    assert row[column] == value
    assert result.reasons() == []


def test_a_line_of_many_megabytes_is_a_line_like_any_other(tmp_path: Path) -> None:
    summary = "x" * (50 << 20)

    result = _flatten(tmp_path, enriched("bad", basic_profile={"name": "bad", "summary": summary}))

    (row,) = [row for row in result.rows("people") if row["name"] == "bad"]
    assert row["summary"] == summary
    assert _report(result).quarantined == 0


def test_the_rest_of_a_very_long_bad_line_stays_in_the_landed_file(tmp_path: Path) -> None:
    row = _flatten(tmp_path, b"x" * (2 << 20)).row("quarantine")

    assert row["line"].endswith("(1048576 more bytes are in the landed file)")


def test_a_second_answer_about_the_same_person_is_quarantined_and_counted(tmp_path: Path) -> None:
    again = enriched("ada", basic_profile={"name": "again"})

    result = _flatten(tmp_path, again)

    assert _names(result) == ["ada", "bo", "cy", "dee"]
    row = result.row("quarantine")
    assert row["source_line"] == 3
    assert json.loads(row["line"]) == again
    assert _report(result).duplicates == 1


def test_an_answer_nobody_asked_for_is_quarantined(tmp_path: Path) -> None:
    result = _flatten(tmp_path, enriched("stranger"))

    assert "never asked for" in result.row("quarantine")["reason"]
    assert _report(result).quarantined == 1


def test_bad_lines_of_all_kinds_in_one_file_are_told_apart(tmp_path: Path) -> None:
    bad = [line for line in BAD_LINES.values() if line]
    lines = [*GOOD[:2], *bad, enriched("ada"), enriched("stranger"), *GOOD[2:]]

    result = flattened(tmp_path, landed(tmp_path, lines, asked=ASKED))

    assert _names(result) == ["ada", "bo", "cy", "dee"]
    assert [row["source_line"] for row in result.rows("quarantine")] == list(
        range(3, 3 + len(bad) + 2)
    )


def test_a_file_of_too_many_bad_lines_is_set_aside_whole(tmp_path: Path) -> None:
    lines = [*GOOD, *[b"?"] * 1001]
    other = landed(tmp_path, [enriched("eve")], asked=[url("eve")], name="other.jsonl.gz")

    result = flattened(tmp_path, landed(tmp_path, lines, asked=ASKED), other)

    assert [row["source_file"] for row in result.rows("people")] == ["other.jsonl.gz"]
    row = result.row("quarantine")
    assert (row["source_file"], row["source_line"]) == ("results.jsonl.gz", 0)
    assert "format seems to have changed" in row["reason"]
    report = result.report.files[0]
    assert report.set_aside == row["reason"]
    assert (report.lines, report.records) == (1005, 0)


def test_a_type_that_changed_in_every_record_costs_only_that_field(tmp_path: Path) -> None:
    slugs = [f"p{number}" for number in range(1500)]
    lines = [enriched(slug, professional_network={"connections": "500+"}) for slug in slugs]

    result = flattened(tmp_path, landed(tmp_path, lines, asked=[url(slug) for slug in slugs]))

    report = _report(result)
    assert (report.records, report.mended, report.set_aside) == (1500, 1500, None)
    assert {row["connections"] for row in result.rows("people")} == {None}


def _content(lines: list[Any]) -> bytes:
    return b"".join(as_line(line) + b"\n" for line in lines)


_WHOLE = gzip.compress(_content(GOOD), mtime=0)


def _file(folder: Path, compressed: bytes) -> Flattened:
    return flattened(folder, landed(folder, [], asked=ASKED, compressed=compressed))


FINE_FILES = {
    "not compressed": _content(GOOD),
    "byte order mark": gzip.compress(b"\xef\xbb\xbf" + _content(GOOD)),
    "no last line end": gzip.compress(_content(GOOD)[:-1]),
    "carriage returns": gzip.compress(_content(GOOD).replace(b"\n", b"\r\n")),
    "several members": gzip.compress(_content(GOOD[:1])) + gzip.compress(_content(GOOD[1:])),
    "zeros behind": _WHOLE + b"\0" * 64,
}


@pytest.mark.parametrize("compressed", FINE_FILES.values(), ids=FINE_FILES.keys())
def test_files_that_are_a_little_odd_are_read(tmp_path: Path, compressed: bytes) -> None:
    result = _file(tmp_path, compressed)

    assert _names(result) == ["ada", "bo", "cy", "dee"]
    assert result.reasons() == []


def test_of_a_file_that_is_cut_off_the_whole_lines_are_used(tmp_path: Path) -> None:
    stored = gzip.compress(_content(GOOD), compresslevel=0)

    result = _file(tmp_path, stored[:-30])

    assert _names(result) == ["ada", "bo", "cy"]
    row = result.row("quarantine")
    assert (row["source_line"], row["reason"]) == (0, _report(result).note)
    assert "cut off" in row["reason"]


def test_bytes_behind_the_compressed_data_are_noted(tmp_path: Path) -> None:
    result = _file(tmp_path, _WHOLE + b"garbage")

    assert _names(result) == ["ada", "bo", "cy", "dee"]
    assert "bytes follow the end" in result.row("quarantine")["reason"]


DAMAGED_FILES = {
    "wrong check sum": _WHOLE[:-8] + bytes(4) + _WHOLE[-4:],
    "changed text": gzip.compress(_content(GOOD), compresslevel=0).replace(b'"ada"', b'"eve"'),
    "flipped bit": _WHOLE[:20] + bytes([_WHOLE[20] ^ 1]) + _WHOLE[21:],
    "no gzip": b"\x1f\x8b" + b"\0" * 100,
}


@pytest.mark.parametrize("damaged", DAMAGED_FILES.values(), ids=DAMAGED_FILES.keys())
def test_no_line_of_a_damaged_file_is_trusted(tmp_path: Path, damaged: bytes) -> None:
    result = _file(tmp_path, damaged)

    assert _names(result) == []
    assert "damaged" in result.row("quarantine")["reason"]
    assert result.report.files[0].set_aside


EMPTY_FILES = {"nothing": b"", "gzip of nothing": gzip.compress(b"")}


@pytest.mark.parametrize("empty", EMPTY_FILES.values(), ids=EMPTY_FILES.keys())
def test_an_empty_file_is_no_error(tmp_path: Path, empty: bytes) -> None:
    result = _file(tmp_path, empty)

    assert _report(result).lines == 0
    assert result.reasons() == []


def test_bytes_that_are_no_lines_at_all_are_quarantined(tmp_path: Path) -> None:
    assert _file(tmp_path, b"\x89PNG\r\n\x1a\n\0\0\n").reasons()


def test_a_line_of_gigabytes_is_quarantined_and_the_others_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crust_pipeline.vendors.landed.MOST_LINE_BYTES", 3 << 20)

    result = _flatten(tmp_path, as_line(enriched("bad")) + b" " * (4 << 20))

    assert _names(result) == ["ada", "bo", "cy", "dee"]
    (row,) = result.rows("quarantine")
    assert (row["source_line"], row["reason"][:16]) == (3, "longer than 3 MB")
    assert len(row["line"]) < 2 << 20
    assert _report(result).quarantined == 1
