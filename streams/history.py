"""The log as an auditor reads it: the valid events of every partition, in order.

Read with a consumer of its own and without a group, and judged here by the contract alone: nothing
of the path on which events reach the store takes part.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from aiokafka import TopicPartition

from models import events
from models.errors import BrokerError, EventError, StoreError
from models.policy import MINUTE
from streams.fences import REFILL
from streams.kafka import READ_MS, consuming, explained
from streams.topics import log_bounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    from streams.settings import Settings

    Fences: TypeAlias = Mapping[tuple[str, int], int]  # (topic, partition) -> next offset
    Progress: TypeAlias = Callable[[str, int, int], None]  # stage, done, total
    Keep: TypeAlias = Callable[[events.Event], bool]

AHEAD_MS = 5 * MINUTE  # by which an event may be later than the broker's timestamp on it
READ_RECORDS = 250  # judged at a time: a few ms, in which nothing else is done


def everything(event: events.Event) -> bool:
    """Keep any event."""
    del event
    return True


def unheard(stage: str, done: int, total: int) -> None:
    """Report progress to nobody."""


@dataclass(slots=True)
class Partition:
    """What was kept of one partition: `events[k]` came with the record at `offsets[k]`."""

    begin: int  # offset of the log's first record
    position: int  # offset up to which it was read
    events: list[events.Event] = field(default_factory=list)
    offsets: array[int] = field(default_factory=lambda: array("q"))
    valid: int = 0  # kept or not
    rejected: int = 0
    latest: int = 0  # the greatest `at` of valid events

    def extend(self, topic: str, records: Iterable[ConsumerRecord], keep: Keep) -> None:
        """Judge the next records, and `keep` events that are valid."""
        for record in records:
            event = judge(topic, record)
            if event is None:
                self.rejected += 1
                continue
            self.valid += 1
            self.latest = max(self.latest, event.at)
            if keep(event):
                self.events.append(event)
                self.offsets.append(record.offset)

    def count_before(self, offset: int) -> int:
        """Count the events kept before `offset`."""
        return bisect_left(self.offsets, offset)


class History:
    """The whole log, as far as it has been read."""

    def __init__(
        self, consumer: AIOKafkaConsumer, settings: Settings, starts: Fences, keep: Keep
    ) -> None:
        self._consumer = consumer
        self._settings = settings
        self._keep = keep
        self.partitions = {name: Partition(start, start) for name, start in starts.items()}

    @property
    def is_whole(self) -> bool:
        """Tell whether the log still has its first record, or never had any."""
        return all(partition.begin == 0 for partition in self.partitions.values())

    @property
    def rejected(self) -> int:
        """Count the records that break the contract."""
        return sum(partition.rejected for partition in self.partitions.values())

    @property
    def valid(self) -> int:
        """Count the events."""
        return sum(partition.valid for partition in self.partitions.values())

    @property
    def latest(self) -> int:
        """Give the greatest `at` of the events (Unix ms), 0 where there is none."""
        return max(partition.latest for partition in self.partitions.values())

    def accounts(self) -> set[str]:
        """Give everyone who acts or is acted on."""
        return {
            account
            for partition in self.partitions.values()
            for event in partition.events
            for account in event.accounts
        }

    def topics(self) -> set[str]:
        """Give all that posts are about."""
        return {
            topic
            for partition in self.partitions.values()
            for event in partition.events
            if isinstance(event, events.Post)
            for topic in event.topics or ()
        }

    async def read_to_end(self, progress: Progress = unheard) -> None:
        """Read what is in the log now."""
        await self._read(await self._ends(), progress)

    async def read_to(self, fences: Fences) -> None:
        """Read up to `fences`; raise StoreError where the log is shorter than that."""
        unread = {
            name: fence
            for name, fence in fences.items()
            if name not in self.partitions or self.partitions[name].position < fence
        }
        if unread:
            await self._check_growth(set(unread) - set(self.partitions))
            _check_reach(unread, await self._ends())
            await self._read(unread)

    async def _check_growth(self, strange: set[tuple[str, int]]) -> None:
        """Raise BrokerError where the log has partitions that it had not when it was opened."""
        if strange and strange <= (await log_bounds(self._settings)).keys():
            named = ", ".join(f"{topic}:{number}" for topic, number in sorted(strange))
            raise BrokerError(f"the log was given partitions meanwhile ({named}): try again")

    async def _ends(self) -> dict[tuple[str, int], int]:
        with explained(self._settings):
            offsets = await self._consumer.end_offsets(list(map(self._address, self.partitions)))
        return {name: offsets[self._address(name)] for name in self.partitions}

    async def _read(self, ends: Fences, progress: Progress = unheard) -> None:
        parts = {name: self.partitions[name] for name in ends}
        total = sum(end - parts[name].begin for name, end in ends.items())
        while unread := [name for name, end in ends.items() if parts[name].position < end]:
            with explained(self._settings):
                await self._take(unread)
            await asyncio.sleep(0)  # what is fetched already is given without a pause
            done = sum(part.position - part.begin for part in parts.values())
            progress("reading", min(done, total), total)

    async def _take(self, unread: Sequence[tuple[str, int]]) -> None:
        """Read on in some partitions; what is compacted away moves the position, too."""
        before = [self.partitions[name].position for name in unread]
        addresses = {name: self._address(name) for name in unread}
        taken = await self._consumer.getmany(
            *addresses.values(), timeout_ms=READ_MS, max_records=READ_RECORDS
        )
        for name, address in addresses.items():
            partition = self.partitions[name]
            partition.extend(name[0], taken.get(address, ()), self._keep)
            partition.position = await self._consumer.position(address)
        if before == [self.partitions[name].position for name in unread]:
            raise BrokerError(
                f"Kafka at {self._settings.kafka} has given no record of {unread[0]} beyond offset "
                f"{before[0]} for {READ_MS // 1000} s: is it healthy? try again"
            )

    def _address(self, name: tuple[str, int]) -> TopicPartition:
        return TopicPartition(self._settings.topic(name[0]), name[1])


def _check_reach(fences: Fences, ends: Fences) -> None:
    for (topic, partition), fence in fences.items():
        if fence > (end := ends.get((topic, partition), 0)):
            raise StoreError(
                f"the store has {topic}:{partition} up to offset {fence}, but the log ends at "
                f"{end}; it was filled from another log, or records were lost: {REFILL}"
            )


def judge(topic: str, record: ConsumerRecord) -> events.Event | None:
    """Give the event in a record of `topic`, None where it breaks the contract."""
    if record.value is None or len(record.value) > events.LARGEST_EVENT:
        return None
    try:
        event = events.decode(record.value)
    except EventError:
        return None
    is_valid = event.topic == topic and event.at <= record.timestamp + AHEAD_MS
    return event if is_valid else None


@asynccontextmanager
async def opened(
    settings: Settings, topics: Sequence[str] = events.TOPICS, keep: Keep = everything
) -> AsyncIterator[History]:
    """Open the log of `topics` for reading, to `keep` of it what is asked for.

    Raises BrokerError where Kafka or a topic is missing.
    """
    bounds = await log_bounds(settings, topics)
    starts = {name: start for name, (start, _) in bounds.items()}
    async with consuming(
        settings,
        isolation_level="read_uncommitted",
        request_timeout_ms=READ_MS,
        auto_offset_reset="earliest",
    ) as consumer:
        places = {
            TopicPartition(settings.topic(name[0]), name[1]): at for name, at in starts.items()
        }
        consumer.assign(list(places))
        for place, start in places.items():
            consumer.seek(place, start)  # or a position is asked for, and for ever
        yield History(consumer, settings, starts, keep)
