"""The canary: acts by one reserved account for one other, timed until they are there to be read.

    share by name ──> Kafka ──> worker ──> shard ──┬─> the fan's live feed     path "feed"
                                                   └─> a notice of the fan     path "stream"

The time runs from handing the act to the producer until its score stands in the feed, and until a
notice tells those who serve streams to read it. A share by name is seen by the fan alone, counts
for nothing, and is taken back once it was seen: of all rounds one register remains. It is made in
the stream's own time, which it hardly moves: what is replayed from years ago stays in time.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from redis.exceptions import ResponseError

from models.decay import contribution
from models.events import Befriend, Share, Unshare
from models.routing import shard_of
from streams import notices, reader
from streams.clock import now_ms
from streams.producer import Producer
from streams.report import FEED, PATHS, STREAM

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.settings import Settings
    from streams.store import Store

    Seen: TypeAlias = Callable[[str, float], None]  # path, seconds

RESERVED = "likewave-"  # what the ids of accounts begin with that are nobody's
POLL_S = 0.004
PATIENCE = 50  # a wait is measured to one part in so many
REMEMBERED = 1_000  # acts that are waited for
UNTOLD_S = 1.0  # after which an act is taken back though no notice told of it
ROUNDED_MS = 100  # by which a score may be less than that of the act


class Canary:
    """Acts and waits; `seen` hears of each act once for each path."""

    def __init__(self, settings: Settings, store: Store, name: str, seen: Seen) -> None:
        self.actor, self.fan = f"{RESERVED}{name}", f"{RESERVED}{name}-fan"
        self._settings = settings
        self._store = store
        self._seen = seen
        self._shard = shard_of(self.fan, settings.shards)
        self._tag = f"{{{self._shard}}}"
        self._at = 0  # of the last event
        self._met = 0  # the last act that was in the feed
        self._is_on = False
        self.clock_ahead_s: float | None = None  # Kafka's before this host's, as it stamped an act
        self._waiting = {path: deque[tuple[int, float]](maxlen=REMEMBERED) for path in PATHS}

    async def run(self, every_s: float) -> None:
        """Act until cancelled; raise where broker or store is away."""
        await self._store.ping()  # before anybody listens: a store that is away is said once
        async with Producer(self._settings) as producer:
            works = self._act(producer, every_s), self._look(producer), self._listen()
            tasks = [asyncio.create_task(work) for work in works]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()

    async def _act(self, producer: Producer, every_s: float) -> None:
        while True:
            if not await self._store.sismember(f"circle:{self._tag}:{self.fan}", self.actor):
                befriend = Befriend(at=await self._next_at(), user=self.actor, friend=self.fan)
                await producer.publish([befriend])
            with suppress(ResponseError):  # until a worker has loaded the functions
                await reader.wake(self._store, self._settings.shards, self.fan)
            await notices.lease(self._store, self._settings.shards, [self.fan], now_ms())
            at = await self._next_at()
            for waiting in self._waiting.values():
                waiting.append((at, time.monotonic()))
            self._is_on = True
            await producer.publish([Share(at=at, user=self.actor, item=self.actor, to=[self.fan])])
            await asyncio.sleep(every_s)

    async def _look(self, producer: Producer) -> None:
        while True:
            await asyncio.sleep(POLL_S + self._waited(FEED) / PATIENCE)
            self.clock_ahead_s = producer.clock_ahead_s
            if self._waiting[FEED]:
                await self._meet(FEED)
            elif self._is_on and not 0 < self._waited(STREAM) < UNTOLD_S:
                self._is_on = False
                back = Unshare(
                    at=await self._next_at(), user=self.actor, item=self.actor, to=[self.fan]
                )
                await producer.publish([back])

    async def _listen(self) -> None:
        async for notice in notices.listen(self._store, self._settings.shards):
            if self._waiting[STREAM] and (notice.everything or self.fan in notice.users):
                await self._meet(STREAM)

    async def _meet(self, path: str) -> None:
        """Tell of the acts that are in the feed, or were."""
        feed = f"feed:{self._tag}:{self.fan}"
        score, now = await self._store.zscore(feed, self.actor), time.monotonic()
        waiting = self._waiting[path]
        while waiting and (waiting[0][0] <= self._met or self._is_of(waiting[0][0], score)):
            at, since = waiting.popleft()
            self._met = max(self._met, at)
            self._seen(path, now - since)

    def _is_of(self, at: int, score: float | None) -> bool:
        """Tell whether a score is that of the act made `at`, or of a later one."""
        policy = self._settings.policy
        worth = contribution(np.array([at]), policy.direct_weight, policy.half_life_ms)
        return score is not None and score >= worth[0] - ROUNDED_MS

    def _waited(self, path: str) -> float:
        waiting = self._waiting[path]
        return time.monotonic() - waiting[0][1] if waiting else 0.0

    async def _next_at(self) -> int:
        """Give a time just after all that was applied, and after the last event."""
        time = await self._store.hget(reader.fence_key(self._shard), "time")
        self._at = max(int(time or 0), self._at) + 1
        return self._at
