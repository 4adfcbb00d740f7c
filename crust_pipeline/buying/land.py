"""Land: keep the vendor's file as received before anything parses it, then settle what was bought.

A file is kept first, and the ledger knows it, before anybody looks into it: whatever goes wrong
then is tried again from our disk, without the link. One that does not pass its checks is fetched
again while that may help, and is used as far as it can be read in the end: it is paid for.

How long that is depends on what would be gained: a file that says nothing of anybody asked for is
fetched again until its link is near its end; one with lines of ours, but fewer than the vendor
counts, for an hour, so that the lines that came are not held back for days.
"""

import gzip
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from functools import partial
from typing import assert_never

from crust_pipeline.buying.account import Account, owner_is_gone
from crust_pipeline.buying.fetch import (
    FileCheckError,
    fetch_file,
    file_name,
    has_file,
    is_whole,
    next_name,
    sha256_of,
)
from crust_pipeline.buying.settle import about, settle
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
from crust_pipeline.private_files import keep_for_good, make_private_folder, open_private
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.landed import FileAnswers, read_answers
from crust_pipeline.vendors.models import Answers, Job

# The vendor's links are valid for 5 days (its documents); after that a landing has failed for good.
LINK_LIVES = timedelta(days=5)
# Before that, a file without a line of ours is taken as it is: some hours, for a vendor that fails.
LAST_HOURS_OF_LINK = timedelta(hours=6)
# So often, and over so long a time, a file that is short is fetched again.
TRIES_OF_SHORT_FILE = 6
PATIENCE_WITH_SHORT_FILE = timedelta(hours=1)
# Lines that cannot be read most likely come out the same again.
CHECKS_BEFORE_TAKING_AS_IT_IS = 3
# A file that breaks off every time is paid for all the same: its whole lines are used.
TRIES_BEFORE_TAKING_WHAT_COMES = 6
# So many fresh links over a day, each of them dead: there is no file any more.
MAX_DEAD_LINKS = 8
PATIENCE_WITH_DEAD_LINKS = timedelta(days=1)
# Longest waits before the next try: a file that failed its checks was whole, and is large.
MOST_WAIT_SECONDS = 900
MOST_WAIT_SECONDS_FOR_BETTER_FILE = 3600


class _Wrong(Enum):
    """What can be wrong with a file, by how long it is fetched again."""

    NOTHING_OF_OURS = auto()  # until the link is near its end
    SHORT = auto()  # for an hour
    ODD = auto()  # until it comes out the same, or a few times


@dataclass(frozen=True, slots=True)
class _Look:
    """What a file says, as far as it can be read.

    Attributes:
        file: the file; None: the job has none, because nothing was found.
        read: its lines.
        lines_expected: how many lines the vendor says it has.
        said: how many of those asked for it says something of.
        wrong: what is wrong with it, if something is.
        problem: the same in words.
    """

    file: KeptFile | None
    read: FileAnswers
    lines_expected: int | None
    said: int = 0
    wrong: _Wrong | None = None
    problem: str = ""


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
            if _taken(account, due):
                note = partial(_try_later, account, due, done)
                with failed.unit("landing", "batch", due.submission_id, note=note):
                    _land(account, due, done)
    return done


def land_now(account: Account, submission_id: str) -> Landed | None:
    """Land a completed batch now, whenever its next try is due; None if it is not completed.

    Raises:
        CrustError: another process is landing it.
    """
    due = ledger_land.completed_landing(account.ledger, submission_id)
    if due is None:
        return None
    done = Landed()
    if not _taken(account, due):
        raise CrustError("Another process is landing it now. See `crust-pipeline status`")
    with one_pass(None) as failed:
        note = partial(_try_later, account, due, done)
        with failed.unit("landing", "batch", due.submission_id, note=note):
            _land(account, due, done)
    return done


def _taken(account: Account, due: DueLanding) -> bool:
    """Take a landing up, unless another process is at it."""
    now = account.now()
    if due.owner and not owner_is_gone(due.owner, at=due.taken_at, now=now):
        return False
    return ledger_land.take_landing(account.ledger, due, owner=account.owner, now=now)


def _land(account: Account, due: DueLanding, done: Landed) -> None:
    kept = due.kept
    on_disk = kept if kept and is_whole(account.raw / kept.source_file, kept.sha256) else None
    try:
        look = _file(account, due, on_disk)
    except (errors.LinkDead, errors.NotFound) as error:
        if on_disk is None and _is_lost(due, now=account.now()):
            reason = f"the link died before the file was kept: {error}"
            ledger_land.record_expired(
                account.ledger, due.submission_id, reason=reason, now=account.now()
            )
            done.expired.append(due.submission_id)
        else:
            _try_later(account, due, done, str(error), dead_link=True)
    except (FileCheckError, errors.OutOfBounds) as error:
        sha256 = error.sha256 if isinstance(error, FileCheckError) else None
        most = MOST_WAIT_SECONDS_FOR_BETTER_FILE
        _try_later(account, due, done, str(error), sha256=sha256, most_seconds=most)
    except DiskFullError:
        raise  # waiting makes no room: the pass says so at its end
    except (errors.VendorError, OSError) as error:
        _try_later(account, due, done, str(error))
    else:
        _settle_landing(account, due, look, done)


