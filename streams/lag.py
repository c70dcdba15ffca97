"""How far the shards are behind the log: events not yet applied, and how long they have waited.

Asked from the broker and from the store, never from a worker, so that it is true when none runs.
Ends are read before fences: where the lag is 0, all that was in the log when it was asked is in
every shard.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

from models.errors import StoreError
from streams import clock, reader
from streams.kafka import ANSWER_MS, explained, options
from streams.topics import log_bounds, log_ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from streams.settings import Settings
    from streams.store import Store

RECORD_BYTES = 1  # of a fetch from one partition: the broker gives one batch, however large
RECORD_MS = 1_000  # for a record to come; a stretch that was compacted away has none
WAIT_MS = 10  # of the broker, for records that are not there yet


@dataclass(frozen=True, slots=True)
class Position:
    """Where the log of one partition ends, and up to where all shards have it."""

    topic: str  # without the prefix
    partition: int
    fence: int  # least over the shards
    end: int

    @property
    def lag(self) -> int:
        """Count the offsets between."""
        return max(0, self.end - self.fence)


@dataclass(frozen=True, slots=True)
class Lag:
    """The lag of one partition; `seconds` is how long its first event has waited in the log."""

    topic: str
    partition: int
    fence: int
    end: int
    lag: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """The lag of all partitions: together, the longest wait, and one by one."""

    lag: int
    seconds: float
    partitions: list[Lag]


class Gauge:
    """Measures the lag, again and again; `log_ids` names the log that a fence must be of."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        consumer: AIOKafkaConsumer,
        *,
        starts: Mapping[tuple[str, int], int],
        log_ids: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._store = store
        self._consumer = consumer
        self._starts = starts
        self._log_ids = log_ids

    async def positions(self) -> list[Position]:
        """Read ends and fences; raise StoreError where a fence is of another log."""
        with explained(self._settings):
            ends = await self._consumer.end_offsets(list(map(self._address, self._starts)))
        shards = await asyncio.gather(
            *(reader.fences(self._store, shard) for shard in range(self._settings.shards))
        )
        return [
            Position(*name, self._fence(name, start, shards), ends[self._address(name)])
            for name, start in self._starts.items()
        ]

    async def measure(self) -> Backlog:
        """Read the positions, and of every partition that lags since when."""
        positions = await self.positions()
        waiting = await self._first_unapplied([one for one in positions if one.lag])
        now = clock.now_ms()
        lags = [
            Lag(one.topic, one.partition, one.fence, one.end, one.lag, _seconds(waiting, one, now))
            for one in positions
        ]
        return Backlog(
            sum(one.lag for one in lags), max((one.seconds for one in lags), default=0.0), lags
        )

    def _fence(
        self,
        name: tuple[str, int],
        start: int,
        shards: Iterable[Mapping[str, tuple[int, str, int]]],
    ) -> int:
        topic, partition = name
        found = [shard.get(f"{topic}:{partition}") for shard in shards]
        if any(fence and fence[1] != self._log_ids[topic] for fence in found):
            raise StoreError(
                f"the store was filled from another log of {self._settings.topic(topic)}: "
                "flush the store and let the worker refill it"
            )
        return max(start, min(fence[0] if fence else start for fence in found))

    async def _first_unapplied(self, lagging: Sequence[Position]) -> dict[Position, int]:
        """Give the broker's timestamp (Unix ms) on the first event that some shard lacks."""
        found = {}
        with explained(self._settings):
            for position in lagging:
                place = self._address((position.topic, position.partition))
                self._consumer.assign([place])
                self._consumer.seek(place, position.fence)
                taken = await self._consumer.getmany(place, timeout_ms=RECORD_MS, max_records=1)
                for record in taken.get(place, ()):
                    found[position] = record.timestamp
        return found

    def _address(self, name: tuple[str, int]) -> TopicPartition:
        return TopicPartition(self._settings.topic(name[0]), name[1])


def _seconds(waiting: Mapping[Position, int], position: Position, now: int) -> float:
    return max(0, now - waiting.get(position, now)) / 1000


@asynccontextmanager
async def gauge(settings: Settings, store: Store) -> AsyncIterator[Gauge]:
    """Open a gauge; raise BrokerError where Kafka or a topic is missing."""
    bounds, ids = await log_bounds(settings), await log_ids(settings)
    consumer = AIOKafkaConsumer(
        **options(settings),
        enable_auto_commit=False,
        request_timeout_ms=ANSWER_MS,
        max_partition_fetch_bytes=RECORD_BYTES,
        fetch_max_wait_ms=WAIT_MS,
    )
    try:
        with explained(settings):
            await consumer.start()
        starts = {name: start for name, (start, _) in bounds.items()}
        yield Gauge(settings, store, consumer, starts=starts, log_ids=ids)
    finally:
        await consumer.stop()
