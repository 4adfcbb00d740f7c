"""Keeps deliveries that arrive at the same time in one transaction: the disk is waited for once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from crust_pipeline.ledger import inbox
from crust_pipeline.ledger.inbox import Delivery, Receipt
from crust_pipeline.ledger.store import Ledger

DELIVERIES_A_TRANSACTION = 200


class Store:
    """Writes deliveries to a ledger. For use in one event loop."""

    def __init__(
        self, ledger: Ledger, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Write to `ledger`; `clock` gives the present time, aware."""
        self._ledger = ledger
        self._clock = clock
        self._waiting: list[tuple[Delivery, asyncio.Future[Receipt]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, delivery: Delivery) -> Receipt:
        """Keep a delivery; it is durable when this returns.

        Raises:
            SQLAlchemyError: the ledger cannot be written. Nothing is known to be kept.
        """
        receipt = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, receipt))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        return await receipt

    async def kept(self) -> int:
        """Return how many deliveries the ledger holds."""
        return await asyncio.to_thread(inbox.deliveries_kept, self._ledger)

    async def _write_all(self) -> None:
        while self._waiting:
            now = self._waiting[:DELIVERIES_A_TRANSACTION]
            del self._waiting[:DELIVERIES_A_TRANSACTION]
            try:
                receipts = await asyncio.to_thread(
                    inbox.keep,
                    self._ledger,
                    [delivery for delivery, _ in now],
                    now=self._clock(),
                )
            except Exception as error:  # whatever it is, those that wait are told
                for _, waiting in now:
                    if not waiting.done():
                        waiting.set_exception(error)
            else:
                for (_, waiting), receipt in zip(now, receipts, strict=True):
                    if not waiting.done():
                        waiting.set_result(receipt)
        self._writer = None
