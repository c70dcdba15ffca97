"""Fills shards from the log, as a worker does, but alone and without a group.

    log ──> stretches ──> carrier (the worker's own) ──> shards

Where it ends, and whatever ends it, the next filling goes on at the shards' fences. What breaks the
contract is left out: the living worker has told the dead letters of it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from faust.types.tuples import TP

from models.events import TOPICS
from streams.agents import Carrier, Tally
from streams.feeds import Shards
from streams.fences import Fences
from streams.history import unheard
from streams.kafka import READ_MS, consuming, explained, offsets
from streams.shedding import Shedding
from streams.topics import log_ids, partition_counts
from streams.transport import check_internals, stretches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aiokafka import AIOKafkaConsumer

    from models.decoding import Decoded, Reject
    from streams.feeds import Span
    from streams.history import Progress
    from streams.settings import Settings
    from streams.store import Store
    from streams.transport import Batch

EDGES_FIRST = ("friendships", "preferences", "posts")  # so that acts meet circles that are whole
PARTITIONS_AT_ONCE = 6
CALLS_AT_ONCE = 2  # of all shards: one runs, one waits; readers wait for both, and the workers' own
FETCH_MS = 50  # that the broker waits for records, and all that it is asked meanwhile
WAIT_S = 0.2  # for records
GLANCE_S = 0.005  # the same, while batches are under way
AWAY_S = 8.0  # that a store may be away: two calls that it does not answer


class Unheard:
    """Dead letters that nobody gets."""

    async def send(self, tp: TP, rejects: Sequence[Reject]) -> None:
        """Send nothing."""


class Unbroken:
    """Breakers that hold nothing: what the living worker holds comes with the store it serves."""

    async def load(self) -> None:
        """Take up nothing."""

    async def holds(self, span: Span) -> bool:
        """Hold nothing."""
        del span
        return False

    async def trips(self, span: Span, decoded: Decoded) -> bool:
        """Count nothing."""
        del span, decoded
        return False


class Offsets:
    """What fences ask of a Faust consumer, answered by another."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Tell where the log begins."""
        return await offsets(self._consumer.beginning_offsets, partitions)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Tell where it ends."""
        return await offsets(self._consumer.end_offsets, partitions)


class Filler:
    """Carries the log of some topics into all shards of a store."""

    def __init__(
        self, carrier: Carrier, consumer: AIOKafkaConsumer, partitions: Sequence[TP]
    ) -> None:
        self._carrier = carrier
        self._consumer = consumer
        self._offsets = Offsets(consumer)
        self._partitions = set(partitions)
        self._under_way: dict[TP, asyncio.Task[None]] = {}
        self._positions: dict[TP, int] = {}

    async def begin(self) -> None:
        """Go where the shards' fences are; raise StoreError where they are of another log."""
        with explained(self._carrier.settings):
            self._positions = dict(
                await self._carrier.fences.positions(self._offsets, self._partitions)
            )
            self._consumer.assign(list(self._partitions))
            for tp, position in self._positions.items():
                self._consumer.seek(tp, position)

    async def fill(self, progress: Progress = unheard) -> None:
        """Carry all that is in the log now; raise BrokerError where Kafka gives no more of it.

        Raises redis-py's error where the store is away for AWAY_S.
        """
        first, ends = dict(self._positions), await self._ends()
        total = before = sum(max(0, end - first[tp]) for tp, end in ends.items())
        with explained(self._carrier.settings):
            async with asyncio.timeout(READ_MS / 1000) as patience:
                while left := sum(max(0, end - self._positions[tp]) for tp, end in ends.items()):
                    progress("filling", total - left, total)
                    if self._under_way:  # it is not Kafka that is waited for
                        patience.reschedule(None)
                    elif left < before or patience.when() is None:
                        patience.reschedule(asyncio.get_running_loop().time() + READ_MS / 1000)
                    before = left
                    await self._carry_on()
        progress("filling", total, total)

    async def follow(self) -> None:
        """Carry whatever comes, without end."""
        while True:
            await self._carry_on()

    async def close(self, *, at_once: bool) -> None:
        """Finish the batches that are under way, or leave them as far as they are."""
        for task in self._under_way.values() if at_once else ():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def lag(self) -> int:
        """Count what is in the log, and not yet in the shards."""
        ends = await self._ends()
        return sum(max(0, end - self._positions[tp]) for tp, end in ends.items())

    async def _ends(self) -> Mapping[TP, int]:
        with explained(self._carrier.settings):
            return await self._offsets.highwaters(*self._partitions)

    async def _carry_on(self) -> None:
        """Begin to carry what is there, as far as there is room; note what is carried."""
        free = self._partitions - self._under_way.keys()
        if len(self._under_way) < PARTITIONS_AT_ONCE and free:
            patience_s = GLANCE_S if self._under_way else WAIT_S
            with explained(self._carrier.settings):
                found = await stretches(self._consumer, free, patience_s)
            for tp, batch in found.items():
                self._under_way[tp] = asyncio.create_task(self._carry(tp, batch))
        else:
            await asyncio.wait(self._under_way.values(), return_when=asyncio.FIRST_COMPLETED)
        for tp, task in list(self._under_way.items()):
            if task.done():
                del self._under_way[tp]
                task.result()

    async def _carry(self, tp: TP, batch: Batch) -> None:
        await self._carrier.carry(tp, batch)
        self._positions[tp] = batch.next


@asynccontextmanager
async def opened(
    store: Store, settings: Settings, topics: Sequence[str] = TOPICS
) -> AsyncIterator[Filler]:
    """Open a filler of `store`, whose shards are prepared; raise BrokerError without a log."""
    check_internals()
    names, counts = await log_ids(settings), await partition_counts(settings)
    turns = asyncio.Semaphore(CALLS_AT_ONCE)
    shards = Shards(store, settings, turns=turns, patience_s=AWAY_S)
    fences = Fences(store, settings, names)
    places = [TP(settings.topic(name), number) for name in topics for number in range(counts[name])]
    counting_all = Shedding(store, settings)  # which nobody tells of what waits
    carrier = Carrier(settings, shards, fences, Unheard(), Unbroken(), counting_all, Tally())
    async with consuming(
        settings,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_MS,
        request_timeout_ms=READ_MS,
    ) as consumer:
        filler = Filler(carrier, consumer, places)
        try:
            await filler.begin()
            yield filler
        except BaseException:
            await filler.close(at_once=True)
            raise
        await filler.close(at_once=False)
