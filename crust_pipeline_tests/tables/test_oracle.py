"""Arbitrary records, within and around the schema, give what plain Python says they should give."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crust_pipeline.tables.flatten.shape import Items, Record, Shape, Value, shape_of
from crust_pipeline.tables.specs import tables_of
from crust_pipeline.vendors.catalog import line_of
from crust_pipeline_tests.tables.landing import flattened, key, landed, url
from crust_pipeline_tests.tables.oracle import expected_rows

# No letters or digits that DuckDB would read as a number, a date or a truth value.
_texts = st.text(st.sampled_from('\u00e4Z \n\t"\\/{}[]:,\u20ac\N{GRINNING FACE}\x7f\u2028'))
_scalars = st.one_of(
    st.none(),
    _texts,
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-100, 100),
    st.sampled_from(["", "7", "-12", "2.5", "true", "no", "500+"]),
    st.sampled_from(["2024-02-29", "2017-01-01T00:00:00+00:00", "2023-05-01T01:02:03", "soon"]),
    st.sampled_from(["2023-02-30", "2026-09-15T05:52:32.123456+02:00"]),
)
_anything = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2)
)


def _of_shape(shape: Shape) -> st.SearchStrategy[Any]:
    """Give values of a shape, mostly; at times anything else."""
    match shape:
        case Value(json=True):
            right = _anything
        case Value():
            right = _scalars
        case Items(element):
            right = st.lists(_of_shape(element), max_size=3)
        case Record(keys):
            right = st.fixed_dictionaries(
                {}, optional={name: _of_shape(part) for name, part in keys.items()}
            )
    if isinstance(shape, Value):
        return right
    return st.integers(0, 30).flatmap(lambda odds: _anything if odds == 0 else right)


def _lines(operation: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    shape = shape_of(line_of(operation))
    data = _of_shape(shape.keys["data"]).filter(lambda value: isinstance(value, dict))
    line = st.fixed_dictionaries(
        {"data": data}, optional={"internal_id": _scalars, "unheard_of": _anything}
    )
    return st.lists(line, min_size=1, max_size=8)


def _comparable(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    as_json = {"languages", "open_to_cards", "verifications", "social_posts", "contact", "honor"}
    as_json |= {"company_industries", "company_hq_location_address_components"}
    return {
        name: json.dumps(json.loads(value), sort_keys=True)
        if name in as_json and value is not None
        else value
        for name, value in row.items()
        if name in names
    }


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(lines=_lines("enrich"))
@example(lines=[{"data": {"updated_at": 50050511}}])
def test_every_table_is_what_the_oracle_says(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("oracle")
    slugs = [f"p{number}" for number in range(len(lines))]
    lines = [
        {"original_identifier": url(slug)} | line for slug, line in zip(slugs, lines, strict=True)
    ]

    result = flattened(folder, landed(folder, lines, asked=[url(slug) for slug in slugs]))

    report = result.report.files[0]
    assert (report.lines, report.records, report.quarantined) == (len(lines), len(lines), 0)
    for table in tables_of("enrich"):
        expected = [
            {"profile_key": key(slug)} | row
            for slug, line in zip(slugs, lines, strict=True)
            for row in expected_rows(table, "enrich", line)
        ]
        names = set(expected[0]) if expected else set()
        found = [_comparable(row, names) for row in result.rows(table.name)]
        assert found == expected, table.name
