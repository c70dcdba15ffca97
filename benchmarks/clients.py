"""The client of producers: acts acknowledged a second, by one caller, by many, and of a list."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from benchmarks.report import Report, at_least, at_most, quantile
from models.events import Like
from streams.client import Feed
from streams.clock import now_ms

if TYPE_CHECKING:
    from benchmarks.lab import Lab

ALONE = 500  # acts of the one caller
CALLERS = 1_000
ACTS = 20  # of each of many
LISTED = 50_000


async def run(lab: Lab) -> Report:
    """Measure how long an act takes until Kafka has acknowledged, and how many go at once."""
    async with Feed(await lab.topics("clients")) as feed:
        await feed.like("0", "first")
        alone_ms = await _alone(feed)
        many = await _many(feed)
        listed = await _listed(feed)
    return Report(
        figures=[
            at_most("act acknowledged, one caller, p50", quantile(alone_ms, 0.5), 10, "ms"),
            at_least(f"acts acknowledged, {CALLERS:,} callers", many, 20_000, "/s"),
            at_least("acts acknowledged, of a list", listed, 50_000, "/s"),
        ]
    )


async def _alone(feed: Feed) -> list[float]:
    taken_ms = []
    for item in range(ALONE):
        began = time.perf_counter()
        await feed.like("ann", str(item))
        taken_ms.append(1_000 * (time.perf_counter() - began))
    return taken_ms


async def _many(feed: Feed) -> float:
    async def act(user: str) -> None:
        for item in range(ACTS):
            await feed.like(user, str(item))

    began = time.perf_counter()
    await asyncio.gather(*[act(str(user)) for user in range(CALLERS)])
    return CALLERS * ACTS / (time.perf_counter() - began)


async def _listed(feed: Feed) -> float:
    now = now_ms()
    likes = [Like(at=now, user=str(place % 1_000), item=str(place)) for place in range(LISTED)]
    began = time.perf_counter()
    await feed.publish(likes)
    return LISTED / (time.perf_counter() - began)
