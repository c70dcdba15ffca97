"""Where a worker stands: the shards' fences against the log, and against what they acknowledged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from models.errors import BrokerError, RewindError, StoreError
from streams import reader, topics
from streams.feeds import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from faust.types.tuples import TP

    from streams.settings import Settings
    from streams.store import Store
    from streams.transport import Batch

REBUILD = "likewave rebuild --another-log"
REFILL = (
    f"where `likewave config` names the right servers, `{REBUILD}` makes the feeds anew of what is "
    "left"
)

log = structlog.get_logger()


class Log(NamedTuple):
    """The log of one partition: what it is, where it begins and ends."""

    log_id: str
    start: int
    end: int


def check_fence(shard: int, source: str, fence: tuple[int, str, int], known: Log) -> None:
    """Raise StoreError where a fence is of another log, or lies beyond the log's end."""
    position, log_id, _ = fence
    if log_id != known.log_id:
        raise StoreError(
            f"shard {shard} was filled from another log of {source.rpartition(':')[0]} ({log_id}, "
            f"Kafka has {known.log_id}): {REFILL}"
        )
    if position > known.end:
        raise StoreError(
            f"shard {shard} holds {source} up to offset {position}, but the log ends at "
            f"{known.end} and lost records: {REFILL}"
        )


class Fences:
    """The positions of all shards in the partitions of one worker.

    `log_ids` names the log of each topic (short name -> topic id and cluster id): a fence of
    another log is never taken for one of this.
    """

    def __init__(self, store: Store, settings: Settings, log_ids: Mapping[str, str]) -> None:
        self._store = store
        self._settings = settings
        self._log_ids = log_ids
        self._starts: dict[TP, int] = {}  # where each log began when it was last sought
        self._acknowledged: dict[TP, int] = {}

    async def positions(self, consumer: Any, assigned: set[TP]) -> Mapping[TP, int]:
        """Give the offset each partition must be read from: the least fence of all shards.

        Raises StoreError where a fence is of another log, or lies beyond the log's end; BrokerError
        where that is because the topic was made anew since the worker started.
        """
        starts, ends = await asyncio.gather(
            consumer.earliest_offsets(*assigned), consumer.highwaters(*assigned)
        )
        fences = await self._read()
        self._starts = dict(starts)
        self._acknowledged = {tp: min(self._of(tp, fences)) for tp in assigned}
        try:
            return {tp: self._position(tp, starts[tp], ends[tp], fences) for tp in assigned}
        except StoreError:
            self.check_logs(await topics.log_ids(self._settings, tuple(self._log_ids)))
            raise

    def span(self, tp: TP, batch: Batch) -> Span:
        """Describe the stretch of the log that `batch` covers."""
        topic = self._short(tp.topic)
        return Span(
            topic=topic,
            partition=tp.partition,
            begin=batch.begin,
            next=batch.next,
            log=self._log_ids[topic],
            from_start=batch.begin <= self._starts.get(tp, 0),
        )

    def acknowledge(self, tp: TP, position: int) -> None:
        """Note that the shards said to hold everything before `position`."""
        self._acknowledged[tp] = max(position, self._acknowledged.get(tp, 0))

    def check_logs(self, found: Mapping[str, str]) -> None:
        """Raise BrokerError where a topic is another than when the worker started.

        Such a topic would be read from where the old one was, or never again.
        """
        for topic, log_id in found.items():
            if log_id != self._log_ids[topic]:
                raise BrokerError(
                    f"topic {self._settings.topic(topic)} was deleted and made anew while the "
                    f"worker read it ({self._log_ids[topic]}, now {log_id}): it starts again"
                )

    async def read(self, assigned: Iterable[TP]) -> dict[TP, int]:
        """Read the least fences; raise RewindError where one lies below what was acknowledged."""
        acknowledged = dict(self._acknowledged)
        fences = await self._read()
        least = {tp: min(self._of(tp, fences), default=0) for tp in assigned}
        for tp, position in acknowledged.items():
            if least.get(tp, position) < position:
                raise RewindError(
                    f"{tp.topic}:{tp.partition}: the store held everything before offset "
                    f"{position}, now only up to {least[tp]}: it was flushed, or lost its last "
                    "writes; the worker starts again from there"
                )
        return least

    async def _read(self) -> list[dict[str, tuple[int, str, int]]]:
        return await reader.all_fences(self._store, self._settings.shards)

    def _of(self, tp: TP, fences: list[dict[str, tuple[int, str, int]]]) -> list[int]:
        source = f"{self._short(tp.topic)}:{tp.partition}"
        return [fence[source][0] if source in fence else 0 for fence in fences]

    def _position(
        self, tp: TP, start: int, end: int, fences: list[dict[str, tuple[int, str, int]]]
    ) -> int:
        topic = self._short(tp.topic)
        source = f"{topic}:{tp.partition}"
        known = Log(self._log_ids[topic], start, end)
        for shard, fence in enumerate(fences):
            if source in fence:
                check_fence(shard, source, fence[source], known)
                position = fence[source][0]
                if position < start:
                    lost = start - position
                    log.error("events expired unread", source=source, shard=shard, lost=lost)
        return max(start, min(fence.get(source, (start, "", 0))[0] for fence in fences))

    def _short(self, topic: str) -> str:
        return topic.removeprefix(self._settings.topic_prefix)
