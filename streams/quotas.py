"""How often one user may ask, over all processes of the API: counted in the store.

Ten seconds' worth may be used at once; after that requests pass as fast as the rate says. A store
that takes no writes counts nothing, and everything passes: feeds can be read there all the same.

A page does not wait for its count: it is counted while it is made. Whoever is found to ask too much
is asked first from then on, so that what passes beyond a quota is what was in hand at that moment.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
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
MOST_REFUSED = 10_000  # users remembered
COUNTED_S = 1.0  # within which the last reads are counted, or given up


class Quotas:
    """Counts what users ask, and refuses what is too much."""

    def __init__(self, store: Store) -> None:
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="likewave:limits",
            connection_pool=store.connection_pool,  # type: ignore[arg-type]  # as its docs say
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._refused: set[str] = set()  # readers, when last counted
        self._counting: set[asyncio.Task[None]] = set()

    async def use(self, quota: RateLimitItem, user: str, *, count: int = 1) -> None:
        """Count what `user` asks; raise ProblemError where that is too much."""
        if not await self._passes(quota, user, count):
            api_metrics.rate_limited.labels(quota.namespace).inc()
            raise too_many(
                f"{user} may have {quota.amount:,} {quota.namespace} in {WINDOW_S} s: wait, "
                "then go on more slowly",
                wait_s=WINDOW_S / 2,
            )

    async def look(self, user: str) -> None:
        """Begin to count a read by `user`; raise ProblemError where their last was too much."""
        if user in self._refused:
            await self.use(READS, user)
            self._refused.discard(user)
        else:
            counting = asyncio.create_task(self._count(user))
            self._counting.add(counting)
            counting.add_done_callback(self._counting.discard)

    async def close(self) -> None:
        """Count what is left, unless the store is silent."""
        if self._counting:
            await asyncio.wait(self._counting, timeout=COUNTED_S)

    async def _count(self, user: str) -> None:
        with suppress(RedisError, OSError):  # of a store that is away, which the page will tell
            if not await self._passes(READS, user, 1):
                if len(self._refused) >= MOST_REFUSED:
                    self._refused.clear()
                self._refused.add(user)

    async def _passes(self, quota: RateLimitItem, user: str, count: int) -> bool:
        try:
            return await self._limiter.hit(quota, user, cost=count)
        except ResponseError as error:
            if is_refusal(error):
                return True
            raise
