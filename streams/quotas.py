"""How often one user may ask, over all processes of the API: counted in the store.

Ten seconds' worth may be used at once; after that requests pass as fast as the rate says. A store
that takes no writes counts nothing, and everything passes: feeds can be read there all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import ResponseError

from streams import api_metrics
from streams.problems import too_many
from streams.store import is_refusal

if TYPE_CHECKING:
    from streams.store import Store

WINDOW_S = 10
READS = RateLimitItemPerSecond(50 * WINDOW_S, WINDOW_S, "reads")  # 50 a second
WRITES = RateLimitItemPerSecond(20 * WINDOW_S, WINDOW_S, "writes")  # 20 a second
EVENTS = RateLimitItemPerSecond(200 * WINDOW_S, WINDOW_S, "events")  # 200 a second, of a list


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

    async def use(self, quota: RateLimitItem, user: str, *, count: int = 1) -> None:
        """Count what `user` asks; raise ProblemError where that is too much."""
        try:
            if await self._limiter.hit(quota, user, cost=count):
                return
        except ResponseError as error:
            if is_refusal(error):
                return
            raise
        api_metrics.rate_limited.labels(quota.namespace).inc()
        raise too_many(
            f"{user} may have {quota.amount:,} {quota.namespace} in {WINDOW_S} s: wait, "
            "then go on more slowly",
            wait_s=WINDOW_S / 2,
        )
