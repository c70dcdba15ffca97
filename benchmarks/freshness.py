"""Freshness: from an act to the fan who sees it, and how long a page takes meanwhile.

A worker drains a log of likes as fast as it can, which gives the greatest rate. Then likes come at
half of it, and between them those of one user, one at a time: each is timed from its publishing
until it is in a fan's feed. Then the feeds of a few readers are read, and their pages made, with
what trends, what is new and what they like among the candidates. A PING, which the store answers
from its head, tells how much of that is waiting for the machine and for the calls in hand, and so
do the same feeds and pages before the likes come, when nothing else runs.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import workload
from benchmarks.lab import LOG, put_in
from benchmarks.programs import program
from benchmarks.report import Finding, Report, at_most, quantile
from benchmarks.workers import drain, end, position, worker
from models.events import Like
from streams import store
from streams.page_policies import LivePolicies
from streams.pager import Pager
from streams.producer import Producer
from streams.reader import page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from benchmarks.lab import Lab
    from benchmarks.workload import Circle
    from streams.settings import Settings

POLL_S = 0.0005
PAUSE_S = 0.02  # between two acts that are timed, or two pages
SETTLE_S = 0.5
SETTLINGS = 60  # at most, until the worker has caught up
BEHIND_S = 0.2  # how far behind a worker may be that keeps up
TIMED_AT = workload.START + 86_400_000  # younger than all other acts
FIRST_TIMED = 2 * 10**9
READERS = 50  # who come again and again: of the pages timed none is their first for an hour


class Reading(NamedTuple):
    """How long what readers ask for took, one by one (ms)."""

    ping_ms: list[float]
    feed_ms: list[float]
    page_ms: list[float]


async def run(lab: Lab) -> Report:
    """Measure act to visible, and pages, at half the greatest rate."""
    circle = workload.circle(lab.sizes.users)
    log = await lab.likes("fresh")
    with lab.copy(await lab.full()) as server:
        async with lab.writer(server) as shards:
            await put_in(shards, workload.posts(), log.policy, f"{LOG}-posts")
        settings = log.model_copy(update={"redis": server.url})
        rate = (await drain(settings, server)).rate / 2
        settings = settings.model_copy(update={"group": "fresh-2"})  # the first has not left yet
        load = str(rate), str(lab.sizes.users), str(lab.sizes.drained_likes)
        readers = circle.users[:READERS]
        async with store.opened(settings) as client:
            quiet = await _time_reading(settings, client, readers, lab.sizes.seconds / 2)
        async with (
            worker(settings),
            program("benchmarks.publisher", settings, *load),
            store.opened(settings) as client,
        ):
            await _caught_up(settings, client, rate)
            visible_ms = await _time_acts(settings, client, circle, lab.sizes.seconds)
            busy = await _time_reading(settings, client, readers, lab.sizes.seconds)
    return Report(
        figures=[
            at_most("act to visible, p50", quantile(visible_ms, 0.5), 30, "ms"),
            at_most("act to visible, p99", quantile(visible_ms, 0.99), 150, "ms"),
            at_most("feed of 20 with proofs, p50", quantile(busy.feed_ms, 0.5), 1, "ms"),
            at_most("feed of 20 with proofs, p99", quantile(busy.feed_ms, 0.99), 10, "ms"),
            at_most("page of 20, ranked, p50", quantile(busy.page_ms, 0.5), 1, "ms"),
            at_most("page of 20, ranked, p99", quantile(busy.page_ms, 0.99), 10, "ms"),
        ],
        findings=[
            Finding(
                "what waits meanwhile", f"PING, {name} (ms)", "store", quantile(busy.ping_ms, share)
            )
            for name, share in (("p50", 0.5), ("p99", 0.99))
        ]
        + [
            Finding("where nothing else runs", f"{what}, p50 (ms)", "store", quantile(took_ms, 0.5))
            for what, took_ms in zip(("PING", "feed of 20", "page of 20"), quiet, strict=True)
        ],
    )


async def _caught_up(settings: Settings, client: store.Store, rate: float) -> None:
    """Wait until the worker has applied what was published while it started."""
    for _ in range(SETTLINGS):
        await asyncio.sleep(SETTLE_S)
        if await end(settings) - await position(client) < BEHIND_S * rate:
            return


async def _time_acts(
    settings: Settings, client: store.Store, circle: Circle, seconds: float
) -> list[float]:
    user = circle.users[0]
    took_ms: list[float] = []
    feed = f"feed:{{0}}:{circle.fans[user][0]}"
    until = time.perf_counter() + seconds
    async with Producer(settings) as producer:
        while (began := time.perf_counter()) < until:
            item = str(FIRST_TIMED + len(took_ms))
            await producer.publish([Like(at=TIMED_AT + len(took_ms), user=user, item=item)])
            while await client.zscore(feed, item) is None:  # noqa: ASYNC110 - as a fan would
                await asyncio.sleep(POLL_S)
            took_ms.append(1_000 * (time.perf_counter() - began))
            await asyncio.sleep(PAUSE_S)
    return took_ms


async def _time_reading(
    settings: Settings, client: store.Store, readers: Sequence[str], seconds: float
) -> Reading:
    ping_ms = await _time(readers, seconds, lambda _: client.ping())
    feed_ms = await _time(readers, seconds, partial(page, client, 1))
    async with Pager(client, settings, LivePolicies(settings)) as pager:
        ranked = partial(pager.page, now=TIMED_AT)
        for reader in readers:
            await ranked(reader)
        return Reading(ping_ms, feed_ms, await _time(readers, seconds, ranked))


async def _time(
    users: Sequence[str], seconds: float, read: Callable[[str], Awaitable[object]]
) -> list[float]:
    """Read for one user after the other; give how long each took (ms)."""
    took_ms: list[float] = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        await read(users[len(took_ms) % len(users)])
        took_ms.append(1_000 * (time.perf_counter() - began))
        await asyncio.sleep(PAUSE_S)
    return took_ms
