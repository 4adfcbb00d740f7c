"""How identifiers are cut into requests."""

from hypothesis import given
from hypothesis import strategies as st

from crust_pipeline.vendors.crustdata.products import ENRICH
from crust_pipeline.vendors.known import opaque_key
from crust_pipeline.vendors.pronto.products import BULK_CONTACTS

BULK_CONTACT = BULK_CONTACTS["bulk_contact"]


@given(count=st.integers(0, 1_000))
def test_no_bulk_request_is_too_small_or_too_large_and_nobody_is_left_out(count: int) -> None:
    people = list(range(count))
    chunks = list(BULK_CONTACT.chunks(people))
    assert [person for _, chunk in chunks for person in chunk] == people
    if count == 1:
        assert chunks == [(BULK_CONTACT.alone, [0])]
    else:
        assert all(operation is BULK_CONTACT for operation, _ in chunks)
        assert all(2 <= len(chunk) <= 100 for _, chunk in chunks)
    assert len(chunks) == -(-count // 100)


def test_one_over_a_full_request_goes_with_another() -> None:
    sizes = [len(chunk) for _, chunk in BULK_CONTACT.chunks(range(101))]
    assert sizes == [99, 2]


def test_other_operations_fill_their_requests() -> None:
    sizes = [len(chunk) for _, chunk in ENRICH.chunks(range(20_001))]
    assert sizes == [10_000, 10_000, 1]


def test_an_opaque_key_says_nothing_and_is_always_the_same() -> None:
    key = opaque_key("linkedin.com/in/ada")
    assert key == opaque_key("linkedin.com/in/ada") != opaque_key("linkedin.com/in/bob")
    assert "ada" not in key
    assert len(key) == 32
