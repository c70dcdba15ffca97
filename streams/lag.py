"""How far the shards are behind the log: events not yet applied, and how long they have waited.

Asked from the broker and from the store, never from a worker, so that it is true when none runs.
Ends are read before fences: where the lag is 0, all that was in the log when it was asked is in
every shard. A fence beyond an end is held against a second reading, which comes after it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient

from models.events import DEAD_LETTERS, TOPICS
from models.presence import suspects
from models.refusal import refusal
from models.verdict import UNKNOWN, Surroundings
from streams import attendance, breakers, clock, reader, shedding
from streams.fences import REBUILD, REFILL
from streams.kafka import ANSWER_MS, consuming, explained, leave, options, reach
from streams.metadata import describe
from streams.store import check_policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from aiokafka import AIOKafkaConsumer

    from models.presence import Presence
    from streams.metadata import Topic
    from streams.settings import Settings
    from streams.store import Store

RECORD_BYTES = 1  # of a fetch from one partition: the broker gives one batch, however large
RECORD_MS = 2_000  # for records to come; a stretch that was compacted away has none
CREATE = "likewave topics"
WAIT_MS = 10  # of the broker, for records that are not there yet

Fences = dict[str, tuple[int, str, int]]  # of one shard, as `reader.fences` gives them


@dataclass(frozen=True, slots=True)
class Position:
    """Where the log of one partition ends, and up to where all shards have it."""

    topic: str  # without the prefix
    partition: int
    fence: int  # least over the shards
    end: int
    attended: bool = False  # a worker is there
    around: Surroundings = UNKNOWN
    fault: str = ""  # why the fence says nothing, and what to do
    mend: str = ""  # the command for it
    held_since: int = 0  # by its breaker, Unix ms; 0 is not held
    halvings: int = 0  # of views one in 2^halvings is counted now

    @property
    def lag(self) -> int:
        """Count the offsets between."""
        return max(0, self.end - self.fence)


@dataclass(frozen=True, slots=True)
class Backlog:
    """All positions, the Unix ms at which they were read, and since when events wait in each."""

    now: int
    positions: list[Position]
    since: Mapping[tuple[str, int], int]  # Unix ms of the first event that some shard lacks

    def seconds(self, one: Position) -> float:
        """Give how long the first event of a partition has waited in the log."""
        return max(0, self.now - self.since.get((one.topic, one.partition), self.now)) / 1000


class Gauge:
    """Measures the lag, again and again."""

    def __init__(
        self, settings: Settings, store: Store, client: AIOKafkaClient, consumer: AIOKafkaConsumer
    ) -> None:
        self._settings = settings
        self._store = store
        self._client = client
        self._consumer = consumer
        self._since: dict[Position, int] = {}
        self.workers = 0  # that held partitions when the positions were read last
        self.silent: tuple[str, ...] = ()  # workers that are connected to the store and say nothing

    async def positions(self) -> list[Position]:
        """Read ends and fences; raise BrokerError without Kafka, StoreError on other numbers."""
        await check_policy(self._store, self._settings)  # a rebuild may change how many shards
        with explained(self._settings):
            found = await describe(self._client, map(self._settings.topic, TOPICS))
            holders = await attendance.holders(self._client, self._settings.group)
            places = _places(found)
            starts = await self._consumer.beginning_offsets(places)
            ends = await self._consumer.end_offsets(places)
        shards = await reader.all_fences(self._store, self._settings.shards)
        connected = await attendance.connected(self._store, self._settings)
        held = {one.source: one.since for one in await breakers.held(self._store)}
        shed = await shedding.told(self._store, places)
        around = await self._around(connected)
        self.workers = len(set(holders.values()))
        self.silent = tuple(one.name for one in connected if one.is_silent)
        positions = [
            replace(
                one := self._position(
                    place, found[place.topic].log, (starts[place], ends[place]), shards
                ),
                attended=bool(connected) or place in holders,
                around=around,
                held_since=held.get(f"{one.topic}:{one.partition}", 0),
                halvings=shed.get(place, 0),
            )
            for place in places
        ]
        return _surrounded(await self._checked(positions) + self._missing(found))

    async def measure(self) -> Backlog:
        """Read the positions, and of every partition that lags since when."""
        positions = await self.positions()
        lagging = [one for one in positions if one.lag]
        known = {one: self._since[_still(one)] for one in lagging if _still(one) in self._since}
        found = known | await self._first_unapplied([one for one in lagging if one not in known])
        self._since = {_still(one): since for one, since in found.items()}
        since = {(one.topic, one.partition): at for one, at in found.items()}
        return Backlog(clock.now_ms(), positions, since)

    async def _around(self, connected: Sequence[Presence]) -> Surroundings:
        censuses = await reader.censuses(self._store, self._settings.shards)
        return Surroundings(
            workers=tuple(suspects(connected)),
            has_silent=any(one.is_silent for one in connected),
            has_newcomer=any(one.is_new for one in connected),
            has_job=any(one.busy for one in censuses),
            work=sum(one.work for one in censuses),
            refusal=refusal(await self._store.info("memory", "persistence")),
        )

    async def dead_letters(self) -> int:
        """Count what ever went to the dead letters."""
        with explained(self._settings):
            found = await describe(self._client, [self._settings.topic(DEAD_LETTERS)])
            return sum((await self._consumer.end_offsets(_places(found))).values())

    def _position(
        self, place: TopicPartition, log: str, bounds: tuple[int, int], shards: Iterable[Fences]
    ) -> Position:
        topic, (start, end) = place.topic.removeprefix(self._settings.topic_prefix), bounds
        fences = [shard.get(f"{topic}:{place.partition}") for shard in shards]
        if any(fence and fence[1] != log for fence in fences):
            fault = (
                f"the store was filled from another log of {place.topic} (it was made anew, "
                f"or is of another Kafka): {REFILL}"
            )
            return Position(topic, place.partition, start, end, fault=fault, mend=REBUILD)
        least = min(fence[0] if fence else start for fence in fences)
        return Position(topic, place.partition, max(start, least), end)

    async def _checked(self, positions: Sequence[Position]) -> list[Position]:
        """Find the fences that lie beyond the end of their log, now that they are read."""
        beyond = [self._address(one) for one in positions if one.fence > one.end]
        if not beyond:
            return list(positions)
        with explained(self._settings):
            ends = await self._consumer.end_offsets(beyond)
        return [
            one if one.fence <= ends.get(self._address(one), one.fence) else _lost(one)
            for one in positions
        ]

    def _missing(self, found: Mapping[str, Topic]) -> list[Position]:
        return [
            Position(topic, partition, 0, 0, fault=f"there is no topic {name}", mend=CREATE)
            for topic in TOPICS
            if (name := self._settings.topic(topic)) not in found
            for partition in range(self._settings.partitions)
        ]

    async def _first_unapplied(self, lagging: Sequence[Position]) -> dict[Position, int]:
        """Give the broker's timestamp (Unix ms) on the first event that some shard lacks."""
        waiting = {self._address(one): one for one in lagging}
        found: dict[Position, int] = {}
        if not waiting:
            return found
        with explained(self._settings):
            self._consumer.assign(list(waiting))
            for place, one in waiting.items():
                self._consumer.seek(place, one.fence)
            until = clock.now_ms() + RECORD_MS
            while waiting and (left := until - clock.now_ms()) > 0:
                taken = await self._consumer.getmany(*waiting, timeout_ms=left, max_records=1)
                for place, (record, *_) in taken.items():
                    found[waiting.pop(place)] = record.timestamp
        return found

    def _address(self, one: Position) -> TopicPartition:
        return TopicPartition(self._settings.topic(one.topic), one.partition)


