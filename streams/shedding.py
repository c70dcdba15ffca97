"""How far a worker sheds load, by what waits in its partitions; said in the store while it does.

    likewave:shedding:<topic>:<partition>    halvings, for some seconds

What is counted of each stretch of the log is another matter, which the shards remember.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from models.shedding import halvings
from streams import worker_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import TopicPartition
    from faust.types.tuples import TP

    from streams.settings import Settings
    from streams.store import Store

VIEWS = "views"
LIFE_S = 5  # of what is said; a worker says it anew every second

log = structlog.get_logger()


class Shedding:
    """What one worker sheds: of views, one in 2^halvings is counted."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._limit = settings.shed_lag
        self._views = settings.topic(VIEWS)
        self._halvings = 0

    def of(self, topic: str) -> int:
        """Give the halvings of a topic (without the prefix): nothing but views is shed."""
        return self._halvings if topic == VIEWS else 0

    async def follow(self, waiting: Mapping[TP, int]) -> None:
        """Decide anew, by the events that wait in each of the worker's partitions."""
        most, before = max(waiting.values(), default=0), self._halvings
        self._halvings = halvings(most, self._limit, before)
        worker_metrics.shed_rate.set(0.5**self._halvings)
        if before and not self._halvings:
            log.info("all views are counted again", waiting=most)
        elif self._halvings != before:
            log.warning("views are sampled", one_in=2**self._halvings, waiting=most)
        if self._halvings or before:
            await self._tell([tp for tp in waiting if tp.topic == self._views])

    async def _tell(self, partitions: Sequence[TP]) -> None:
        async with self._store.pipeline(transaction=False) as tell:
            for tp in partitions:
                if self._halvings:
                    tell.set(_key(tp), self._halvings, ex=LIFE_S)
                else:
                    tell.delete(_key(tp))
            await tell.execute()


async def told(store: Store, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Read which partitions are shed now, and how far."""
    found: Any = await store.mget(list(map(_key, partitions))) if partitions else []
    return {tp: int(told) for tp, told in zip(partitions, found, strict=True) if told}


def _key(tp: TP | TopicPartition) -> str:
    return f"likewave:shedding:{tp.topic}:{tp.partition}"
