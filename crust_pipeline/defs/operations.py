"""What this installation buys; without a second vendor in the waterfall it has no assets."""

from crust_pipeline.pipeline import operations_of
from crust_pipeline.settings import Settings
from crust_pipeline.tables import filling, operations_sharing

OPERATIONS = operations_of(Settings.from_env())
# Tables that several operations fill are one asset's, that of the first.
FILLS_TABLES = filling(OPERATIONS)


def batches_of(operation: str) -> list[str]:
    """The assets whose batches fill this operation's tables: perhaps other vendors' as well."""
    return [f"{name}_batches" for name in operations_sharing(operation) if name in OPERATIONS]