def _is_lost(due: DueLanding, *, now: datetime) -> bool:
    """Return whether a file whose link is dead will never come."""
    age = now - due.completed_at
    often = due.dead_links + 1 >= MAX_DEAD_LINKS
    return age > LINK_LIVES or (often and age > PATIENCE_WITH_DEAD_LINKS)


def _settle_landing(account: Account, due: DueLanding, look: _Look, done: Landed) -> None:
    settled = settle_file(
        account,
        due.submission_id,
        product=due.product,
        fields=due.fields,
        read=look.read,
        lines_expected=look.lines_expected,
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
        account.ledger,
        due.submission_id,
        landing_record(look.file, look.read, note=look.problem or None),
        settled=_with_unserved(account, due.product, due.fields, settled),
        now=account.now(),
    ):
        done.landed.append(due.submission_id)


def landing_record(file: KeptFile | None, read: FileAnswers, *, note: str | None) -> LandingRecord:
    """Return what the ledger keeps of a file."""
    return LandingRecord(
        source_file=file and file.source_file,
        sha256=file and file.sha256,
        size_bytes=file.size_bytes if file else 0,
        lines=read.lines,
        note=note,
    )


def _try_later(
    account: Account,
    due: DueLanding,
    done: Landed,
    error: str,
    *,
    sha256: str | None = None,
    dead_link: bool = False,
    most_seconds: float = MOST_WAIT_SECONDS,
) -> None:
    first_seconds = max(account.poll_seconds, 1)
    wait = backoff(due.tries, first_seconds=first_seconds, most_seconds=most_seconds)
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


def _file(account: Account, due: DueLanding, on_disk: KeptFile | None) -> _Look:
    """Return what a batch is settled from: the file on disk, or else the vendor's.

    Raises:
        FileCheckError: the job or its file is not what it should be, and may yet be.
        VendorError: there is no file on our disk to go on with, and none can be fetched now.
    """
    old = on_disk and _looked_into(account, due, on_disk, due.result_count)
    same_again = False
    if old and old.file and old.file.sha256 != due.refused_sha256:
        look = old  # kept, and not judged yet
    else:
        try:
            look = _fetched(account, due)
        except (errors.VendorError, OSError):
            if old is None or _may_get_better(account, due, old, same_again=False):
                raise
            return old  # better than none
        if old:
            same_again = look.file is not None and look.file.sha256 == due.refused_sha256
            look = _better(account, due, old, look)
    if _may_get_better(account, due, look, same_again=same_again):
        raise FileCheckError(
            f"{look.problem}. It is fetched again", sha256=look.file and look.file.sha256
        )
    return look


def _fetched(account: Account, due: DueLanding) -> _Look:
    """Bring a job's file to our disk, note it, and look into it."""
    job = account.client.job(due.batch_id)  # free, and its links are the freshest there are
    if not has_file(job):
        return _Look(None, FileAnswers(0, ()), job.result_count)
    return _looked_into(account, due, _kept(account, due, job), job.result_count)


def _kept(account: Account, due: DueLanding, job: Job) -> KeptFile:
    name = next_name(account.raw, file_name(due.vendor, due.operation, due.submission_id))
    with full_disk_named(account.raw):
        size, sha256 = fetch_file(
            account,
            job,
            account.raw / name,
            take_what_comes=due.tries + 1 >= TRIES_BEFORE_TAKING_WHAT_COMES,
        )
    kept = KeptFile(source_file=name, sha256=sha256, size_bytes=size)
    ledger_land.keep(
        account.ledger, due.submission_id, kept, result_count=job.result_count, now=account.now()
    )
    return kept


def _better(account: Account, due: DueLanding, old: _Look, new: _Look) -> _Look:
    """Keep the better of a file that was refused and the one that came after it."""
    first, second = old.file, new.file
    if first is None or second is None:
        return old if old.said else new
    is_same = first.sha256 == second.sha256
    if old.said > new.said or is_same:
        expected = new.lines_expected
        ledger_land.keep(
            account.ledger, due.submission_id, first, result_count=expected, now=account.now()
        )
        better, worse, unused = replace(old, lines_expected=expected), new, second
    else:
        better, worse, unused = new, old, first
    # A file that says something of people who were asked for stays, though the better one is used.
    if first.source_file != second.source_file and (is_same or not worse.said):
        (account.raw / unused.source_file).unlink(missing_ok=True)
    return better


