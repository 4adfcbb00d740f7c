"""The client against the sandbox: both were written from the documents, neither from the other."""

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from crust_pipeline.keys import KeyKind
from crust_pipeline.sandbox.serve import RunningSandbox, running_sandbox
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.crustdata.client import CrustdataClient
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import CONTACT_SYNC, ENRICH, IDENTIFY, LIVE_ENRICH
from crust_pipeline.vendors.models import Accepted, JobStatus
from crust_pipeline.vendors.product import Product

PEOPLE = [f"https://www.linkedin.com/in/person-{number}" for number in range(20)]
EMAILS = [f"person-{number}@works.example" for number in range(20)]


@pytest.fixture
def switches() -> Switches:
    return Switches(instant_jobs=True)


@pytest.fixture
def sandbox(switches: Switches) -> Iterator[RunningSandbox]:
    with running_sandbox(switches=switches) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: RunningSandbox) -> Iterator[CrustdataClient]:
    with CrustdataClient(
        api_key=sandbox.api_key, base_url=sandbox.base_url, sleep=lambda _seconds: None
    ) as client:
        yield client


def submit(client: CrustdataClient, operation: Product = ENRICH) -> Accepted:
    return client.submit(
        operation, identifier_type="profile_url", identifiers=PEOPLE, fields=operation.fields
    )


@pytest.mark.parametrize(
    ("operation", "identifier_type"),
    [
        (ENRICH, "profile_url"),
        (ENRICH, "email"),
        (IDENTIFY, "profile_url"),
        (IDENTIFY, "email"),
        (CONTACT, "profile_url"),
        (LIVE_ENRICH, "profile_url"),
    ],
    ids=lambda value: value.name if isinstance(value, Product) else value,
)
@pytest.mark.parametrize(
    "switches",
    [
        Switches(instant_jobs=True),
        Switches(
            instant_jobs=True,
            submit_status=202,
            completed_at_before_end="absent",
            parts="one",
            contact_lines="envelope",
            identify_lines="old",
        ),
    ],
    ids=["as documented", "otherwise"],
)
def test_a_batch_of_every_operation_comes_back(
    client: CrustdataClient, operation: Product, identifier_type: KeyKind, tmp_path: Path
) -> None:
    accepted = client.submit(
        operation,
        identifier_type=identifier_type,
        identifiers=PEOPLE if identifier_type == "profile_url" else EMAILS,
        fields=operation.fields,
    )
    job = client.job(accepted.batch_id)
    assert job.download_url is not None
    downloaded = client.download(job.download_url, tmp_path / "file")
    lines = gzip.decompress((tmp_path / "file").read_bytes()).splitlines()

    assert job.status is JobStatus.COMPLETED
    assert (job.entity, job.action) in operation.jobs
    assert job.identifier_count == accepted.identifier_count == len(PEOPLE)
    assert downloaded.bytes == (tmp_path / "file").stat().st_size
    assert [type(json.loads(line)) for line in lines] == [dict] * (job.result_count or 0)
    assert (len(lines) == len(PEOPLE)) is operation.lists_unresolved


def test_jobs_are_listed_newest_first_with_the_vendors_clock(client: CrustdataClient) -> None:
    ids = [submit(client).batch_id for _ in range(3)]

    first = client.jobs(limit=2)
    rest = client.jobs(limit=2, cursor=first.next_cursor)

    assert [job.batch_id for job in (*first.jobs, *rest.jobs)] == ids[::-1]
    assert (first.has_more, rest.has_more) == (True, False)
    assert first.server_time is not None


def test_balance_access_and_usage_can_be_read(client: CrustdataClient) -> None:
    before = client.credits()
    submit(client)
    after = client.credits()

    assert before is not None
    assert after is not None
    assert after < before
    assert not any(access.is_refused for access in client.endpoints())
    assert isinstance(list(client.usage_events()), list)


def test_contacts_are_looked_up_at_once(client: CrustdataClient) -> None:
    answers = client.answer_at_once(
        CONTACT_SYNC,
        identifier_type="profile_url",
        identifiers=PEOPLE,
        fields=["contact.business_emails"],
    )

    assert [json.loads(line)["matched_on"] for line in answers.lines] == PEOPLE
    assert answers.credits_used is not None
    assert answers.credits_used > Decimal(0)


