"""Result files and the links that lead to them."""

import gzip
from datetime import timedelta

import pytest

from crust_pipeline_tests.sandbox.conftest import CONTACT, ENRICH, HEADERS, SAM, Caller, lines_of

URLS = "professional_network_profile_urls"
MANY = [f"https://www.linkedin.com/in/person-{n}" for n in range(120)]


@pytest.fixture
def done(caller: Caller) -> dict[str, str]:
    return caller.finish(caller.submit(ENRICH, **{URLS: MANY, "chunk_size": 50}))


def test_the_file_is_gzip_without_content_encoding(caller: Caller, done: dict[str, str]) -> None:
    response = caller.storage.get(done["download_url"])
    assert response.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in response.headers
    assert response.content.startswith(b"\x1f\x8b")
    assert response.headers["content-length"] == str(len(response.content))
    assert gzip.decompress(response.content).endswith(b"}\n")


def test_a_request_with_authorization_is_refused_like_s3_does(
    caller: Caller, done: dict[str, str]
) -> None:
    response = caller.storage.get(done["download_url"], headers=HEADERS)
    assert response.status_code == 400
    assert "Only one auth mechanism allowed" in response.text


def test_the_parts_hold_the_rows_of_the_merged_file_in_its_order(
    caller: Caller, done: dict[str, str]
) -> None:
    merged = caller.file(done["download_url"])
    parts = [caller.file(url) for url in done["download_urls"]]
    assert [len(part) for part in parts] == [50, 50, len(merged) - 100]
    assert [line for part in parts for line in part] == merged


def test_there_may_be_one_part(caller: Caller, done: dict[str, str]) -> None:
    caller.sandbox.change(parts="one")
    status = caller.status(done["batch_id"])
    (url,) = status["download_urls"]
    assert caller.file(url) == caller.file(status["download_url"])


def test_links_name_the_batch_and_the_file(done: dict[str, str]) -> None:
    folder = f"/{done['batch_id']}/output"
    assert f"{folder}/results.jsonl.gz?X-Amz-Expires=432000&" in done["download_url"]
    assert f"{folder}/part-001.jsonl.gz?" in done["download_urls"][1]


def test_the_lines_are_not_in_input_order(caller: Caller, done: dict[str, str]) -> None:
    echoed = [line["original_identifier"] for line in caller.file(done["download_url"])]
    assert echoed != [url for url in MANY if url in echoed]


def test_the_lines_may_be_in_input_order(caller: Caller) -> None:
    caller.sandbox.change(line_order="input")
    echoed = [line["original_identifier"] for line in caller.lines(ENRICH, **{URLS: MANY})]
    assert echoed == [url for url in MANY if url in echoed]


def test_a_file_is_the_same_each_time(caller: Caller, done: dict[str, str]) -> None:
    first = caller.storage.get(done["download_url"]).content
    caller.sandbox.files.forget()
    assert caller.storage.get(done["download_url"]).content == first


def test_a_link_lives_five_days_and_is_renewed(caller: Caller, done: dict[str, str]) -> None:
    caller.sandbox.clock.advance(timedelta(days=4, hours=23).total_seconds())
    assert caller.storage.get(done["download_url"]).status_code == 200
    caller.sandbox.clock.advance(timedelta(hours=2).total_seconds())
    response = caller.storage.get(done["download_url"])
    assert (response.status_code, "expired" in response.text) == (403, True)
    fresh = caller.status(done["batch_id"])["download_url"]
    assert caller.storage.get(fresh).status_code == 200


def test_a_link_may_never_be_renewed(caller: Caller, done: dict[str, str]) -> None:
    caller.sandbox.change(links_renewed=False)
    caller.sandbox.clock.advance(timedelta(days=6).total_seconds())
    late = caller.status(done["batch_id"])["download_url"]
    assert caller.storage.get(late).status_code == 403


@pytest.mark.parametrize("change", ["", "x"])
def test_a_link_that_was_not_signed_here_is_refused(
    caller: Caller, done: dict[str, str], change: str
) -> None:
    forged = done["download_url"].partition("?")[0] + change
    assert caller.storage.get(forged).status_code == 403
    assert caller.storage.get(done["download_url"] + "0").status_code == 403


def test_a_download_can_be_taken_up_where_it_ended(caller: Caller, done: dict[str, str]) -> None:
    whole = caller.storage.get(done["download_url"])
    rest = caller.storage.get(done["download_url"], headers={"range": "bytes=100-"})
    assert rest.status_code == 206
    assert (
        rest.headers["content-range"] == f"bytes 100-{len(whole.content) - 1}/{len(whole.content)}"
    )
    assert rest.headers["etag"] == whole.headers["etag"]
    assert whole.content[:100] + rest.content == whole.content
    middle = caller.storage.get(done["download_url"], headers={"range": "bytes=5-9"})
    assert middle.content == whole.content[5:10]


def test_a_range_past_the_end_is_416(caller: Caller, done: dict[str, str]) -> None:
    response = caller.storage.get(done["download_url"], headers={"range": "bytes=99999999-"})
    assert response.status_code == 416


def test_equal_identifiers_have_a_line_each(caller: Caller) -> None:
    batch = caller.finish(caller.submit(ENRICH, **{URLS: [SAM, SAM, f"{SAM}/"]}))
    assert batch["result_count"] == 3
    assert caller.sandbox.account.spent == 3


def test_equal_identifiers_may_be_collapsed(caller: Caller) -> None:
    caller.sandbox.change(duplicates="collapsed")
    batch = caller.finish(caller.submit(ENRICH, **{URLS: [SAM, SAM, f"{SAM}/"]}))
    assert (batch["identifier_count"], batch["result_count"]) == (3, 2)
    assert caller.sandbox.account.spent == 2
    lines = caller.file(batch["download_url"])
    assert {line["original_identifier"] for line in lines} == {SAM, f"{SAM}/"}


def test_a_change_of_shape_changes_files_not_yet_made(caller: Caller) -> None:
    body = {URLS: [SAM], "fields": ["business_email"]}
    done = caller.finish(caller.submit(CONTACT, **body))
    (before,) = lines_of(caller.storage.get(done["download_url"]).content)
    caller.sandbox.change(contact_lines="envelope")
    (after,) = lines_of(caller.storage.get(done["download_url"]).content)
    assert "business_email" in before
    assert "data" in after
