"""What the settings make of the graph: what no setting names has no assets."""

from dataclasses import dataclass
from functools import cached_property

import dagster as dg

from crust_pipeline.app.orders import operations_before, operations_of
from crust_pipeline.defs.partitions import daily_partitions
from crust_pipeline.settings import Settings
from crust_pipeline.tables.specs import filling, operations_sharing


@dataclass(frozen=True)
class Graph:
    """The operations, days and hours of one installation, for the builders of assets and jobs."""

    settings: Settings

    @cached_property
    def operations(self) -> tuple[str, ...]:
        """What is bought, in the order in which it is planned."""
        return operations_of(self.settings)

    @cached_property
    def fills_tables(self) -> tuple[str, ...]:
        """The operations that have tables: what several fill are one asset's, that of the first."""
        return filling(self.operations)

    @cached_property
    def daily(self) -> dg.DailyPartitionsDefinition:
        """The days."""
        return daily_partitions(self.settings)

    def assets_before(self, operation: str) -> list[str]:
        """Name the assets from which it is known whom to ask for, and by which name."""
        names = operations_before(self.settings, operation)
        # Rows with only an e-mail gain a profile URL through identify, by which the others ask.
        identities = ["identities"] if "identify" in names else []
        return [*(f"{name}_batches" for name in names), *identities]

    def sharing(self, operation: str) -> list[str]:
        """Name the operations that fill its tables; the first is whose asset these are."""
        return [name for name in operations_sharing(operation) if name in self.operations]

    def batches_of(self, operation: str) -> list[str]:
        """Name the assets whose batches fill its tables: perhaps other vendors' as well."""
        return [f"{name}_batches" for name in self.sharing(operation)]
