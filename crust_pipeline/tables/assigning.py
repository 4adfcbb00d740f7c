"""Whom each line belongs to: the days whose rows asked for it, or quarantine.

An identifier comes back as it was sent, or at least as one with the same key. The first line for a
key is its answer. All of this is settled after all lines are read, in SQL over line ids.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from crust_pipeline.identity import InvalidIdentifier, key_of_echo, key_of_url
from crust_pipeline.tables.files import ReadFile
from crust_pipeline.tables.judge import Verdict
from crust_pipeline.tables.landed import lines_at, stored_text
from crust_pipeline.tables.phones import e164
from crust_pipeline.tables.reading import columns_in_lines
from crust_pipeline.tables.spec import PARTITION, Table, quoted
from crust_pipeline.tables.staging import line_id, line_of, scratch_name

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NEVER_ASKED: Final = "an answer about somebody who was never asked for in this batch"
_REPEATED: Final = "an earlier line of this file answers the same"


def assign(
    connection: "DuckDBPyConnection",
    reads: Sequence[ReadFile],
    *,
    days: Collection[date],
    run_id: str,
    loaded_at: datetime,
) -> None:
    """Settle whom each line belongs to, as tables of the scratch database.

    `answers` gets a row per line that is used and day that asked for it, `asked_days` one per file,
    key and day. Files get their counts, and verdicts for lines that nobody asked for or that say
    again what an earlier one said.
    """
    _tell_files(connection, reads, run_id=run_id, loaded_at=loaded_at)
    connection.execute("""
        CREATE TABLE keys AS
        SELECT line_id, file_number, identifier, profile_key
        FROM (SELECT *, (line_id >> 32)::INTEGER AS file_number FROM lines)
        JOIN (SELECT file_number FROM files WHERE NOT set_aside) USING (file_number)
        LEFT JOIN (SELECT DISTINCT file_number, identifier, profile_key FROM asked)
            USING (file_number, identifier)
    """)
    _recognise_echoes(connection)
    wanted = ", ".join(f"DATE '{day}'" for day in days) or "NULL"
    connection.execute(f"""
        CREATE TABLE used AS
        SELECT *, row_number() OVER (PARTITION BY file_number, profile_key ORDER BY line_id) AS nth
        FROM keys WHERE profile_key IS NOT NULL;

        CREATE TABLE answers AS
        SELECT line_id, profile_key, {PARTITION}, (line_id & 4294967295)::BIGINT AS source_line,
            dense_rank() OVER (ORDER BY profile_key) AS place, submission_id, batch_id,
            source_file, run_id, loaded_at
        FROM used JOIN asked_days USING (file_number, profile_key) JOIN files USING (file_number)
        WHERE nth = 1 AND {PARTITION} IN ({wanted})
    """)
    _count(connection, reads)


def finished_select(connection: "DuckDBPyConnection", table: Table) -> str:
    """Give the SELECT of a table's rows, of all days, with all columns and the key's `place`."""
    in_lines = {column.name for column in columns_in_lines(table)}
    rows = f"{scratch_name(table)} AS r JOIN answers AS a USING (line_id)"
    columns: list[str] = []
    for column in table.columns:
        name = quoted(column.name)
        if column.name in in_lines:
            columns.append(f"r.{name}::{column.type} AS {name}")
        elif column.name == "identity_mismatch":
            rows += _translated(connection, table, "profile_url", _key_or_none)
            asked_by_url = "starts_with(a.profile_key, 'linkedin.com/in/')"
            columns.append(f"CASE WHEN {asked_by_url} THEN t.made <> a.profile_key END AS {name}")
        elif column.name == "phone_e164":
            rows += _translated(connection, table, "phone_number", e164)
            columns.append(f"t.made AS {name}")
        else:
            columns.append(f"a.{name}")
    return f"SELECT {', '.join(columns)}, a.place FROM {rows}"


def quarantined_select(connection: "DuckDBPyConnection", reads: Sequence[ReadFile]) -> str:
    """Give the SELECT of the quarantine rows, of all days.

    What nobody can be told to have asked for stands at the first day that the file was asked for.
    """
    columns: dict[str, list[object]] = {"line_id": [], "reason": [], "line": []}
    for read in reads:
        for verdict in _quarantined(read):
            columns["line_id"].append(line_id(read.number, verdict.line_number))
            columns["reason"].append(verdict.reason)
            columns["line"].append(verdict.content)
    types = {"line_id": pa.int64(), "reason": pa.string(), "line": pa.string()}
    rows = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
    connection.register("quarantined_rows", rows)
    return f"""
        SELECT reason, line, operation, k.profile_key,
            coalesce(d.{PARTITION}, first_day) AS {PARTITION}, submission_id, batch_id, source_file,
            (q.line_id & 4294967295)::BIGINT AS source_line, run_id, loaded_at
        FROM quarantined_rows AS q
        JOIN files AS f ON f.file_number = q.line_id >> 32
        LEFT JOIN keys AS k ON k.line_id = q.line_id
        LEFT JOIN asked_days AS d ON d.file_number = k.file_number AND d.profile_key = k.profile_key
    """


def _quarantined(read: ReadFile) -> list[Verdict]:
    whole_file = [
        Verdict(0, reason, "", field=False) for reason in (read.set_aside, read.note) if reason
    ]
    return whole_file if read.set_aside else [*read.verdicts, *whole_file]


def _tell_files(
    connection: "DuckDBPyConnection",
    reads: Sequence[ReadFile],
    *,
    run_id: str,
    loaded_at: datetime,
) -> None:
    asked = [
        read.landed.asked.select(["identifier", "profile_key", PARTITION]).append_column(
            "file_number", pa.array([read.number] * read.landed.asked.num_rows, pa.int32())
        )
        for read in reads
    ]
    nobody = pa.schema(
        [
            ("identifier", pa.string()),
            ("profile_key", pa.string()),
            (PARTITION, pa.date32()),
            ("file_number", pa.int32()),
        ]
    ).empty_table()
    connection.register(
        "asked_given", pa.concat_tables([nobody, *asked], promote_options="permissive")
    )
    connection.execute(f"""
        CREATE TABLE asked AS SELECT * FROM asked_given;
        CREATE TABLE asked_days AS SELECT DISTINCT file_number, profile_key, {PARTITION} FROM asked;
        CREATE TABLE files (
            file_number INTEGER, operation VARCHAR, submission_id VARCHAR, batch_id VARCHAR,
            source_file VARCHAR, set_aside BOOLEAN, first_day DATE, run_id VARCHAR,
            loaded_at TIMESTAMPTZ
        )
    """)
    for read in reads:
        file = read.landed
        connection.execute(
            f"INSERT INTO files SELECT ?, ?, ?, ?, ?, ?, "
            f"(SELECT min({PARTITION}) FROM asked WHERE file_number = ?), ?, ?::TIMESTAMPTZ",
            [
                read.number,
                file.operation,
                file.submission_id,
                file.batch_id,
                file.source_file,
                read.set_aside is not None,
                read.number,
                run_id,
                loaded_at.isoformat(),
            ],
        )


def _recognise_echoes(connection: "DuckDBPyConnection") -> None:
    """Give a key to lines whose identifier did not come back as it was sent."""
    found = connection.execute(
        "SELECT DISTINCT identifier FROM keys WHERE profile_key IS NULL"
    ).fetchall()
    echoes = {text: key for (text,) in found if (key := key_of_echo(text)) is not None}
    if not echoes:
        return
    connection.register(
        "echoes", pa.table({"identifier": list(echoes), "echoed_key": list(echoes.values())})
    )
    connection.execute("""
        UPDATE keys SET profile_key = echoed_key
        FROM echoes JOIN asked_days ON asked_days.profile_key = echoed_key
        WHERE keys.profile_key IS NULL AND keys.identifier = echoes.identifier
            AND keys.file_number = asked_days.file_number
    """)


def _count(connection: "DuckDBPyConnection", reads: Sequence[ReadFile]) -> None:
    counts = connection.execute(
        "SELECT file_number, count(*) FROM used WHERE nth = 1 GROUP BY ALL"
    ).fetchall()
    for file_number, records in counts:
        reads[file_number].records = records
    unused = {
        _REPEATED: "SELECT line_id FROM used WHERE nth > 1",
        _NEVER_ASKED: "SELECT line_id FROM keys WHERE profile_key IS NULL",
    }
    for reason, query in unused.items():
        numbers: dict[int, set[int]] = {}
        for (identity,) in connection.execute(query).fetchall():
            file_number, number = line_of(identity)
            numbers.setdefault(file_number, set()).add(number)
        for file_number, lines in numbers.items():
            read = reads[file_number]
            if reason == _REPEATED:
                read.duplicates = len(lines)
            read.verdicts += [
                Verdict(number, reason, stored_text(content), field=False)
                for number, content in lines_at(read.landed.path, lines).items()
            ]


def _translated(
    connection: "DuckDBPyConnection",
    table: Table,
    column: str,
    translate: Callable[[str], str | None],
) -> str:
    """Give the join that adds, as `t.made`, what Python makes of a column's values."""
    distinct = f"SELECT DISTINCT {column} FROM {scratch_name(table)} WHERE {column} IS NOT NULL"
    values = [value for (value,) in connection.execute(distinct).fetchall()]
    made = [translate(value) for value in values]
    given = pa.table({"value": pa.array(values, pa.string()), "made": pa.array(made, pa.string())})
    connection.register("translations", given)
    name = quoted(f"translated_{table.name}")
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM translations")
    connection.unregister("translations")
    return f" LEFT JOIN {name} AS t ON t.value = r.{column}"


def _key_or_none(url: str) -> str | None:
    try:
        return key_of_url(url)
    except InvalidIdentifier:
        return None