def _places(found: Mapping[str, Topic]) -> list[TopicPartition]:
    return [
        TopicPartition(name, partition)
        for name, topic in found.items()
        for partition in range(topic.partitions)
    ]


def _surrounded(positions: list[Position]) -> list[Position]:
    """Tell all partitions of one that cannot be measured: workers refuse to go on over it."""
    mend = next((one.mend for one in positions if one.mend), "")
    return [replace(one, around=replace(one.around, mend=mend)) for one in positions]


def _still(one: Position) -> Position:
    """Give what stays the same of a position until something is applied."""
    return Position(one.topic, one.partition, one.fence, 0)


def _lost(one: Position) -> Position:
    fault = (
        f"the store holds {one.topic}:{one.partition} up to offset {one.fence:,}, beyond the end "
        f"of the log, which lost records: {REFILL}"
    )
    return replace(one, fault=fault, mend=REBUILD)


@asynccontextmanager
async def gauge(settings: Settings, store: Store) -> AsyncIterator[Gauge]:
    """Open a gauge; raise BrokerError where Kafka is away."""
    async with consuming(
        settings,
        request_timeout_ms=ANSWER_MS,
        max_partition_fetch_bytes=RECORD_BYTES,
        fetch_max_wait_ms=WAIT_MS,
    ) as consumer:
        client = AIOKafkaClient(**options(settings), request_timeout_ms=ANSWER_MS)
        try:
            await reach(settings, client.bootstrap)
            yield Gauge(settings, store, client, consumer)
        finally:
            await leave(client.close)