@pytest.mark.parametrize(
    "switches",
    [
        Switches(time_scale=0.001, retry_after=retry_after, max_active_jobs=1)
        for retry_after in (False, True)
    ],
    ids=["no retry-after", "retry-after"],
)
def test_a_submit_over_the_active_jobs_finds_no_slot(client: CrustdataClient) -> None:
    submit(client)

    with pytest.raises(errors.SlotsFull):
        submit(client)


def test_a_rate_limit_is_no_lack_of_slots(sandbox: RunningSandbox, client: CrustdataClient) -> None:
    sandbox.fail("rate_limited")

    with pytest.raises(errors.RateLimited):
        submit(client)


@pytest.mark.parametrize(
    "fault",
    [
        "connection_lost_after_accept",
        "server_error_after_accept",
        "empty_answer",
        "unreadable_answer",
        "no_batch_id",
    ],
)
def test_a_submit_whose_answer_is_lost_has_started_a_job(
    sandbox: RunningSandbox, client: CrustdataClient, fault: str
) -> None:
    sandbox.fail(fault)

    with pytest.raises(errors.MaybeStarted):
        submit(client)

    assert len(client.jobs().jobs) == 1


def test_a_submit_that_is_refused_a_connection_starts_nothing(
    sandbox: RunningSandbox, client: CrustdataClient
) -> None:
    with sandbox.refusing(), pytest.raises(errors.NotSent):
        submit(client)

    assert client.jobs().jobs == ()


@pytest.mark.parametrize("fault", ["truncated_download", "redirect"])
def test_a_download_survives(
    sandbox: RunningSandbox, client: CrustdataClient, tmp_path: Path, fault: str
) -> None:
    link = client.job(submit(client).batch_id).download_url
    assert link is not None
    sandbox.fail(fault)

    client.download(link, tmp_path / "file")

    assert gzip.decompress((tmp_path / "file").read_bytes())


def test_a_dead_link_is_replaced_by_asking_again(
    sandbox: RunningSandbox, client: CrustdataClient, tmp_path: Path
) -> None:
    batch_id = submit(client).batch_id
    link = client.job(batch_id).download_url
    assert link is not None
    sandbox.fail("dead_link")
    with pytest.raises(errors.LinkDead):
        client.download(link, tmp_path / "file")

    fresh = client.job(batch_id).download_url
    assert fresh is not None
    assert client.download(fresh, tmp_path / "file").bytes > 0


@pytest.mark.parametrize(
    ("switches", "error"),
    [
        (Switches(denied_fields=("honors",)), errors.FieldsDenied),
        (Switches(disabled_endpoints=(ENRICH.path,)), errors.NotPermitted),
    ],
    ids=["fields", "endpoint"],
)
def test_what_the_plan_does_not_include_is_refused(
    client: CrustdataClient, error: type[errors.VendorError]
) -> None:
    with pytest.raises(error) as caught:
        submit(client)

    assert not isinstance(caught.value, errors.FieldsDenied) or caught.value.fields == ("honors",)


@pytest.mark.parametrize(
    "switches",
    [Switches(bad_fields_metadata="list"), Switches(bad_fields_metadata="object")],
    ids=["list", "object"],
)
def test_an_unsupported_field_names_those_that_exist(client: CrustdataClient) -> None:
    with pytest.raises(errors.FieldsUnsupported) as caught:
        client.submit(ENRICH, identifier_type="profile_url", identifiers=PEOPLE, fields=["salary"])

    assert "basic_profile" in caught.value.available_fields


def test_a_wrong_key_is_refused(sandbox: RunningSandbox) -> None:
    with (
        CrustdataClient(api_key="wrong", base_url=sandbox.base_url) as client,
        pytest.raises(errors.InvalidKey),
    ):
        client.credits()


def test_an_unknown_job_is_not_found(client: CrustdataClient) -> None:
    with pytest.raises(errors.NotFound):
        client.job("00000000-0000-4000-8000-000000000000")
