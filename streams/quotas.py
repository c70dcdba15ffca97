"""How often one user may ask, over all processes of the API: counted in the store.

Ten seconds' worth may be used at once; after that requests pass as fast as the rate says. A store
that takes no writes counts nothing, and everything passes: feeds can be read there all the same.

A page does not wait for its count: it is counted while it is made. No more than AHEAD reads of a
user are answered before they are counted, and whoever is found to ask too much waits for the count.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError, ResponseError

from streams import api_metrics
from streams.problems import too_many
from streams.store import is_refusal

if TYPE_CHECKING:
    from streams.store import Store

WINDOW_S = 10
READS = RateLimitItemPerSecond(50 * WINDOW_S, WINDOW_S, "reads")  # 50 a second
WRITES = RateLimitItemPerSecond(20 * WINDOW_S, WINDOW_S, "writes")  # 20 a second
EVENTS = RateLimitItemPerSecond(200 * WINDOW_S, WINDOW_S, "events")  # 200 a second, of a list
AHEAD = 8  # reads of a user in this process
MOST_REFUSED = 10_000  # users remembered
COUNTED_S = 1.0  # within which the last reads are counted, or given up


class Quotas:
    """Counts what users ask, and refuses what is too much."""

    def __init__(self, store: Store) -> None:
        self._storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="likewave:limits",
            connection_pool=store.connection_pool,  # type: ignore[arg-type]  # as its docs say
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._refused: set[str] = set()  # readers, when last counted
        self._ahead: Counter[str] = Counter()  # reads that are being counted, by user
        self._counting: set[asyncio.Task[None]] = set()

    async def use(self, quota: RateLimitItem, user: str, *, count: int = 1) -> None:
        """Count what `user` asks; raise ProblemError where that is too much."""
        if not await self._passes(quota, user, count):
            api_metrics.rate_limited.labels(quota.namespace).inc()
            raise too_many(
                f"{user} may have {quota.amount:,} {quota.namespace} in {WINDOW_S} s: wait, "
                "then go on more slowly",
                wait_s=await self._wait_s(quota, user, count),
            )

    async def look(self, user: str) -> None:
        """Count a read by `user`, mostly meanwhile; raise ProblemError where it is too much."""
        if user in self._refused or self._ahead[user] >= AHEAD:
            await self.use(READS, user)
            self._refused.discard(user)
        else:
            self._ahead[user] += 1
            counting = asyncio.create_task(self._count(user))
            self._counting.add(counting)
            counting.add_done_callback(self._counting.discard)

    async def close(self) -> None:
        """Count what is left, unless the store is silent."""
        if self._counting:
            await asyncio.wait(self._counting, timeout=COUNTED_S)

    async def _count(self, user: str) -> None:
        try:
            passes = await self._passes(READS, user, 1)
        except (RedisError, OSError):  # a store that is away, which the page will tell
            return
        finally:
            self._ahead[user] -= 1
            if not self._ahead[user]:
                del self._ahead[user]
        if not passes:
            if len(self._refused) >= MOST_REFUSED:
                self._refused.clear()
            self._refused.add(user)

    async def _wait_s(self, quota: RateLimitItem, user: str, count: int) -> float:
        """Say when `count` more fit: what was used in a window fades evenly in the next one."""
        found = await self._storage.get_sliding_window(quota.key_for(user), WINDOW_S)
        before, before_ends_s, now, now_fades_s = found
        room = quota.amount - count
        if now > room:
            return now_fades_s - WINDOW_S + WINDOW_S * (1 - room / now)
        return before_ends_s - WINDOW_S * (room - now) / before if before else 0.0

    async def _passes(self, quota: RateLimitItem, user: str, count: int) -> bool:
        try:
            return await self._limiter.hit(quota, user, cost=count)
        except ResponseError as error:
            if is_refusal(error):
                return True
            raise
