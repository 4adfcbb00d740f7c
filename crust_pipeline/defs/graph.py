"""What this installation buys: what no setting names has no assets."""

from crust_pipeline.app.orders import operations_before, operations_of
from crust_pipeline.settings import Settings
from crust_pipeline.tables.specs import filling, operations_sharing

_settings = Settings.from_env()
OPERATIONS = operations_of(_settings)
# Tables that several operations fill are one asset's, that of the first.
FILLS_TABLES = filling(OPERATIONS)


def assets_before(operation: str) -> list[str]:
    """The assets from which it is known whom an operation has to ask for, and by which name."""
    names = operations_before(_settings, operation)
    # Rows with only an e-mail gain a profile URL through identify, by which the others ask.
    identities = ["identities"] if "identify" in names else []
    return [*(f"{name}_batches" for name in names), *identities]


def sharing(operation: str) -> list[str]:
    """The operations that fill tables of this one's, that whose asset the tables are first."""
    return [name for name in operations_sharing(operation) if name in OPERATIONS]


def batches_of(operation: str) -> list[str]:
    """The assets whose batches fill this operation's tables: perhaps other vendors' as well."""
    return [f"{name}_batches" for name in sharing(operation)]
