"""Actions: the words by which the vendor's list of jobs tells what kind each is.

The vendor documents no closed set, and of some products no word at all: what is seen is learned.
"""

from crust_pipeline.buying.account import Engine
from crust_pipeline.ledger import poll as ledger_poll

# Jobs that are never ours, by the reference's list of actions.
_OTHERS = ("search", "search_live")


def action_words(engine: Engine) -> dict[str, str]:
    """What the vendor calls jobs, {action: product}: as documented, and as seen."""
    documented = {
        action: name for name, product in engine.products.items() for action in product.actions
    }
    return dict.fromkeys(_OTHERS, "") | documented | dict(ledger_poll.actions_seen(engine.ledger))
