"""What workers ended with: counted in the store, where the next one to start finds it.

A process cannot show its own end. What ended without a word (killed, out of memory) is not
counted: the start time of a process shows that.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from models.errors import BrokerError, GapError, RewindError, StoreError, StuckError
from streams import worker_metrics

if TYPE_CHECKING:
    from streams.store import Store

KEY = "likewave:exits"
PATIENCE_S = 0.5  # the store may be what is away


class Exit(StrEnum):
    """Why a worker ended."""

    STUCK = "stuck"  # the watchdog: events wait, and none is applied
    REWIND = "rewind"  # the watchdog: a shard holds less than it did
    GAP = "gap"  # a fence lies before the batch that came
    STORE = "store"
    BROKER = "broker"
    OTHER = "other"


BY_ERROR = {
    StuckError: Exit.STUCK,
    RewindError: Exit.REWIND,
    GapError: Exit.GAP,
    StoreError: Exit.STORE,
    BrokerError: Exit.BROKER,
}


async def record(store: Store, error: Exception) -> None:
    """Count that a worker ends with `error`, where the store lets it."""
    reason = next((BY_ERROR[kind] for kind in type(error).mro() if kind in BY_ERROR), Exit.OTHER)
    with suppress(RedisError, OSError, TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            await store.hincrby(KEY, reason, 1)


async def show(store: Store) -> None:
    """Take what is counted over into the metrics of this worker, which has just started."""
    counted = await store.hgetall(KEY)
    for reason in Exit:
        worker_metrics.exits.labels(reason.value).inc(int(counted.get(reason.value, 0)))
