"""Whom each line belongs to: the days whose rows asked for it, or quarantine.

An identifier comes back as it was sent, or at least as one with the same key. The first line for a
key is its answer. All of this is settled before any line is parsed, in SQL over the table of lines.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from crust_pipeline.tables.flatten.files import ReadFile
from crust_pipeline.tables.flatten.judge import Judge, Verdict
from crust_pipeline.tables.flatten.lines import line_text
from crust_pipeline.tables.spec import PARTITION
from crust_pipeline.vendors.landed import stored_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# file_number, source_line, start, size
_Line = tuple[int, int, int, int]

_NEVER_ASKED: Final = "an answer about somebody who was never asked for in this batch"
_REPEATED: Final = "an earlier line of this file answers the same"


def assign(
    connection: "DuckDBPyConnection",
    reads: Sequence[ReadFile],
    lines: pa.Table,
    *,
    days: Collection[date],
    run_id: str,
    loaded_at: datetime,
) -> None:
    """Settle whom each line belongs to, as tables of the scratch database.

    `answers` gets a row per line that is used and day that asked for it, numbered (`place`) in the
    order in which rows are stored; `keys` whom each line is about; `asked_days` one row per file,
    key and day. Files get their counts, and verdicts for lines that nobody asked for or that say
    again what an earlier one said.
    """
    _tell_files(connection, reads, run_id=run_id, loaded_at=loaded_at)
    connection.register("lines", lines)
    connection.execute("""
        CREATE OR REPLACE TABLE keys AS
        SELECT lines.* EXCLUDE (identifier), subject_key,
            CASE WHEN subject_key IS NULL THEN identifier END AS identifier
        FROM lines
        JOIN (SELECT file_number FROM files WHERE NOT set_aside) USING (file_number)
        LEFT JOIN (SELECT DISTINCT file_number, identifier, subject_key FROM asked)
            USING (file_number, identifier)
    """)
    _recognise_echoes(connection, reads)
    _drop_bad_among_repeated(connection, reads)
    wanted = ", ".join(f"DATE '{day}'" for day in days) or "NULL"
    connection.execute(f"""
        CREATE OR REPLACE VIEW used AS
        SELECT *,
            row_number() OVER (PARTITION BY file_number, subject_key ORDER BY source_line) AS nth
        FROM keys WHERE subject_key IS NOT NULL;

        CREATE OR REPLACE TABLE answers AS
        SELECT row_number() OVER (
                ORDER BY {PARTITION}, subject_key, submission_id, source_line, source_file
            ) - 1 AS place, {PARTITION}, subject_key, file_number, source_line, start, size
        FROM used JOIN asked_days USING (file_number, subject_key)
            JOIN files USING (file_number)
        WHERE nth = 1 AND {PARTITION} IN ({wanted})
    """)
    _count(connection, reads)


def quarantined_select(connection: "DuckDBPyConnection", reads: Sequence[ReadFile]) -> str:
    """Return the SELECT of the quarantine rows, of all days.

    A line that matches no identifier stands at the first day that the file was asked for.
    """
    rows = [(read.number, verdict) for read in reads for verdict in _quarantined(read)]
    given = pa.table(
        {
            "file_number": pa.array([number for number, _ in rows], pa.int32()),
            "source_line": pa.array([verdict.line_number for _, verdict in rows], pa.int64()),
            "reason": pa.array([verdict.reason for _, verdict in rows], pa.string()),
            "line": pa.array([verdict.content for _, verdict in rows], pa.string()),
        }
    )
    connection.register("quarantined_rows", given)
    return f"""
        SELECT reason, line, operation, k.subject_key AS profile_key,
            coalesce(d.{PARTITION}, first_day) AS {PARTITION}, submission_id, batch_id, source_file,
            q.source_line, run_id, loaded_at
        FROM quarantined_rows AS q
        JOIN files AS f USING (file_number)
        LEFT JOIN keys AS k ON k.file_number = q.file_number AND k.source_line = q.source_line
        LEFT JOIN asked_days AS d ON d.file_number = k.file_number AND d.subject_key = k.subject_key
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
        read.landed.asked.select(["identifier", "subject_key", PARTITION]).append_column(
            "file_number", pa.array([read.number] * read.landed.asked.num_rows, pa.int32())
        )
        for read in reads
    ]
    nobody = pa.schema(
        [
            ("identifier", pa.string()),
            ("subject_key", pa.string()),
            (PARTITION, pa.date32()),
            ("file_number", pa.int32()),
        ]
    ).empty_table()
    connection.register("asked", pa.concat_tables([nobody, *asked], promote_options="permissive"))
    connection.execute(f"""
        CREATE OR REPLACE TABLE asked_days AS
        SELECT DISTINCT file_number, subject_key, {PARTITION} FROM asked;
        CREATE OR REPLACE TABLE files (
            file_number INTEGER, operation VARCHAR, submission_id VARCHAR, batch_id VARCHAR,
            source_file VARCHAR, set_aside BOOLEAN, first_day DATE, run_id VARCHAR,
            loaded_at TIMESTAMPTZ
        )
    """)
    for read in reads:
        file = read.landed
        connection.execute(
            f"INSERT INTO files SELECT ?, ?, ?, ?, ?, ?, "
            f"(SELECT min({PARTITION}) FROM asked_days WHERE file_number = ?), ?, ?::TIMESTAMPTZ",
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


def _recognise_echoes(connection: "DuckDBPyConnection", reads: Sequence[ReadFile]) -> None:
    """Return a key to lines whose identifier did not come back as it was sent."""
    found: list[tuple[int, str]] = connection.execute(
        "SELECT DISTINCT file_number, identifier FROM keys WHERE subject_key IS NULL"
    ).fetchall()
    echoes = [
        (number, text, key)
        for number, text in found
        if (key := reads[number].line.key_of(text)) is not None
    ]
    if not echoes:
        return
    numbers, texts, keys = zip(*echoes, strict=True)
    connection.register(
        "echoes",
        pa.table(
            {
                "file_number": pa.array(numbers, pa.int32()),
                "identifier": pa.array(texts, pa.string()),
                "echoed_key": pa.array(keys, pa.string()),
            }
        ),
    )
    connection.execute("""
        UPDATE keys SET subject_key = echoed_key
        FROM echoes JOIN asked_days
            ON asked_days.subject_key = echoed_key AND asked_days.file_number = echoes.file_number
        WHERE keys.subject_key IS NULL AND keys.identifier = echoes.identifier
            AND keys.file_number = echoes.file_number
    """)


def _drop_bad_among_repeated(connection: "DuckDBPyConnection", reads: Sequence[ReadFile]) -> None:
    """Take bad lines from those that answer for the same person, lest one keeps out a good one."""
    repeated: list[_Line] = connection.execute("""
        SELECT file_number, source_line, start, size FROM keys
        WHERE subject_key IS NOT NULL
        QUALIFY count(*) OVER (PARTITION BY file_number, subject_key) > 1
    """).fetchall()
    for file_number, source_line, start, size in repeated:
        read = reads[file_number]
        text = line_text(read, start, size)
        if reason := Judge(read.line).no_answer_reason(text):
            read.verdicts.append(Verdict(source_line, reason, stored_text(text), field=False))
            connection.execute(
                "DELETE FROM keys WHERE file_number = ? AND source_line = ?",
                [file_number, source_line],
            )


def _count(connection: "DuckDBPyConnection", reads: Sequence[ReadFile]) -> None:
    """Count what is used, and give verdicts for what is not."""
    counts = connection.execute(
        "SELECT file_number, count(*) FROM used WHERE nth = 1 GROUP BY ALL"
    ).fetchall()
    for file_number, records in counts:
        reads[file_number].records = records
    unused = {
        _REPEATED: "FROM used WHERE nth > 1",
        _NEVER_ASKED: "FROM keys WHERE subject_key IS NULL",
    }
    for reason, rows in unused.items():
        found: list[_Line] = connection.execute(
            f"SELECT file_number, source_line, start, size {rows} ORDER BY ALL"
        ).fetchall()
        for file_number, source_line, start, size in found:
            read = reads[file_number]
            read.duplicates += reason == _REPEATED
            text = line_text(read, start, size)
            worse = Judge(read.line).no_answer_reason(text)
            read.verdicts.append(
                Verdict(source_line, worse or reason, stored_text(text), field=False)
            )