def _looked_into(
    account: Account, due: DueLanding, kept: KeptFile, lines_expected: int | None
) -> _Look:
    """Read a kept file and say what is wrong with it."""
    path = account.raw / kept.source_file
    keep_for_good(path)
    sold = account.product(due.product)
    read = read_answers(path, sold.line, sha256=kept.sha256)
    with account.ledger.read() as con:
        asked = ledger_poll.identifiers_of(con, due.submission_id)
    found = about({row.identifier: row.subject_key for row in asked}, read, sold.line.key_of)
    said = len(found.answers) + len(found.unreadable)
    look = _Look(kept, read, lines_expected, said)
    # An adopted job's file about others is somebody else's, and will be. And where each answer
    # travels for itself, none may have come.
    of_others = due.adopted and found.strangers
    anything = read.lines or read.unreadable or lines_expected
    if not said and anything and not of_others and not sold.answers_may_be_lost:
        problem = (
            f"the vendor's file says nothing of anybody asked for ({read.lines} lines, "
            f"{len(read.unreadable)} of them unreadable)"
        )
        return replace(look, wrong=_Wrong.NOTHING_OF_OURS, problem=problem)
    problem = problem_of(read, lines_expected)
    if problem is None:
        return look
    short = lines_expected is not None and read.lines < lines_expected
    return replace(look, wrong=_Wrong.SHORT if short else _Wrong.ODD, problem=problem)


def problem_of(read: FileAnswers, lines_expected: int | None) -> str | None:
    """Return what is wrong with a file, compared with what the vendor says of it."""
    if lines_expected is not None and read.lines != lines_expected:
        return f"the vendor says {lines_expected} lines, the file has {read.lines}"
    if read.unreadable:
        return (
            f"{len(read.unreadable)} of {read.lines} lines cannot be read; they are in quarantine"
        )
    return None


def _may_get_better(account: Account, due: DueLanding, look: _Look, *, same_again: bool) -> bool:
    """Return whether a file is not to be taken yet, because a better one may come."""
    now, tries = account.now(), due.tries + 1
    match look.wrong:
        case None:
            return False
        case _Wrong.NOTHING_OF_OURS:
            return now < due.completed_at + LINK_LIVES - LAST_HOURS_OF_LINK
        case _Wrong.SHORT:
            waited = now - (due.kept_at or now)
            return tries < TRIES_OF_SHORT_FILE or waited < PATIENCE_WITH_SHORT_FILE
        case _Wrong.ODD:
            return not same_again and tries < CHECKS_BEFORE_TAKING_AS_IT_IS
        case _:
            assert_never(look.wrong)


def settle_file(
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
    return settle(
        asked={row.identifier: row.subject_key for row in asked},
        read=read,
        lines_expected=lines_expected,
        adopted=adopted,
        cost=lambda items: account.prices.cost(product, sold.billed(items, fields), on=today),
        worst_case=account.prices.worst_case(product, fields, on=today),
        items_asked_for=sold.items_asked_for(fields),
        unanswered=Answer.UNKNOWN if sold.answers_may_be_lost else Answer.DROPPED,
        key_of=sold.line.key_of,
    )


def _with_unserved(
    account: Account, product: str, fields: Sequence[str], settled: Sequence[Settled]
) -> Sequence[Settled]:
    """Tell those apart who were left out because nobody could pay: a file does not tell.

    Asking again costs nothing for those who are unknown.
    """
    worst_case = account.prices.worst_case(product, fields, on=account.now().date())
    dropped = any(item.answer is Answer.DROPPED for item in settled)
    if not (dropped and _credits_have_ended(account, less_than=worst_case)):
        return settled
    return [
        replace(item, answer=Answer.OVER_BUDGET) if item.answer is Answer.DROPPED else item
        for item in settled
    ]


def _credits_have_ended(account: Account, *, less_than: Decimal) -> bool:
    """Return whether the account has not got the credits for one more person."""
    with suppress(errors.VendorError):
        balance = account.client.credits()
        return balance is not None and balance < less_than
    return False  # nobody can tell


def _answer_name(account: Account, product: str, submission_id: str) -> str:
    sold = account.product(product)
    return file_name(sold.vendor, sold.operation, submission_id)


def keep_answer(account: Account, intent: Intent, answers: Answers) -> None:
    """Land the answer to a synchronous request, one line for each identifier.

    The file comes first: a crash before the ledger knows of it is mended by `recover_answer`.
    """
    kept = account.raw / _answer_name(account, intent.product, intent.submission_id)
    lines = "".join(line + "\n" for line in answers.lines)
    unfinished = kept.with_suffix(".unfinished")
    with full_disk_named(account.raw):
        make_private_folder(kept.parent)
        with open_private(unfinished) as file:
            file.write(gzip.compress(lines.encode(), mtime=0))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(kept)
    keep_for_good(kept)
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
    settled = settle_file(
        account, submission_id, product=product, fields=fields, read=read, lines_expected=None
    )
    file = KeptFile(source_file=name, sha256=sha256_of(kept), size_bytes=kept.stat().st_size)
    ledger_land.record_landed(
        account.ledger,
        submission_id,
        landing_record(file, read, note=None),
        settled=_with_unserved(account, product, fields, settled or ()),
        now=account.now(),
        answer=said,
    )
