"""Land: keep the vendor's file as received before anything parses it, then settle what was bought.

A file is kept first, and the ledger knows it, before anybody looks into it: whatever goes wrong
then is tried again from our disk, without the link. One that does not pass its checks is fetched
again while that may help, and is used as far as it can be read in the end: it is paid for.
"""

import gzip
import hashlib
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

from crust_pipeline.buying.account import Account, owner_is_gone
from crust_pipeline.buying.settle import settle
from crust_pipeline.errors import CrustError, DiskFullError, Failures, full_disk_named, one_pass
from crust_pipeline.ledger import land as ledger_land
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger.land import (
    DirectAnswer,
    DueLanding,
    KeptFile,
    LandingRecord,
    Settled,
)
from crust_pipeline.ledger.states import Answer
from crust_pipeline.ledger.submit import Intent, backoff
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.landed import FileAnswers, read_answers
from crust_pipeline.vendors.models import Answers, Job, JobStatus

# The vendor's links are valid for 5 days (its documents); after that a landing has failed for good.
LINK_LIVES = timedelta(days=5)
CHECKS_BEFORE_TAKING_AS_IT_IS = 3
# A file that breaks off every time is paid for all the same: its whole lines are used.
TRIES_BEFORE_TAKING_WHAT_COMES = 6
# So many fresh links, each of them dead: there is no file any more, whatever the clocks say.
MAX_DEAD_LINKS = 8
_LINE_END = gzip.compress(b"\n", mtime=0)


class FileCheckError(CrustError):
    """The file that came is not what the vendor says it is."""

    def __init__(self, problem: str, *, sha256: str | None = None) -> None:
        """Say what is wrong; `sha256` is the file's, to see whether it comes out the same again."""
        super().__init__(problem)
        self.sha256 = sha256


@dataclass(slots=True)
class Landed:
    """What a pass of landings came to, as submission ids."""

    landed: list[str] = field(default_factory=list[str])
    later: list[str] = field(default_factory=list[str])
    expired: list[str] = field(default_factory=list[str])
    undone: list[str] = field(default_factory=list[str])
    trouble: str | None = None

    def add(self, later: "Landed") -> None:
        """Count a later pass in."""
        self.landed += later.landed
        self.later += later.later
        self.expired += later.expired
        self.undone += later.undone
        self.trouble = later.trouble or self.trouble


def land_files(
    account: Account,
    *,
    may_go_on: Callable[[], bool] = lambda: True,
    failures: Failures | None = None,
) -> Landed:
    """Land every completed file that is due, the oldest link first.

    Args:
        account: the account.
        may_go_on: asked before each file; when it says no, the rest waits for the next pass.
        failures: collects the batches that failed; None: they are raised at the end.
    """
    done = Landed()
    with one_pass(failures) as failed:
        for due in ledger_land.due_landings(account.ledger, now=account.now()):
            if not may_go_on():
                break
            if due.owner and not owner_is_gone(due.owner, at=due.taken_at, now=account.now()):
                continue
            if ledger_land.take_landing(
                account.ledger, due, owner=account.owner, now=account.now()
            ):
                note = partial(_try_later, account, due, done)
                with failed.unit("landing", "batch", due.submission_id, note=note):
                    _land(account, due, done)
    return done


def _land(account: Account, due: DueLanding, done: Landed) -> None:
    on_disk = due.kept if due.kept and _is_whole(account, due.kept) else None
    try:
        kept, lines_expected = _kept_file(account, due, on_disk)
        file, read = _looked_into(account, due, kept, lines_expected=lines_expected)
    except (errors.LinkDead, errors.NotFound) as error:
        too_late = account.now() - due.completed_at > LINK_LIVES
        if (too_late or due.dead_links + 1 >= MAX_DEAD_LINKS) and not on_disk:
            reason = f"the link died before the file was kept: {error}"
            ledger_land.record_expired(
                account.ledger, due.submission_id, reason=reason, now=account.now()
            )
            done.expired.append(due.submission_id)
        else:
            _try_later(account, due, done, str(error), dead_link=True)
    except FileCheckError as error:
        _try_later(account, due, done, str(error), sha256=error.sha256)
    except DiskFullError:
        raise  # waiting makes no room: the pass says so at its end
    except (errors.VendorError, OSError) as error:
        _try_later(account, due, done, str(error))
    else:
        settled = _settle_file(
            account,
            due.submission_id,
            product=due.product,
            fields=due.fields,
            read=read,
            lines_expected=lines_expected,
            adopted=due.adopted,
        )
        if settled is None:
            reason = (
                f"job {due.batch_id} was adopted, but nothing in its file shows that it is this "
                "batch's. If it came without any results, nothing was billed for it"
            )
            ledger_poll.record_foreign_job(
                account.ledger, due.submission_id, reason=reason, now=account.now()
            )
            done.undone.append(due.submission_id)
        elif ledger_land.record_landed(
            account.ledger, due.submission_id, file, settled=settled, now=account.now()
        ):
            done.landed.append(due.submission_id)


