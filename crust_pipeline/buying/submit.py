"""Submit: send planned batches while slots are free, one intent at a time.

Every answer has one reaction, and only a 4xx (or a connection that was never made) proves that no
job started. After anything else the batch is `unknown`: it is never sent again blindly, because the
vendor has no idempotency key and no cancel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from crust_pipeline.buying.account import Account, owner_is_gone
from crust_pipeline.buying.land import keep_answer, recover_answer
from crust_pipeline.buying.poll import poll_time
from crust_pipeline.buying.replan import replacements
from crust_pipeline.errors import Failures, in_words, one_pass
from crust_pipeline.ledger import poll as ledger_poll
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.outcomes import NOT_PERMITTED
from crust_pipeline.ledger.submit import Intent, Pause, PauseKind, Unsellable, backoff
from crust_pipeline.ledger.waits import wait_until
from crust_pipeline.vendors import errors
from crust_pipeline.vendors.masking import names_nobody
from crust_pipeline.vendors.product import Product

# First and longest wait before the next submit, in seconds.
WAITS: dict[PauseKind, tuple[float, float]] = {
    PauseKind.SLOTS: (10, 300),
    PauseKind.RATE: (1, 60),
    PauseKind.CREDITS: (60, 900),
    PauseKind.KEY: (60, 900),
    PauseKind.UNREACHABLE: (5, 300),
    PauseKind.REFUSED: (3600, 86_400),
}
# The same for a batch of a product that this release does not know.
UNSELLABLE_WAITS = (60, 3600)


@dataclass(slots=True)
class Dispatched:
    """What a pass over the free slots came to, as submission ids, and why it ended early."""

    submitted: list[str] = field(default_factory=list[str])
    rejected: list[str] = field(default_factory=list[str])
    unknown: list[str] = field(default_factory=list[str])
    pause: Pause | None = None

    def add(self, later: "Dispatched") -> None:
        """Count a later pass in."""
        self.submitted += later.submitted
        self.rejected += later.rejected
        self.unknown += later.unknown
        self.pause = later.pause


def fill_slots(
    account: Account, *, run_id: str | None = None, failures: Failures | None = None
) -> Dispatched:
    """Submit planned batches until no slot is free, nothing is planned, or the account must wait.

    Synchronous requests, which need no slot, are sent as well, until the vendor's rate is reached.

    Args:
        account: the account.
        run_id: the Dagster run that submits, if there is one.
        failures: collects the batches that failed; None: they are raised at the end.
    """
    done = Dispatched()
    with one_pass(failures) as failed:
        settle_orphans(account, failures=failed)
        _name_unsellable(account, failed)
        _ask_for_access(account)
        for max_active in (account.max_active, None):
            pause_before, done.pause = done.pause, None
            _send_planned(
                account,
                done,
                failed,
                max_active=max_active,
                run_id=run_id,
                with_token=account.inbox_url is not None and max_active is not None,
            )
            done.pause = pause_before or done.pause
    return done


def send_at_once(
    account: Account,
    lines: Sequence[str],
    *,
    run_id: str | None = None,
    failures: Failures | None = None,
) -> Dispatched:
    """Send the planned synchronous requests of these lines of batches, and none but these."""
    done = Dispatched()
    with one_pass(failures) as failed:
        _ask_for_access(account)
        _send_planned(account, done, failed, max_active=None, run_id=run_id, lines=lines)
    return done


def _send_planned(
    account: Account,
    done: Dispatched,
    failures: Failures,
    **which: Any,  # noqa: ANN401 - as for `claim_next`
) -> None:
    """Send one planned batch after the other until there is none to claim, or all must wait."""
    claimed: list[str] = []
    while done.pause is None:
        # Each may be paid for and lost. With slots they are soon used up; without, this is the end.
        if len(failures.names("batch") & set(claimed)) >= account.max_active:
            break
        intent = ledger_submit.claim_next(
            account.ledger,
            products=account.products,
            owner=account.owner,
            now=account.now(),
            **which,
        )
        if intent is None:
            break
        claimed.append(intent.submission_id)
        with failures.unit("submit", "batch", intent.submission_id):
            _submit(account, intent, done)


def settle_orphans(account: Account, *, failures: Failures | None = None) -> None:
    """Intents whose process is gone: a job may have started and nobody saw the answer."""
    now = account.now()
    reason = "the process that submitted it ended before the vendor's answer was noted"
    with one_pass(failures) as failed:
        for orphan in ledger_submit.orphaned_intents(account.ledger):
            if not owner_is_gone(orphan.owner, at=orphan.intent_at, now=now):
                continue
            note = partial(_may_have_started, account, orphan.submission_id)
            with failed.unit("submit", "batch", orphan.submission_id, note=note):
                at_once = orphan.product in account.products and not orphan.takes_slot
                if not (at_once and recover_answer(account, orphan.submission_id, orphan.product)):
                    note(reason)


def _name_unsellable(account: Account, failures: Failures) -> None:
    """Say of batches of products that this release does not know why they are not sent."""
    for batch in ledger_submit.unsellable(
        account.ledger, products=account.products, now=account.now()
    ):
        note = partial(_put_off, account, batch)
        with failures.unit("submit", "batch", batch.submission_id, note=note):
            account.product(batch.product)


def _put_off(account: Account, batch: Unsellable, reason: str) -> None:
    first, most = UNSELLABLE_WAITS
    wait = backoff(batch.tries, first_seconds=first, most_seconds=most)
    ledger_poll.put_off(account.ledger, batch.submission_id, at=account.now() + wait, error=reason)


def _ask_for_access(account: Account) -> None:
    """Before the first purchase, and before its intent: killed meanwhile, nothing is unknown."""
    if not account.access.is_known and ledger_submit.is_anything_planned(account.ledger):
        account.access.ask(account.client)


def _submit(account: Account, intent: Intent, done: Dispatched) -> None:
    """Send a batch; whatever goes wrong, its state says afterwards what is known of it."""
    try:
        _send(account, intent, done)
    except BaseException as error:
        # An interrupt, or an error of our own: the request may already be with the vendor.
        _note_unknown(account, intent, f"the submit was interrupted: {in_words(error)}", done)
        raise


def _send(account: Account, intent: Intent, done: Dispatched) -> None:
    product = account.product(intent.product)
    denied = _denied(account, product)
    allowed = product.without(intent.fields, denied)
    if set(allowed) != set(intent.fields):
        _leave_out(account, intent, allowed, done)
        return
    requested = product.as_requested(intent.fields, denied)
    if told := account.access.unknown_fields(product, requested):
        _reject(account, intent, str(told), done)
        return
    try:
        account.access.check(product, requested)
        if product.is_synchronous:
            answers = account.client.answer_at_once(
                product,
                identifier_type=intent.identifier_type,
                identifiers=intent.identifiers,
                fields=requested,
            )
            keep_answer(account, intent, answers)
        else:
            _start_job(account, intent, product, requested, done)
            return
    except errors.VendorError as error:
        _react(account, intent, requested, error, done)
    else:
        done.submitted.append(intent.submission_id)


def _react(
    account: Account,
    intent: Intent,
    requested: Sequence[str],
    error: errors.VendorError,
    done: Dispatched,
) -> None:
    """Do what follows from an error: each class of them has one reaction."""
    _note_charge(account, intent, error)
    match error:
        case errors.FieldsDenied() | errors.InvalidRequest() if error.credits_used:
            # Asking in another form could be charged as well.
            _reject(account, intent, str(error), done)
        case errors.FieldsDenied():
            _drop_fields(account, intent, error, done)
        case errors.FieldsUnsupported():
            _name_unknown_fields(account, intent, requested, error, done)
        case errors.NotPermitted():
            _reject(account, intent, NOT_PERMITTED + str(error), done)
        case errors.InvalidRequest():
            _isolate(account, intent, error, done)
        case (
            errors.SlotsFull()
            | errors.RateLimited()
            | errors.OutOfCredits()
            | errors.InvalidKey()
            | errors.NotUnderstood()
            | errors.NotSent()
        ):
            _wait(account, intent, error, done)
        case _:
            _note_unknown(account, intent, str(error), done)


def _note_charge(account: Account, intent: Intent, error: errors.VendorError) -> None:
    """Keep what an error has cost, but of a job that may run only its end tells what it costs."""
    may_run = isinstance(error, errors.MaybeStarted)
    if error.credits_used and not (may_run and intent.takes_slot):
        ledger_submit.record_charge(
            account.ledger, intent.submission_id, credits_used=error.credits_used
        )


def _denied(account: Account, product: Product) -> frozenset[str]:
    with account.ledger.read() as con:
        return ledger_submit.fields_denied(
            con, account.ledger.account, product.operation, now=account.now()
        )


def _leave_out(account: Account, intent: Intent, allowed: Sequence[str], done: Dispatched) -> None:
    """Ask without fields that were denied to another batch after this one was planned."""
    if not allowed:
        reason = "the account may not have these fields: " + ", ".join(intent.fields)
        _reject(account, intent, NOT_PERMITTED + reason, done)
        return
    ledger_submit.record_refused_fields(
        account.ledger, intent.submission_id, refused=(), kept=allowed, now=account.now()
    )


def _start_job(
    account: Account,
    intent: Intent,
    product: Product,
    requested: Sequence[str],
    done: Dispatched,
) -> None:
    accepted = account.client.submit(
        product,
        identifier_type=intent.identifier_type,
        identifiers=intent.identifiers,
        fields=requested,
        webhook_url=intent.token and f"{account.inbox_url}/hooks/{intent.token}",
    )
    # What is taken at the submit, if anything, is no report of the cost: nothing is delivered yet,
    # and the rest is given back.
    if ledger_submit.record_accepted(
        account.ledger,
        intent.submission_id,
        batch_id=accepted.batch_id,
        entity=accepted.entity,
        action=accepted.action,
        now=account.now(),
        poll_at=poll_time(account, intent.product, len(intent.identifiers), since=account.now()),
    ):
        done.submitted.append(intent.submission_id)
    else:
        reason = f"the vendor answered with job {accepted.batch_id}, which another batch has"
        _note_unknown(account, intent, reason, done)


def _note_unknown(account: Account, intent: Intent, reason: str, done: Dispatched) -> None:
    if _may_have_started(account, intent.submission_id, reason):
        done.unknown.append(intent.submission_id)


def _may_have_started(account: Account, submission_id: str, reason: str) -> bool:
    return ledger_submit.record_unknown(
        account.ledger, submission_id, reason=reason, now=account.now()
    )


def _reject(account: Account, intent: Intent, reason: str, done: Dispatched) -> None:
    ledger_submit.record_rejected(
        account.ledger, intent.submission_id, reason=reason, now=account.now()
    )
    done.rejected.append(intent.submission_id)


def _drop_fields(
    account: Account, intent: Intent, error: errors.FieldsDenied, done: Dispatched
) -> None:
    """Go on without fields that the account may not have; give up if that leaves none or all."""
    product = account.product(intent.product)
    refused = product.as_ours(error.fields)
    kept = product.without(intent.fields, refused)
    # What is asked for along with everything is no field of the batch, but is denied like one.
    along = set(refused) & set(product.always_fields) - _denied(account, product)
    if not kept or (set(kept) == set(intent.fields) and not along):
        _reject(account, intent, NOT_PERMITTED + str(error), done)
        return
    ledger_submit.record_refused_fields(
        account.ledger, intent.submission_id, refused=refused, kept=kept, now=account.now()
    )


def _name_unknown_fields(
    account: Account,
    intent: Intent,
    requested: Sequence[str],
    error: errors.FieldsUnsupported,
    done: Dispatched,
) -> None:
    """Give up what asks for a field that does not exist: without it, it would be bought twice."""
    told = account.access.note_unknown_fields(account.product(intent.product), requested, error)
    if told is None:
        _isolate(account, intent, error, done)
    else:
        _reject(account, intent, str(told), done)


def _isolate(
    account: Account, intent: Intent, error: errors.InvalidRequest, done: Dispatched
) -> None:
    """Halve a refused request, which costs nothing, so that one bad identifier stops no others.

    What the whole and both halves are refused for alike is not about one identifier.
    """
    halves = ledger_submit.refused_before(account.ledger, intent.submission_id)
    if halves and all(_is_alike(str(error), before) for before in halves.reasons):
        instead, unsent = (), halves.unsent
    else:
        instead, unsent = replacements(account, intent.submission_id), ()
    ledger_submit.record_rejected(
        account.ledger,
        intent.submission_id,
        reason=str(error),
        now=account.now(),
        instead=instead,
        unsent=unsent,
    )
    done.rejected += [intent.submission_id, *unsent]


def _is_alike(reason: str, before: str) -> bool:
    """Tell whether two refusals are for the same reason, and that is no single identifier."""
    return names_nobody(reason) and errors.without_request_id(reason) == errors.without_request_id(
        before
    )


def _wait(account: Account, intent: Intent, error: errors.VendorError, done: Dispatched) -> None:
    """No job started: the batch is planned again, and all wait before the next submit."""
    told: float | None = None
    match error:
        case errors.SlotsFull():
            kind, told = PauseKind.SLOTS, error.retry_after_seconds
        case errors.RateLimited():
            kind, told = PauseKind.RATE, error.retry_after_seconds
        case errors.OutOfCredits():
            kind = PauseKind.CREDITS
        case errors.InvalidKey():
            kind = PauseKind.KEY
        case errors.NotUnderstood():
            kind = PauseKind.REFUSED
        case _:
            kind = PauseKind.UNREACHABLE
    first, most = WAITS[kind]
    takes_slot = not account.product(intent.product).is_synchronous
    tries = ledger_submit.tries_so_far(account.ledger, kind, takes_slot=takes_slot)
    until = (
        wait_until(account.now(), seconds=told)
        if told
        else account.now() + backoff(tries, first_seconds=first, most_seconds=most)
    )
    done.pause = Pause(kind, until, str(error))
    ledger_submit.record_not_started(
        account.ledger, intent.submission_id, pause=done.pause, now=account.now()
    )
