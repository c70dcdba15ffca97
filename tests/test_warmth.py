"""Feeds are kept for those who are there, and are the same for those who come back."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from models import events
from models.policy import DAY, HOUR, Policy
from models.routing import shard_of
from streams import reader
from tests.command import run
from tests.feeder import Feeder, feeding
from tests.hostile import NOON

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import Settings

FANS = [f"fan{number}" for number in range(6)]


async def stored(feeder: Feeder, user: str) -> list[tuple[str, float]]:
    """Read the key of a feed, as a front-end does."""
    shard = shard_of(user, feeder.settings.shards)
    found: list[tuple[str, float]] = await feeder.store.zrange(
        f"feed:{{{shard}}}:{user}", 0, -1, desc=True, withscores=True
    )
    return found


async def items(feeder: Feeder, user: str) -> list[str]:
    """Read a page as the shard functions give it."""
    entries = await reader.page(feeder.store, feeder.settings.shards, user)
    return [entry.item for entry in entries]


def followed(at: int) -> list[events.Event]:
    """Let the fans follow a star."""
    return [events.Follow(user=fan, friend="star", at=at) for fan in FANS]


def likes(first: int, count: int, at: int) -> list[events.Event]:
    """Let the star like some songs, the last one last."""
    return [
        events.Like(user="star", item=f"song{number}", at=at + number)
        for number in range(first, first + count)
    ]


@pytest.mark.parametrize("shards", [1, 4])
async def test_who_is_away_gets_nothing_and_finds_everything(settings: Settings, seed: int) -> None:
    """Nothing is written for a cold user, whose feed is made when they come back."""
    chance = random.Random(seed)
    async with feeding(settings, read=False) as feeder:
        await feeder.feed([*followed(NOON - 30 * DAY), *likes(0, 5, NOON)], chance)
        for fan in FANS:
            await feeder.store.delete(f"feed:{{{shard_of(fan, settings.shards)}}}:{fan}")
        cold = [fan for fan in FANS if not await is_warm(feeder, fan)]
        expected = [f"song{number}" for number in (4, 3, 2, 1, 0)]
        for fan in cold:
            assert (await stored(feeder, fan), await items(feeder, fan)) == ([], expected)
            assert await reader.wake(feeder.store, settings.shards, fan)
            assert [item for item, _ in await stored(feeder, fan)] == expected
        await feeder.feed(likes(5, 1, NOON), chance)

        assert cold
        assert [(await stored(feeder, fan))[0] for fan in cold] == [("song5", NOON + 5)] * len(cold)


async def is_warm(feeder: Feeder, user: str) -> bool:
    """Tell whether the feed of a user is kept."""
    shard = shard_of(user, feeder.settings.shards)
    return bool(await feeder.store.sismember(f"awake:{{{shard}}}", user))


async def test_a_feed_is_given_up_after_so_many_days_of_the_stream(
    settings: Settings, seed: int
) -> None:
    """Who neither acts nor reads is cold after `warm_days`, and their page is as before."""
    chance = random.Random(seed)
    settings = settings.model_copy(update={"warm_days": 2})
    async with feeding(settings, read=False) as feeder:
        await feeder.feed([*followed(NOON), *likes(0, 3, NOON)], chance)
        before = await items(feeder, "fan0")
        was_kept = await stored(feeder, "fan0")
        later = [
            events.View(user="fan1", item="film", at=NOON + HOUR + days * DAY) for days in (1, 2, 3)
        ]
        await feeder.feed(later, chance)

        assert was_kept
        assert [fan for fan in FANS if await is_warm(feeder, fan)] == ["fan1"]
        assert await stored(feeder, "fan0") == []
        assert await items(feeder, "fan0") == before
        assert [item for item, _ in await stored(feeder, "fan1")] == before


async def test_who_has_no_circle_is_not_kept(settings: Settings, seed: int) -> None:
    """Nothing can reach them, so reading under whatever name costs no memory."""
    chance = random.Random(seed)
    async with feeding(settings, read=False) as feeder:
        await feeder.feed([events.Like(user="bob", item="song", at=NOON)], chance)

        assert not await reader.wake(feeder.store, settings.shards, "nobody")
        assert not await feeder.store.keys("warm:*")


@pytest.mark.parametrize("shards", [1, 4])
async def test_an_act_of_a_star_is_in_no_feed_and_on_every_page(
    settings: Settings, seed: int
) -> None:
    """Above the limit an act is merged when a fan reads, and is gone when undone."""
    chance = random.Random(seed)
    settings = settings.model_copy(update={"fan_out_limit": 1})
    async with feeding(settings, read=False) as feeder:
        await feeder.feed(followed(NOON), chance)
        await feeder.feed(likes(0, 2, NOON), chance)
        pages = [await items(feeder, fan) for fan in FANS]
        undone = events.Unlike(user="star", item="song1", at=NOON + HOUR)
        await feeder.feed([undone], chance)
        kept = [await stored(feeder, fan) for fan in FANS]

        assert pages == [["song1", "song0"]] * len(FANS)
        assert [await items(feeder, fan) for fan in FANS] == [["song0"]] * len(FANS)
        if settings.shards == 1:
            assert kept == [[]] * len(FANS)
        assert await feeder.differing() == []


@pytest.mark.parametrize("policy", [Policy(feed_size=4)])
async def test_crossing_the_limit_loses_and_doubles_nothing(settings: Settings, seed: int) -> None:
    """What was decided for an act stays, while fans come and go, and acts are undone."""
    chance = random.Random(seed)
    settings = settings.model_copy(update={"fan_out_limit": 3})
    async with feeding(settings, read=False) as feeder:
        await feeder.feed([*followed(NOON)[:2], *likes(0, 6, NOON)], chance)
        await feeder.feed([*followed(NOON)[2:], *likes(3, 6, NOON + HOUR)], chance)
        assert await feeder.differing() == []
        left = [events.Unfollow(user=fan, friend="star", at=NOON + HOUR) for fan in FANS[:4]]
        await feeder.feed([*left, *likes(6, 6, NOON + 2 * HOUR)], chance)
        undone = [
            events.Unlike(user="star", item=f"song{number}", at=NOON + 3 * HOUR)
            for number in range(2, 9)
        ]
        await feeder.feed(undone, chance)

        assert await feeder.differing() == []
        assert (await items(feeder, "fan5"))[:3] == ["song11", "song10", "song9"]


async def test_operators_see_how_many_are_warm(
    settings: Settings, seed: int, tmp_path: Path
) -> None:
    """`likewave shards` counts the users whose feeds are kept."""
    chance = random.Random(seed)
    async with feeding(settings, read=False) as feeder:
        await feeder.feed([*followed(NOON), *likes(0, 2, NOON)], chance)
    shown = run("shards", "--json", folder=tmp_path, settings=settings)
    (shard,) = json.loads(shown.stdout)

    assert (shard["warm"], shard["stream_time"], shard["busy"]) == (len(FANS), NOON + 1, False)
    assert "warm" in run("shards", folder=tmp_path, settings=settings).stdout


async def test_a_wide_circle_is_read_as_the_definition_has_it(
    settings: Settings, seed: int
) -> None:
    """With 300 friends among 900 accounts proofs, counts and the feed of who comes back hold."""
    chance = random.Random(seed)
    crowd = [f"one{number}" for number in range(900)]
    friends = chance.sample(crowd, 300)
    acts = [
        chance.choice([events.Like, events.Like, events.Share])(
            user=chance.choice(crowd),
            item=f"song{int(chance.paretovariate(0.6))}",
            at=NOON - chance.randrange(8 * DAY),
        )
        for _ in range(4_000)
    ]
    hides = [events.Hide(user="ann", item=f"song{number}", at=NOON) for number in (1, 3)]
    async with feeding(settings, read=False) as feeder:
        await feeder.feed(acts, chance)
        circle = [events.Follow(user="ann", friend=one, at=1) for one in friends]
        await feeder.feed(
            [*circle, *hides, events.Favor(user="ann", other=friends[0], at=1)], chance
        )
        await reader.wake(feeder.store, settings.shards, "ann")

        held = await feeder.held("ann")
        named = max(shown.proofs_total for shown in held.shown)

        assert named > 16  # more than are named one by one
        assert await feeder.differing(of=["ann"]) == []