def _try_later(
    account: Account,
    due: DueLanding,
    done: Landed,
    error: str,
    *,
    sha256: str | None = None,
    dead_link: bool = False,
) -> None:
    wait = backoff(due.tries, first_seconds=max(account.poll_seconds, 1), most_seconds=900)
    ledger_land.land_again(
        account.ledger,
        due.submission_id,
        at=account.now() + wait,
        error=error,
        sha256=sha256,
        dead_link=dead_link,
    )
    done.later.append(due.submission_id)
    done.trouble = error


def _kept_file(
    account: Account, due: DueLanding, on_disk: KeptFile | None
) -> tuple[KeptFile | None, int | None]:
    """Return a batch's file, from disk or else from the vendor, and its expected line count.

    Raises:
        FileCheckError: the job is not what it was.
        VendorError: there is no file on our disk to go on with, and none can be fetched now.
    """
    refused = on_disk is not None and on_disk.sha256 == due.refused_sha256
    if on_disk and not (refused and due.tries < CHECKS_BEFORE_TAKING_AS_IT_IS):
        return on_disk, due.result_count
    try:
        job = account.client.job(due.batch_id)  # free, and its links are the freshest there are
        return _fetch(account, due, job), job.result_count
    except (errors.VendorError, OSError):
        if on_disk and due.tries + 1 >= CHECKS_BEFORE_TAKING_AS_IT_IS:
            return on_disk, due.result_count  # better than none
        raise


def _is_whole(account: Account, kept: KeptFile) -> bool:
    """Return whether a file that was kept is still on our disk as it was."""
    try:
        with (account.raw / kept.source_file).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == kept.sha256
    except FileNotFoundError:
        return False


def _fetch(account: Account, due: DueLanding, job: Job) -> KeptFile | None:
    """Bring a job's file to our disk and note it; None if there is none because nothing was found.

    Raises:
        FileCheckError: the job is not completed any more.
    """
    # With nothing found the vendor may still give a link, to an object that was never written.
    if job.status is not JobStatus.COMPLETED:
        raise FileCheckError(
            f"the vendor said the job is completed, and now that it is {job.status}"
        )
    if job.result_count == 0 and not job.entities_fulfilled:
        return None
    if not (job.download_url or job.download_urls):
        if job.result_count is None and job.entities_fulfilled == 0:
            return None
        raise errors.LinkDead("The job has results, but the vendor gives no link to them")
    name = _next_name(account, _file_name(due.vendor, due.operation, due.submission_id))
    path = account.raw / name
    with full_disk_named(account.raw):
        path.parent.mkdir(parents=True, exist_ok=True)
        size, sha256 = _download(
            account, job, path, take_what_comes=due.tries + 1 >= TRIES_BEFORE_TAKING_WHAT_COMES
        )
    kept = KeptFile(source_file=name, sha256=sha256, size_bytes=size)
    ledger_land.keep(
        account.ledger, due.submission_id, kept, result_count=job.result_count, now=account.now()
    )
    if due.kept and due.kept.source_file != name:
        (account.raw / due.kept.source_file).unlink(missing_ok=True)  # it was refused
    return kept


def _looked_into(
    account: Account, due: DueLanding, kept: KeptFile | None, *, lines_expected: int | None
) -> tuple[LandingRecord, FileAnswers]:
    """Read a kept file and check it.

    Raises:
        FileCheckError: it is not what the vendor says, and there are tries left.
    """
    if kept is None:
        nothing = LandingRecord(source_file=None, sha256=None, size_bytes=0, lines=0)
        return nothing, FileAnswers(0, ())
    path = account.raw / kept.source_file
    path.chmod(0o444)
    read = read_answers(path, account.product(due.product).line, sha256=kept.sha256)
    note = _problem(read, lines_expected)
    same_again = kept.sha256 == due.refused_sha256
    if note and not same_again and due.tries + 1 < CHECKS_BEFORE_TAKING_AS_IT_IS:
        raise FileCheckError(note, sha256=kept.sha256)
    file = LandingRecord(
        source_file=kept.source_file,
        sha256=kept.sha256,
        size_bytes=kept.size_bytes,
        lines=read.lines,
        note=note,
    )
    return file, read


def _download(account: Account, job: Job, kept: Path, *, take_what_comes: bool) -> tuple[int, str]:
    """Return the merged file, or its parts put together: gzip members may follow each other."""
    if job.download_url:
        merged = account.client.download(job.download_url, kept, take_what_comes=take_what_comes)
        return merged.bytes, merged.sha256
    whole = kept.with_suffix(".parts")
    with whole.open("wb") as out:
        for number, url in enumerate(job.download_urls):
            part = kept.with_suffix(f".part{number}")
            account.client.download(url, part, take_what_comes=take_what_comes)
            with part.open("rb") as source:
                shutil.copyfileobj(source, out)
            if _breaks_off_in_a_line(part):
                out.write(_LINE_END)
            part.unlink()
        out.flush()
        os.fsync(out.fileno())
    whole.replace(kept)
    with kept.open("rb") as file:
        return kept.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _breaks_off_in_a_line(part: Path) -> bool:
    """Return whether the next part's first line would be taken for the rest of this one's last."""
    end = b"\n"
    try:
        with gzip.open(part) as text:
            while chunk := text.read(1 << 20):
                end = chunk
    except (OSError, EOFError, zlib.error):
        return False  # broken: what reads the whole says so
    return not end.endswith(b"\n")


