"""An account with a million fans: how long its acts hold a shard, and a fan's page with them.

Some thousands of the fans are warm: they read, and their feeds are full of what another account
likes. A like made before the crowd came is in those feeds; a later one is in none of them, but
merged when a fan reads. Of either kind some are repeated, and taken back. What holds a shard is the
longest of all calls that an act takes, by the store's own clock.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.lab import let_read, put_in
from benchmarks.popular import apply
from benchmarks.report import Report, at_least, at_most, quantile
from benchmarks.workload import FIRST_FILLER, FIRST_ITEM, FIRST_USER, START, STEP_MS
from models.events import Follow, Like, Unlike
from models.policy import HOUR, Policy
from streams import store as stores
from streams.page_policies import LivePolicies
from streams.pager import Pager
from streams.settings import resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from benchmarks.lab import Lab
    from benchmarks.report import Figure
    from models.events import Event
    from streams.feeds import Shards
    from streams.settings import Settings

FAMOUS, OTHER = "1", "2"
WARM = 4_000  # fans, of both
FILLING = 130  # likes of the other, which fill a feed
EARLY = 2  # likes before the crowd came; to repeat one, or take it back, looks at all fans
PAGES = 200
CALLS = 100_000  # that the store remembers, more than an act takes
NOTED_US = 50  # calls that take less are not: to note the calls within calls slows the next ones


@dataclass(frozen=True, slots=True)
class Bench:
    """A store with the famous account and its fans."""

    settings: Settings
    client: stores.Store
    shards: Shards
    fans: int


async def run(lab: Lab) -> Report:
    """Measure the calls of single acts, and pages of warm fans with the newest like."""
    early, late = _items(0, EARLY), _items(EARLY, lab.sizes.repeats)
    async with _bench(lab) as bench:
        acts = _Acts(bench)
        figures = [
            await acts.held("a like", _likes(late, at=START + HOUR)),
            await acts.held("a repeated like", _likes(late, at=START + 2 * HOUR)),
            await acts.held("a repeated like of before", _likes(early, at=START + HOUR)),
            *await _pages(bench, late[-1]),
            await acts.held("an unlike", _unlikes(late, at=START + 3 * HOUR)),
            await acts.held("an unlike of one of before", _unlikes(early, at=START + 3 * HOUR)),
        ]
    return Report(figures=figures)


@asynccontextmanager
async def _bench(lab: Lab) -> AsyncIterator[Bench]:
    """Start a store, and let warm fans come before the early likes, the others after them."""
    policy, fans = Policy(), lab.sizes.fans
    with lab.empty("famous") as server:
        settings = resolve(redis=server.url)
        async with lab.writer(server) as shards, stores.opened(settings) as client:
            await put_in(shards, _follows(0, WARM), policy, "warm")
            await put_in(shards, _filling(), policy, "filling")
            await let_read(client, _fans(0, WARM))
            await put_in(shards, _follows(WARM, fans), policy, "crowd")
            await client.config_set("slowlog-max-len", CALLS)
            yield Bench(settings, client, shards, await client.scard(f"fans:{{0}}:{FAMOUS}"))


class _Acts:
    """Applies acts, one after the other, and asks the store how long each call held it."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._offset = 0

    async def held(self, what: str, acts: list[Event]) -> Figure:
        """Give the longest call of all `acts`."""
        longest_ms = max([await self._held_ms(act) for act in acts])
        name = f"longest call of {what} by a user with {self._bench.fans:,} fans"
        return at_most(name, longest_ms, 10, "ms")

    async def _held_ms(self, act: Event) -> float:
        client = self._bench.client
        await client.slowlog_reset()
        await client.config_set("slowlog-log-slower-than", NOTED_US)
        await apply(self._bench.shards, act, self._offset)
        await client.config_set("slowlog-log-slower-than", -1)
        self._offset += 1
        calls = await client.slowlog_get(CALLS)
        taken_us = [one["duration"] for one in calls if one["command"].startswith(b"FCALL")]
        return max(taken_us, default=NOTED_US) / 1_000


async def _pages(bench: Bench, item: str) -> list[Figure]:
    """Time pages of warm fans, and count those that show `item`."""
    took_ms, shown = [], 0
    async with Pager(bench.client, bench.settings, LivePolicies(bench.settings)) as pager:
        for fan in _fans(0, PAGES):
            began = time.perf_counter()
            page = await pager.page(fan, now=START + 2 * HOUR)
            took_ms.append(1_000 * (time.perf_counter() - began))
            shown += item in {one.item for one in page.items}
    return [
        at_least("fans whose page has its newest like", 100 * shown / PAGES, 100, "%"),
        at_most("page of such a fan, p90", quantile(took_ms, 0.9), 10, "ms"),
    ]


def _fans(first: int, following: int) -> Iterator[str]:
    return (str(FIRST_USER + number) for number in range(first, following))


def _follows(first: int, following: int) -> Iterator[Event]:
    """Give the follows of warm fans, who follow both, or of all others."""
    for fan in _fans(first, following):
        yield Follow(at=1, user=fan, friend=FAMOUS)
        if following == WARM:
            yield Follow(at=1, user=fan, friend=OTHER)


def _filling() -> list[Event]:
    first = START - STEP_MS * FILLING
    others: list[Event] = [
        Like(at=first + STEP_MS * number, user=OTHER, item=str(FIRST_FILLER + number))
        for number in range(FILLING)
    ]
    return [*others, *_likes(_items(0, EARLY), at=START)]


def _items(first: int, following: int) -> list[str]:
    return [str(FIRST_ITEM + number) for number in range(first, following)]


def _likes(items: list[str], *, at: int) -> list[Event]:
    return [Like(at=at + place, user=FAMOUS, item=item) for place, item in enumerate(items)]


def _unlikes(items: list[str], *, at: int) -> list[Event]:
    return [Unlike(at=at + place, user=FAMOUS, item=item) for place, item in enumerate(items)]
