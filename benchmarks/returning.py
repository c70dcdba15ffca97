"""Somebody comes back: their first page, and the feed it is made from, of what their friends did.

They have been away for longer than a feed is kept. Each of their friends did ten things within the
horizon. All who come back have the same friends, and each comes back once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.lab import put_in
from benchmarks.report import Report, at_most, quantile
from benchmarks.workload import FIRST_ITEM, FIRST_USER, START, zipf
from models.events import Befriend, Like, Share
from models.policy import DAY, Policy
from streams import store as stores
from streams.page_policies import LivePolicies
from streams.pager import Pager
from streams.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.lab import Lab
    from models.events import Event

FRIENDS = 5_000, 200
LIKES = 9  # of each friend, and one share
SINCE = START - 6 * DAY  # of the first act
FIRST_RETURNING = 10**7


async def run(lab: Lab) -> Report:
    """Measure first pages, for those with many friends and those with few."""
    policy = Policy()
    with lab.empty("returning") as server:
        settings = resolve(redis=server.url)
        async with lab.writer(server) as shards, stores.opened(settings) as client:
            await put_in(shards, _shares(), policy, "shares")
            await put_in(shards, _likes(), policy, "likes")
            for friends in FRIENDS:
                users = _returning(friends, lab.sizes.repeats)
                await put_in(shards, _friendships(users, friends), policy, f"friends-{friends}")
            async with Pager(client, settings, LivePolicies(settings)) as pager:
                took_ms = {
                    friends: [
                        await _first_page(pager, user)
                        for user in _returning(friends, lab.sizes.repeats)
                    ]
                    for friends in FRIENDS
                }
    return Report(
        figures=[
            at_most(
                f"first page of a returning user with {friends:,} friends, p90",
                quantile(took, 0.9),
                50,
                "ms",
            )
            for friends, took in took_ms.items()
        ]
    )


async def _first_page(pager: Pager, user: str) -> float:
    """Give how long a page takes that begins with making the feed (ms)."""
    began = time.perf_counter()
    page = await pager.page(user, now=START)
    took_ms = 1_000 * (time.perf_counter() - began)
    assert page.items, "a returning user finds a page"
    return took_ms


def _returning(friends: int, count: int) -> list[str]:
    return [str(FIRST_RETURNING + 1_000 * friends + number) for number in range(count)]


def _friends(count: int) -> Iterator[str]:
    return (str(FIRST_USER + number) for number in range(count))


def _friendships(users: list[str], friends: int) -> Iterator[Event]:
    """Give friendships made so long ago that they make nobody warm."""
    for user in users:
        for friend in _friends(friends):
            yield Befriend(at=1, user=user, friend=friend)


def _likes() -> Iterator[Event]:
    """Give likes of items by Zipf's law, spread over the days since `SINCE`."""
    items, most = zipf(np.random.default_rng(1)), max(FRIENDS)
    pause_ms = (START - SINCE) // (LIKES * most)
    for number in range(LIKES * most):
        actor = str(FIRST_USER + number % most)
        yield Like(at=SINCE + pause_ms * number, user=actor, item=str(FIRST_ITEM + next(items)))


def _shares() -> Iterator[Event]:
    items, most = zipf(np.random.default_rng(2)), max(FRIENDS)
    pause_ms = (START - SINCE) // most
    for number, actor in enumerate(_friends(most)):
        yield Share(at=SINCE + pause_ms * number, user=actor, item=str(FIRST_ITEM + next(items)))
