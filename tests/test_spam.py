"""Spam on a real store: what one busy account, and a crowd made for it, can bring about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from models.events import Event, Like, Post
from models.page_policy import PagePolicy
from models.policy import DAY, HOUR, SECOND
from models.present import Present, strength
from models.ranking import pages, tabulated
from models.spam import befriended, burst, marketing, ring
from streams import reader
from streams.pages import draw
from tests.feeder import Feeder, feeding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.settings import Settings

NOON = 1_790_000_000_000
LIKES = 100_000


async def carry(feeder: Feeder, happened: Iterable[Event]) -> None:
    """Carry events into the shards, each partition's in one piece, as a worker far behind does."""
    begins = {source: len(log) for source, log in feeder.log.items()}
    feeder.append(happened)
    for source, log in feeder.log.items():
        if begins.get(source, 0) < len(log):
            await feeder.carry(source, begins.get(source, 0), len(log))


async def likes_of(feeder: Feeder, item: int) -> int:
    """Count the likes of an item that are in effect."""
    return (await reader.engagement(feeder.store, feeder.settings.shards, str(item))).likes


async def test_of_a_hundred_thousand_likes_the_newest_kept_are_in_effect_and_no_more(
    settings: Settings,
) -> None:
    """An account that likes so much in 10 s is in trending, and in a friend's feed, with those."""
    kept = settings.policy.acts_kept
    async with feeding(settings) as feeder:
        await carry(feeder, befriended("shop", ["ann"], NOON))
        await carry(feeder, burst("shop", LIKES, at=NOON, within_ms=10 * SECOND))
        trending = await feeder.store.zcard("trending:{0}")
        feed = (await feeder.held("ann")).feed
        oldest_kept, newest_gone = LIKES - kept, LIKES - kept - 1

        assert trending == kept
        assert [await likes_of(feeder, item) for item in (0, newest_gone)] == [0, 0]
        assert [await likes_of(feeder, item) for item in (oldest_kept, LIKES - 1)] == [1, 1]
        assert len(feed) == settings.policy.feed_size
        assert all(int(item) >= oldest_kept for item, _ in feed)


async def test_a_thousand_young_accounts_count_in_trending_as_a_hundred_established(
    settings: Settings,
) -> None:
    """They like each other's posts; per post and in all they are at most as strong."""
    young, established = accounts("young", 1_000), accounts("old", 100)
    theirs, ours = accounts("spam", 10), accounts("song", 10)
    async with feeding(settings) as feeder:
        await carry(feeder, ring(young, theirs, at=NOON, since=NOON - DAY + 1))
        await carry(feeder, (Post(at=NOON, user="author", item=item) for item in ours))
        await carry(feeder, liked_by(established, ours))
        spam = [await strength_of(feeder, item) for item in theirs]
        songs = [await strength_of(feeder, item) for item in ours]

        assert 0 < max(spam) <= min(songs) * 1.000001
        assert sum(spam) <= sum(songs)
        assert songs[0] == pytest.approx(100)


async def test_accounts_older_than_a_day_count_in_full(settings: Settings) -> None:
    """The same crowd a day later is ten times as strong: it is age that bounds it."""
    async with feeding(settings) as feeder:
        await carry(feeder, ring(accounts("young", 101), ["spam"], at=NOON, since=NOON - DAY))

        assert await strength_of(feeder, "spam") == pytest.approx(100)


@pytest.mark.parametrize("per_actor", [1, 3])
async def test_no_page_has_more_on_one_account_than_the_policy_says(
    settings: Settings, per_actor: int
) -> None:
    """However much it likes and shares, and though it trends: on the first page and all others."""
    policy = replace(PagePolicy(), per_actor=per_actor)
    posted = accounts("item", 200)
    async with feeding(settings) as feeder:
        await carry(feeder, befriended("shop", ["ann", "bob"], NOON))
        await carry(feeder, befriended("cat", ["ann"], NOON))
        await carry(feeder, (Post(at=NOON, user=f"u{k}", item=one) for k, one in enumerate(posted)))
        await carry(feeder, marketing("shop", posted, NOON + HOUR))
        await carry(feeder, liked_by(["cat"], posted[:8]))
        drawn = await draw(feeder.store, settings, "ann", page=policy, whole=True)
        table = tabulated(
            drawn.candidates, drawn.viewer, policy, Present(settings.policy, NOON + HOUR)
        )
        charged = [[ranked.account for ranked in page].count("shop") for page in pages(table)]

        assert len(charged) > 10
        assert max(charged) == per_actor


def accounts(name: str, count: int) -> list[str]:
    """Name so many accounts, or items."""
    return [f"{name}-{number}" for number in range(count)]


def liked_by(users: Iterable[str], items: list[str]) -> list[Event]:
    """Let everybody like everything."""
    return [Like(at=NOON, user=user, item=item) for user in users for item in items]


async def strength_of(feeder: Feeder, item: str) -> float:
    """Give what an item counts in trending, in likes of noon."""
    found = await reader.engagement(feeder.store, feeder.settings.shards, item)
    return strength(found.score, NOON, feeder.settings.policy.trending_half_life_ms)
