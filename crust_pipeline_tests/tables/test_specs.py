"""The table specs: the contract, what follows from a spec, and what the vendor documents."""

import json
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from crust_pipeline.tables.flatten.drift import unknown_keys
from crust_pipeline.tables.spec import Table
from crust_pipeline.tables.specs import TABLES, tables_of
from crust_pipeline.vendors.catalog import OPERATIONS, line_of
from tools.tables_page import tables_page

_PAYLOADS = Path(__file__).parents[1] / "sandbox" / "payloads"

# Other people's SQL depends on these names.
_CONTRACT = {
    "companies": "company_key crustdata_company_id name primary_domain headcount funding_total_usd "
    "country industry",
    "profile_urls": "partition_date row_id profile_url profile_key business_email first_name "
    "last_name company_name company_domain external_id source added_on extra",
    "identities": "profile_key matched_on match_type match_status confidence_score "
    "crustdata_person_id name headline current_title profile_url location_city",
    "contact_emails": "profile_key crustdata_person_id email email_type status position vendor",
    "contact_phones": "profile_key crustdata_person_id phone_number phone_e164 position vendor",
    "contact_websites": "profile_key crustdata_person_id website position",
    "people": "profile_key crustdata_person_id name first_name last_name headline current_title "
    "summary location_city connections followers identity_mismatch",
    "employment": "profile_key crustdata_person_id is_current position company_name title "
    "crustdata_company_id start_date end_date is_default",
    "education": "profile_key crustdata_person_id position",
    "skills": "profile_key crustdata_person_id position",
    "certifications": "profile_key crustdata_person_id position",
    "honors": "profile_key crustdata_person_id position",
    "dev_platform_profiles": "profile_key crustdata_person_id position",
    "dev_platform_repos": "profile_key crustdata_person_id position",
    "outcomes": "partition_date row_id operation profile_key outcome submission_id batch_id detail",
    "batches": "submission_id batch_id vendor state attempt created_at submitted_at landed_at",
    "credit_usage": "partition_date operation vendor submission_id batch_id identifiers delivered "
    "unrequested "
    "credits_reserved credits_computed credits_reported",
    "quarantine": "source_file source_line reason line",
}
_LINEAGE = "partition_date submission_id batch_id source_file source_line run_id loaded_at"

_all_tables = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())


@_all_tables
def test_a_table_has_the_columns_that_others_depend_on(table: Table) -> None:
    names = [column.name for column in table.columns]

    assert len(names) == len(set(names))
    assert table.name in _CONTRACT, "a new table: add the columns that others may depend on"
    assert set(names) >= set(_CONTRACT[table.name].split())
    if table.operations or table.name == "quarantine":
        assert set(names) >= set(_LINEAGE.split())


@_all_tables
def test_a_table_and_its_columns_are_described_in_duckdb(table: Table) -> None:
    with duckdb.connect() as connection:
        for statement in (table.create_statement(), *table.comment_statements()):
            connection.execute(statement)
        comments = connection.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()

    assert dict(comments) == {column.name: column.description for column in table.columns}


@_all_tables
def test_a_table_sorts_by_columns_it_has(table: Table) -> None:
    names = {column.name for column in table.columns}

    assert {name.removesuffix(" DESC") for name in table.order} <= names


@_all_tables
def test_descriptions_are_sentences(table: Table) -> None:
    for column in table.columns:
        assert re.fullmatch(r"\S.*\.", column.description), column.name


def test_the_version_of_a_table_changes_with_its_columns() -> None:
    table = TABLES["skills"]
    fewer = Table(table.name, table.one_row_per, table.columns[1:], table.sources)

    assert table.version != fewer.version


def test_each_operation_has_its_tables() -> None:
    assert [table.name for table in tables_of("identify")] == ["identities"]
    assert len(tables_of("contact")) == 3
    assert len(tables_of("enrich")) == 8


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("results-batch-person-enrich.documented.jsonl", "enrich"),
        ("results-batch-person-identify.current.inferred.jsonl", "identify"),
        ("results-batch-person-identify.seed-era.inferred.jsonl", "identify"),
        ("results-batch-person-contact-enrich.envelope.inferred.jsonl", "contact"),
    ],
)
def test_every_key_of_the_vendors_examples_is_read(name: str, operation: str) -> None:
    drift = unknown_keys(line_of(operation), (_PAYLOADS / name).read_bytes().splitlines())

    # The contact answer is about whom we asked; no other key is passed over.
    assert [found.path for found in drift] == []


@pytest.mark.parametrize(
    "name",
    [
        "sync-person-contact-enrich.response.json",
        "sync-person-contact-enrich.no-match.inferred.json",
        "sync-person-contact-enrich.verified-none-survive.inferred.json",
    ],
)
def test_every_key_of_a_synchronous_answer_is_expected(name: str) -> None:
    lines = [json.dumps(row).encode() for row in json.loads((_PAYLOADS / name).read_text())]

    assert unknown_keys(line_of("contact"), lines) == ()


def test_every_leaf_of_a_full_record_is_a_column() -> None:
    record = json.loads((_PAYLOADS / "person-record.all-groups.inferred.json").read_text())
    line = {"original_identifier": "x", "internal_id": 1, "data": record}

    assert unknown_keys(line_of("enrich"), [json.dumps(line).encode()]) == ()


def test_every_operation_says_what_its_lines_must_hold() -> None:
    assert set(OPERATIONS) == {name for table in TABLES.values() for name in table.operations}


def test_the_documentation_of_the_tables_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "tables.md"

    assert page.read_text() == tables_page(), "run make docs"


@pytest.mark.process
def test_importing_the_specs_does_not_import_duckdb() -> None:
    script = (
        "import sys; from crust_pipeline.tables.specs import TABLES; "
        "print(bool(TABLES), 'duckdb' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert found.stdout.strip() == b"True False"
