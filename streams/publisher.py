"""Publishes for many callers at once: whoever publishes is told when Kafka has acknowledged.

    callers ──> a queue ──> all that waits, at once, through one producer ──> each caller is told

While one group is on its way the next gathers, so many callers cost hardly more than one. A group
that fails is told to its callers, and the next begins with a new producer: whoever publishes again
once Kafka is back needs nothing else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Self

from models.errors import BrokerError
from streams.producer import PATIENCE_S, Producer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.producer import Record
    from streams.settings import Settings

MOST_CALLS = 5_000  # that wait or are on their way; more of them wait for room
MOST_AT_ONCE = 10_000  # records of a group, unless one call has more


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """What one caller has published, and the answer that they wait for."""

    records: Sequence[Record]
    answer: asyncio.Future[None]

    def acknowledge(self) -> None:
        if not self.answer.done():  # the caller may have left
            self.answer.set_result(None)

    def refuse(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Publisher:
    """A context in which records are published, by as many tasks as there are."""

    def __init__(self, settings: Settings, *, patience_s: float = PATIENCE_S) -> None:
        self._settings = settings
        self._patience_s = patience_s
        self._room = asyncio.Semaphore(MOST_CALLS)
        self._calls: asyncio.Queue[_Call | None] = asyncio.Queue()  # None is the end
        self._work: asyncio.Task[None] | None = None
        self._is_over = False

    async def __aenter__(self) -> Self:
        """Take calls; Kafka may be away, or come later."""
        self._is_over = False
        self._work = asyncio.create_task(self._carry())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Carry what waits, and take nothing more."""
        work, self._work = self._work, None
        if work is not None:
            async with self._room:  # it is given in turn: whoever called before is in the queue
                self._calls.put_nowait(None)
            await work

    async def carry(self, records: Sequence[Record]) -> None:
        """Publish `records` in their order, and return once all are acknowledged.

        Waits while too many others do. Raises BrokerError where Kafka does not acknowledge: it
        says how many of the first are in the log; others may be, and may be published again.
        """
        if self._work is None:
            raise RuntimeError("publish inside `async with`")
        if not records:
            return
        call = _Call(records, asyncio.get_running_loop().create_future())
        async with self._room:
            self._calls.put_nowait(call)
            await call.answer

    async def _carry(self) -> None:
        group = await self._gather()
        while group:
            try:
                async with Producer(self._settings, patience_s=self._patience_s) as producer:
                    while group:
                        await _publish(producer, group)
                        group = await self._gather()
            except Exception as error:  # noqa: BLE001  whoever waits is told, whatever it is
                for call in group:
                    call.refuse(error)
                group = await self._gather()

    async def _gather(self) -> list[_Call]:
        """Wait for a call, and take the others that wait; none comes after the end."""
        group: list[_Call] = []
        records = 0
        while not self._is_over and (not group or self._may_take(records)):
            call = await self._calls.get()
            self._is_over = call is None
            if call is not None:
                group.append(call)
                records += len(call.records)
        return group

    def _may_take(self, records: int) -> bool:
        """Tell whether a group of so many records takes another call that waits."""
        return records < MOST_AT_ONCE and not self._calls.empty()


async def _publish(producer: Producer, group: Sequence[_Call]) -> None:
    """Publish what all calls of a group have, and tell each what became of its own records."""
    first = producer.counts.published
    try:
        await producer.publish_raw(chain.from_iterable(call.records for call in group))
        await producer.flush()
    except BrokerError:
        _tell(group, producer, first)
        raise
    _tell(group, producer, first)


def _tell(group: Sequence[_Call], producer: Producer, first: int) -> None:
    """Acknowledge or refuse each call of a group, whose records begin with the `first`."""
    for call in group:
        if loss := producer.loss(first, len(call.records)):
            call.refuse(loss)
        else:
            call.acknowledge()
        first += len(call.records)
