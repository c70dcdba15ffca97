"""Memory: the bytes of a full feed whose items have ids of 9 and 10 digits."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from benchmarks import workload
from benchmarks.lab import put_in
from benchmarks.report import Report, at_most
from models.policy import Policy

if TYPE_CHECKING:
    from benchmarks.lab import Lab


async def run(lab: Lab) -> Report:
    """Measure the largest of all full feeds, after likes that fell into them."""
    users = workload.circle(lab.sizes.users).users
    likes = list(islice(workload.likes(users), lab.sizes.fanned))
    with lab.copy(await lab.full()) as store:
        async with lab.writer(store) as shards:
            await put_in(shards, likes, Policy(), "likes")
        async with Redis.from_url(store.url) as client:
            sizes = [await _bytes(client, user) for user in users]
    return Report(figures=[at_most("feed of 120 entries", max(sizes) / 1024, 4.5, "KB")])


async def _bytes(client: Redis, user: str) -> int:
    return await client.memory_usage(f"feed:{{0}}:{user}", samples=0) or 0