def _problem(read: FileAnswers, lines_expected: int | None) -> str | None:
    """Return what is wrong with a file, compared with what the vendor says of it."""
    if lines_expected is not None and read.lines != lines_expected:
        return f"the vendor says {lines_expected} lines, the file has {read.lines}"
    if read.unreadable:
        return (
            f"{len(read.unreadable)} of {read.lines} lines cannot be read; they are in quarantine"
        )
    return None


def _settle_file(
    account: Account,
    submission_id: str,
    *,
    product: str,
    fields: Sequence[str],
    read: FileAnswers,
    lines_expected: int | None,
    adopted: bool = False,
) -> Sequence[Settled] | None:
    """Return what a file says of everyone asked for; None: it is about other people."""
    with account.ledger.read() as con:
        asked = ledger_poll.identifiers_of(con, submission_id)
    today, sold = account.now().date(), account.product(product)
    worst_case = account.prices.worst_case(product, fields, on=today)
    settled = settle(
        asked={row.identifier: row.subject_key for row in asked},
        read=read,
        lines_expected=lines_expected,
        adopted=adopted,
        cost=lambda items: account.prices.cost(product, sold.billed(items, fields), on=today),
        worst_case=worst_case,
        items_asked_for=sold.items_asked_for(fields),
        unanswered=Answer.UNKNOWN if sold.answers_may_be_lost else Answer.DROPPED,
        key_of=sold.line.key_of,
    )
    dropped = any(item.answer is Answer.DROPPED for item in settled or ())
    if settled and dropped and _credits_have_ended(account, less_than=worst_case):
        # Left out because they are unknown, or because nobody could pay: a file does not tell.
        # Asking again costs nothing for those who are unknown.
        return [
            replace(item, answer=Answer.OVER_BUDGET) if item.answer is Answer.DROPPED else item
            for item in settled
        ]
    return settled


def _credits_have_ended(account: Account, *, less_than: Decimal) -> bool:
    """Return whether the account has not got the credits for one more person."""
    with suppress(errors.VendorError):
        balance = account.client.credits()
        return balance is not None and balance < less_than
    return False  # nobody can tell


def _file_name(vendor: str, operation: str, submission_id: str) -> str:
    """Return where a batch's file is kept, below the raw folder."""
    return f"{vendor}/{operation}/{submission_id}.jsonl.gz"


def _answer_name(account: Account, product: str, submission_id: str) -> str:
    sold = account.product(product)
    return _file_name(sold.vendor, sold.operation, submission_id)


def _next_name(account: Account, first: str) -> str:
    """Return a name, numbered where a file has it already: files that were kept never change."""
    name, number = first, 1
    while (kept := account.raw / name).exists() and not kept.stat().st_mode & 0o200:
        number += 1
        name = first.replace(".jsonl", f".{number}.jsonl")
    return name


def keep_answer(account: Account, intent: Intent, answers: Answers) -> None:
    """Land the answer to a synchronous request, one line for each identifier.

    The file comes first: a crash before the ledger knows of it is mended by `recover_answer`.
    """
    kept = account.raw / _answer_name(account, intent.product, intent.submission_id)
    lines = "".join(line + "\n" for line in answers.lines)
    unfinished = kept.with_suffix(".unfinished")
    with full_disk_named(account.raw):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(gzip.compress(lines.encode(), mtime=0))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(kept)
    kept.chmod(0o444)
    said = DirectAnswer(answers.request_id, answers.credits_used)
    _land_answer(account, intent.submission_id, intent.product, fields=intent.fields, said=said)


def recover_answer(account: Account, submission_id: str, product: str) -> bool:
    """Land the answer of a process that ended between keeping the file and noting it."""
    if not (account.raw / _answer_name(account, product, submission_id)).exists():
        return False
    with account.ledger.write() as tx:
        fields = tx.submission(submission_id).field_set.split(",")
    _land_answer(account, submission_id, product, fields=fields, said=DirectAnswer(None, None))
    return True


def _land_answer(
    account: Account, submission_id: str, product: str, *, fields: Sequence[str], said: DirectAnswer
) -> None:
    name = _answer_name(account, product, submission_id)
    kept = account.raw / name
    read = read_answers(kept, account.product(product).line)
    settled = _settle_file(
        account, submission_id, product=product, fields=fields, read=read, lines_expected=None
    )
    with kept.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    ledger_land.record_landed(
        account.ledger,
        submission_id,
        LandingRecord(
            source_file=name, sha256=sha256, size_bytes=kept.stat().st_size, lines=read.lines
        ),
        settled=settled or (),
        now=account.now(),
        answer=said,
    )
