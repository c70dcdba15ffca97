"""Where a worker stands: the shards' fences against the log, and against what they acknowledged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from models.errors import RewindError, StoreError
from streams import reader
from streams.feeds import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from faust.types.tuples import TP

    from streams.settings import Settings
    from streams.store import Store
    from streams.transport import Batch

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
            f"shard {shard} was filled from another log of {source} ({log_id}, now "
            f"{known.log_id}): flush the store and let the worker refill it"
        )
    if position > known.end:
        raise StoreError(
            f"shard {shard} holds {source} up to offset {position}, but the log ends at "
            f"{known.end}: it lost records; flush the store and let the worker refill it"
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

        Raises StoreError where a fence is of another log, or lies beyond the log's end.
        """
        starts, ends = await asyncio.gather(
            consumer.earliest_offsets(*assigned), consumer.highwaters(*assigned)
        )
        fences = await self._read()
        self._starts = dict(starts)
        self._acknowledged = {tp: min(self._of(tp, fences)) for tp in assigned}
        return {tp: self._position(tp, starts[tp], ends[tp], fences) for tp in assigned}

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
        shards = range(self._settings.shards)
        return await asyncio.gather(*(reader.fences(self._store, shard) for shard in shards))

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
