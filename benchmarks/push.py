"""Push: from an act to the screens of connected friends, and what open streams cost.

The API has a stream open for each of a thousand users, and a worker carries likes from Kafka, one
after the other. Each is timed from its publishing until every connected friend's stream has told
of it. Then the same again, beside 200 streams of which nothing is ever read.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from benchmarks import workload
from benchmarks.report import Report, at_least, at_most, quantile
from benchmarks.streams import api
from benchmarks.workers import worker
from models.events import Like
from streams.producer import Producer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.lab import Lab
    from benchmarks.streams import Site
    from streams.settings import Settings

STREAMS = 1_000
SLOW = 200
AT_ONCE = 20  # streams opened side by side
PAUSE_S = 0.1  # between two acts
SETTLE_S = 2.0  # until the last act has come everywhere
FIRST = 3 * [1_000]  # likes that are not timed: at some 4 KB a broker allocates a log's index
TIMED_AT = workload.START + 86_400_000  # younger than all other acts
FIRST_TIMED = 3 * 10**9


async def run(lab: Lab) -> Report:
    """Measure act to screen, and the memory of streams."""
    circle = workload.circle(lab.sizes.users)
    connected = circle.users[:STREAMS]
    settings = await lab.topics("push")
    with lab.copy(await lab.full()) as server:
        settings = settings.model_copy(update={"redis": server.url})
        acts = _Acts(settings, circle.fans, connected)
        async with worker(settings), api(settings, lab.folder / "keys") as site:
            await acts.at_once(FIRST)
            await _open(site, connected[:1])
            before_mb = site.memory_mb()
            await _open(site, connected[1:])
            await asyncio.sleep(SETTLE_S)
            cost_mb = site.memory_mb() - before_mb
            await acts.timed(site, SETTLE_S)  # until the worker has started
            alone_ms, missed = await acts.timed(site, lab.sizes.seconds)
            for user in connected[:SLOW]:
                site.neglect(user)
            await asyncio.sleep(4 * SETTLE_S)
            beside_ms, missed_beside = await acts.timed(site, lab.sizes.seconds)
    ratio = quantile(beside_ms, 0.99) / quantile(alone_ms, 0.99)
    came = len(alone_ms) + len(beside_ms)
    share = 100 * came / (came + missed + missed_beside)
    return Report(
        figures=[
            at_most("act to screen, 1,000 streams, p50", quantile(alone_ms, 0.5), 100, "ms"),
            at_most("act to screen, 1,000 streams, p99", quantile(alone_ms, 0.99), 500, "ms"),
            at_least("acts that came to every connected friend", share, 100, "%"),
            at_most("memory of 1,000 idle streams", cost_mb, 150, "MB"),
            at_most("act to screen beside 200 slow readers, p99", ratio, 2, "x"),
        ]
    )


class _Acts:
    """Likes of connected users, one after the other."""

    def __init__(self, settings: Settings, fans: workload.Fans, connected: list[str]) -> None:
        self._settings = settings
        self._connected = connected
        self._reached = {user: set(fans[user]) & set(connected) for user in connected}
        self._made = 0

    async def at_once(self, counts: Iterable[int]) -> None:
        """Act without timing it, so often in one go, and then so often."""
        async with Producer(self._settings) as producer:
            for count in counts:
                await producer.publish([self._next() for _ in range(count)])
                await producer.flush()

    async def timed(self, site: Site, seconds: float) -> tuple[list[float], int]:
        """Act for so long; give what each arrival took (ms), and how many did not come."""
        site.arrivals.clear()
        began: dict[str, float] = {}
        expected = 0
        until = time.perf_counter() + seconds
        async with Producer(self._settings) as producer:
            while time.perf_counter() < until:
                like = self._next()
                expected += len(self._reached[like.user])
                began[like.item] = time.perf_counter()
                await producer.publish([like])
                await asyncio.sleep(PAUSE_S)
        await asyncio.sleep(SETTLE_S)
        came = {(one.user, one.item): one.at_s for one in site.arrivals if one.item in began}
        took_ms = [1_000 * (at_s - began[item]) for (_, item), at_s in came.items()]
        return took_ms, expected - len(came)

    def _next(self) -> Like:
        self._made += 1
        user = self._connected[self._made * 7 % len(self._connected)]
        return Like(at=TIMED_AT + self._made, user=user, item=str(FIRST_TIMED + self._made))


async def _open(site: Site, users: list[str]) -> None:
    for first in range(0, len(users), AT_ONCE):
        await asyncio.gather(*(site.watch(user) for user in users[first : first + AT_ONCE]))
