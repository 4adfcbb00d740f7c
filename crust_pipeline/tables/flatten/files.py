"""A landed file: what `flatten` is given about it, what it learns, and what it reports."""

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from crust_pipeline.errors import CrustError
from crust_pipeline.tables.flatten.drift import Drift, unknown_keys
from crust_pipeline.tables.flatten.judge import Verdict
from crust_pipeline.vendors.catalog import line_of
from crust_pipeline.vendors.landed import LandedText
from crust_pipeline.vendors.lines import Line


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A landed file and who was asked for in it.

    Args:
        submission_id: Our id of the batch.
        batch_id: The vendor's.
        operation: The batch's operation.
        path: Where the file is.
        source_file: What it is called in the tables.
        sha256: Its SHA-256.
        asked: One row per asked identifier and day: `identifier` (as sent), `subject_key`,
            `partition_date`.
    """

    submission_id: str
    batch_id: str
    operation: str
    path: Path
    source_file: str
    sha256: str
    asked: pa.Table


class RawFileError(CrustError):
    """A landed file is not what the ledger says of it."""

    def __init__(self, source_file: str, submission_id: str, *, problem: str) -> None:
        """Name the file and its batch, and say what may be done."""
        super().__init__(
            f"The raw file {source_file} of batch {submission_id} {problem}. Tables that were made "
            "of it stay as they are. Restore it in the raw folder from a backup made after it "
            "landed, then load the day again. Without a backup, `crust-pipeline refetch "
            f"{submission_id}` may help while the vendor keeps the file."
        )


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of the lines of one file; if none got lost, `lines` = `records` + `quarantined`.

    Args:
        source_file: Its name.
        lines: Lines in it.
        records: Lines that became rows.
        quarantined: Lines that could not be used.
        duplicates: Those of them that answer what an earlier line answered.
        mended: Records that lost a field to quarantine.
        drift: Keys that no column reads.
        note: What is wrong with the end of the file, its lines being good.
        set_aside: Why the whole file is left out of the tables; None if it is not.
    """

    source_file: str
    lines: int
    records: int
    quarantined: int
    duplicates: int
    mended: int
    drift: tuple[Drift, ...]
    note: str | None
    set_aside: str | None


@dataclass(slots=True)
class ReadFile:
    """A landed file, where its text is while it is read, and what reading it showed."""

    number: int
    landed: LandedFile
    spool: Path
    lines: int = 0
    records: int = 0
    duplicates: int = 0
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    drifted: bool = False
    note: str | None = None
    set_aside: str | None = None

    @property
    def line(self) -> Line:
        """How its lines are read."""
        return line_of(self.landed.operation)

    def forget(self, verdicts: list[Verdict]) -> None:
        """Go back to before the lines were assigned, when these were the verdicts."""
        self.verdicts, self.records, self.duplicates = list(verdicts), 0, 0

    def report(self) -> FileReport:
        """Sum up. Counting unknown keys reads the file again, if a sample has shown any."""
        drift: tuple[Drift, ...] = ()
        if self.drifted and self.set_aside is None:
            lines = LandedText(self.landed.path).lines()
            drift = unknown_keys(self.line, lines)
        return FileReport(
            source_file=self.landed.source_file,
            lines=self.lines,
            records=self.records,
            quarantined=self._quarantined(),
            duplicates=self.duplicates,
            mended=len({verdict.line_number for verdict in self.verdicts if verdict.field}),
            drift=drift,
            note=self.note,
            set_aside=self.set_aside,
        )

    def _quarantined(self) -> int:
        # Counted, and not what is left of `lines`: a line that got lost must show.
        if self.set_aside is not None:
            return self.lines
        return len({verdict.line_number for verdict in self.verdicts if not verdict.field})
