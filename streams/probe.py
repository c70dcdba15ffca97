"""How long an act takes to become visible, as one pair of friends meets it.

One of them likes a new item every quarter of a second, whatever became of the last one; the feed of
the other is read every few milliseconds. The time runs from handing the like to the producer until
the item is in that feed. A first like does not count, nor do a few seconds after it: workers may
still be starting, and a simulation loads its network in bulk.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.events import Befriend, Like
from models.routing import shard_of
from streams.clock import now_ms
from streams.producer import Producer

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.store import Store

ACTOR = "probe-actor"
FAN = "probe-fan"
PERIOD_S = 0.25
SETTLE_S = 3.0
POLL_S = 0.004
REMEMBERED = 240  # likes: the last minute
LONGEST_S = 30.0  # what is not visible by then is given up, and counts as this long


@dataclass(frozen=True, slots=True)
class Latency:
    """Of the acts of the last minute, in milliseconds."""

    p50: float
    p99: float


class Probe:
    """Publishes likes and waits for them; `latency` is None until one was seen."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._tag = f"{{{shard_of(FAN, settings.shards)}}}"
        self._waiting: dict[str, float] = {}
        self._seconds: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def latency(self) -> Latency | None:
        """Give the percentiles."""
        if not self._seconds:
            return None
        p50, p99 = np.percentile(self._seconds, (50, 99)) * 1000
        return Latency(float(p50), float(p99))

    async def run(self, stop: asyncio.Event) -> None:
        """Measure until `stop` is set."""
        async with Producer(self._settings) as producer:
            await producer.publish([Befriend(at=now_ms(), user=ACTOR, friend=FAN)])
            await self._like(producer)
            while not stop.is_set() and not await self._visible():  # noqa: ASYNC110 - a worker does it
                await asyncio.sleep(PERIOD_S)
            self._waiting.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SETTLE_S)
            await self._measure(producer, stop)

    async def _measure(self, producer: Producer, stop: asyncio.Event) -> None:
        looking = asyncio.create_task(self._look())
        while not stop.is_set() and not looking.done():
            await self._like(producer)
            await asyncio.sleep(PERIOD_S)
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking

    async def _like(self, producer: Producer) -> None:
        at = now_ms()
        item = f"probe-{at}"
        self._waiting[item] = time.monotonic()
        await producer.publish([Like(at=at, user=ACTOR, item=item)])

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            visible, now = await self._visible(), time.monotonic()
            for item, since in list(self._waiting.items()):
                if item in visible or now - since > LONGEST_S:
                    self._seconds.append(min(now - since, LONGEST_S))
                    del self._waiting[item]

    async def _visible(self) -> set[str]:
        """Give those of the likes that are waited for which have arrived."""
        if not self._waiting:
            return set()
        items = list(self._waiting)
        scores = await self._store.zmscore(f"feed:{self._tag}:{FAN}", items)
        return {item for item, score in zip(items, scores, strict=True) if score is not None}
