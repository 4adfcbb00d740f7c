"""The command that asks about single people: lookup."""

import time
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crust_pipeline.cli.common import (
    DONE,
    FAILED,
    agreed_to_spend,
    json_option,
    open_installation,
    readable_errors,
    yes_option,
)
from crust_pipeline.cli.interrupted import tells_what_is_open
from crust_pipeline.ledger.outcomes import Outcome

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import Console

    from crust_pipeline.app.lookup import Card, LookedUp, Quote


@click.command()
@click.argument("identifiers", metavar="URL_OR_EMAIL...", nargs=-1, required=True)
@yes_option
@json_option
@readable_errors
@tells_what_is_open
def lookup(*, identifiers: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Show how to reach people, by profile URL or business e-mail, at once.

    What is bought already and still fresh costs nothing. For the rest the worst-case price is shown
    first. What is asked for is what CRUST_BUSINESS_EMAIL_VENDORS and the like ask crustdata for.
    Ends 0 when everybody has an answer, if only that the vendor knows nobody.
    """
    from crust_pipeline.app.lookup import COMPLETE_OUTCOMES, load_lookups, look_up, quote
    from crust_pipeline.cli.display import open_console, print_json

    installation = open_installation()
    _ = installation.accounts  # a missing key is said before anything else
    price = quote(installation, identifiers)
    if price.people and (code := agreed_to_spend(_in_words(price), yes=yes)):
        return code
    run_id = f"lookup-{uuid.uuid4().hex[:12]}"
    done = look_up(
        installation, identifiers, at_most=price.credits_worst_case, run_id=run_id, sleep=time.sleep
    )
    console = open_console()
    if as_json:
        spent = {
            "credits_worst_case": price.credits_worst_case,
            "credits_computed": done.credits_computed,
            "credits_reported": done.credits_reported,
        }
        print_json(console, {"people": [asdict(card) for card in done.cards], **spent})
    else:
        for card in done.cards:
            _show(console, card)
        console.print(_spent_in_words(done))
        for sentence in done.left_out:
            console.print(sentence)
    if price.people:
        load_lookups(installation, run_id=run_id)
    return DONE if all(card.outcome in COMPLETE_OUTCOMES for card in done.cards) else FAILED


def _in_words(price: "Quote") -> str:
    people = "1 person" if price.people == 1 else f"{price.people:,} people"
    return f"Looking up {people} costs at most {_amount(price.credits_worst_case)} credits."


def _spent_in_words(done: "LookedUp") -> str:
    computed, reported = done.credits_computed, done.credits_reported
    told = f"Spent {_amount(computed)} credits"
    if reported is not None and reported != computed:
        told = f"{told} by what was delivered; the vendor says {_amount(reported)}"
    return f"{told}."


def _amount(number: "Decimal") -> str:
    return f"{number.normalize():,f}"


def _show(console: "Console", card: "Card") -> None:
    console.print(card.identifier)
    told = f"{card.outcome}: {card.detail}" if card.detail else card.outcome
    if card.outcome is Outcome.REUSED and card.bought_at:
        told = f"{told}: bought {card.bought_at:%Y-%m-%d}"
    elif card.credits is None:
        told = f"{told}; what it cost is not known"
    elif card.credits:
        told = f"{told}; {_amount(card.credits)} credits"
    lines = [("outcome", told)]
    if card.profile_key and card.profile_key != card.identifier:
        lines.append(("profile key", card.profile_key))
    if card.crustdata_person_id is not None:
        lines.append(("person id", str(card.crustdata_person_id)))
    lines += [
        (f"{email['email_type']} e-mail", f"{email['email']} ({email['status'] or 'no status'})")
        for email in card.emails
    ]
    lines += [("phone", phone["phone_e164"] or phone["phone_number"]) for phone in card.phones]
    lines += [("website", website) for website in card.websites]
    if card.withheld:
        lines.append(("not shown", f"{card.withheld} personal values, for lack of consent"))
    if card.outcome in {Outcome.UNKNOWN, Outcome.PENDING}:
        lines.append(("batch", f"{card.submission_id}: see `crust-pipeline status`"))
    for name, value in lines:
        console.print(f"  {name:<15} {value}")
