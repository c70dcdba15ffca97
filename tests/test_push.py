"""Push: who has a live feed open is told of all that happens to it, and of nothing twice."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from models import events
from models.policy import Policy
from streams import notices, reader
from streams.clock import now_ms
from streams.live_feeds import LiveFeeds
from streams.screens import Screens
from tests.feeder import Feeder, feeding
from tests.hostile import NOON, World, history

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio.client import PubSub

    from streams.live_feeds import LiveFeed
    from streams.local import Store
    from streams.screens import Watch
    from streams.settings import Settings

SOON_S = 5.0
ALL = 200  # more entries than any feed here has


async def heard(feeder: Feeder, subscription: PubSub) -> tuple[set[str], set[str], int]:
    """Give the users and items of all notices until now, and how many notices there were."""
    for shard in range(feeder.settings.shards):
        await feeder.store.publish(f"notices:{{{shard}}}", "end")
    users, items, messages, ends = set[str](), set[str](), 0, 0
    while ends < feeder.settings.shards:
        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=SOON_S)
        if message is None:
            continue
        if message["data"] == "end":
            ends += 1
            continue
        named, _, altered = message["data"].partition("|")
        users, items, messages = users | {*named.split()}, items | {*altered.split()}, messages + 1
    return users, items, messages


@asynccontextmanager
async def listening(feeder: Feeder) -> AsyncIterator[PubSub]:
    """Listen to the notices of all shards."""
    async with feeder.store.pubsub() as subscription:
        channels = [f"notices:{{{shard}}}" for shard in range(feeder.settings.shards)]
        await subscription.subscribe(*channels)
        yield subscription


async def carry_on(feeder: Feeder, lived: list[events.Event]) -> None:
    """Append events and carry them over, in calls of their own."""
    begins = {source: len(log) for source, log in feeder.log.items()}
    feeder.append(lived)
    for source, log in feeder.log.items():
        if (begin := begins.get(source, 0)) < len(log):
            await feeder.carry(source, begin, len(log))


async def shown(feeder: Feeder, users: list[str]) -> dict[str, LiveFeed]:
    """Read what everybody sees."""
    feeds = LiveFeeds(feeder.store, feeder.settings.shards)
    return await feeds.read(dict.fromkeys(users, ALL))


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("number", range(8))
async def test_whoever_is_connected_is_told_of_every_change(
    settings: Settings, seed: int, number: int
) -> None:
    """Whatever happens, whose live feed is another after it is named, or an item in it is."""
    chance = random.Random(4_000 * seed + number)
    world = replace(World.drawn(chance), whole=True, span_ms=36 * 3_600_000, length=150)
    policy = replace(world.policy, horizon_ms=Policy().horizon_ms)  # what expires is in no notice
    limits = {"policy": policy, "fan_out_limit": world.fan_out_limit}
    settings = settings.model_copy(update=limits)
    users = [f"u{place}" for place in range(world.users)]
    async with feeding(settings, step=world.step) as feeder, listening(feeder) as subscription:
        await notices.lease(feeder.store, settings.shards, users, now_ms())
        before, changes = await shown(feeder, users), 0
        for event in history(world, chance):
            await reader.wake_all(feeder.store, settings.shards, users)
            await carry_on(feeder, [event])
            after = await shown(feeder, users)
            named, altered, _ = await heard(feeder, subscription)
            changed = {user for user in users if before[user].version != after[user].version}
            told = {user for user in users if user in named or before[user].items & altered}
            assert changed <= told, event
            before, changes = after, changes + len(changed)

        assert changes > 0


async def test_nothing_is_told_where_nobody_is_connected(settings: Settings) -> None:
    """Without an open stream there are no notices at all."""
    async with feeding(settings) as feeder, listening(feeder) as subscription:
        await carry_on(feeder, [events.Befriend(user="ann", friend="bob", at=NOON)])
        await carry_on(feeder, [events.Like(user="ann", item="song", at=NOON)])

        assert await heard(feeder, subscription) == (set(), set(), 0)


async def test_one_notice_a_call_names_the_connected_and_nobody_else(settings: Settings) -> None:
    """A like with many fans is one message, with those of them who have a stream open."""
    fans = [f"fan{number}" for number in range(50)]
    async with feeding(settings) as feeder, listening(feeder) as subscription:
        await carry_on(feeder, [events.Follow(user=fan, friend="star", at=NOON) for fan in fans])
        await reader.wake_all(feeder.store, 1, fans)
        await notices.lease(feeder.store, 1, ["fan7", "fan8", "stranger"], now_ms())
        await carry_on(feeder, [events.Like(user="star", item="song", at=NOON)])

        assert await heard(feeder, subscription) == ({"fan7", "fan8"}, set(), 1)


async def test_a_lease_that_ran_out_is_taken_out(settings: Settings) -> None:
    """Whoever renews leases ends those of others that are over, and shortens none."""
    async with feeding(settings) as feeder:
        await notices.lease(feeder.store, 1, ["ann"], 1_000)
        await notices.lease(feeder.store, 1, ["bob"], 2_000)
        await notices.lease(feeder.store, 1, ["bob"], 1_500)
        await notices.lease(feeder.store, 1, ["cat"], 1_000 + notices.LEASE_MS)

        left = await feeder.store.zrange("connected:{0}", 0, -1, withscores=True)
        assert left == [
            ("bob", 2_000 + notices.LEASE_MS),
            ("cat", 1_000 + 2 * notices.LEASE_MS),
        ]


async def until(watch: Watch, items: list[str]) -> int:
    """Wait until a watch shows `items`; give how many readings that took."""
    async with asyncio.timeout(SOON_S):
        for readings in range(1, 1_000):
            feed = await watch.next()
            if feed is not None and [entry.item for entry in feed.entries] == items:
                return readings
    return 0


@asynccontextmanager
async def friends(settings: Settings) -> AsyncIterator[tuple[Feeder, Screens]]:
    """Let ann and bob be friends, with screens on."""
    async with feeding(settings) as feeder, Screens(feeder.store, settings) as screens:
        await carry_on(feeder, [events.Befriend(user="ann", friend="bob", at=NOON)])
        yield feeder, screens


@pytest.mark.parametrize("shards", [1, 4])
async def test_a_like_comes_onto_the_screen_of_a_friend_and_goes_with_it(
    settings: Settings,
) -> None:
    """What a friend likes is shown in each open stream, at its length; an unlike takes it out."""
    async with friends(settings) as (feeder, screens):
        with await screens.open("bob", 1) as short, await screens.open("bob", 20) as long:
            await until(long, [])
            await carry_on(feeder, [events.Like(user="ann", item="song", at=NOON)])
            await until(long, ["song"])
            await carry_on(feeder, [events.Like(user="ann", item="film", at=NOON + 1)])
            await until(long, ["film", "song"])
            await until(short, ["film"])
            await carry_on(feeder, [events.Unlike(user="ann", item="film", at=NOON + 2)])
            await until(long, ["song"])
            await until(short, ["song"])

            assert (len(screens), screens.of("bob"), screens.of("ann")) == (2, 2, 0)
        assert (len(screens), screens.of("bob")) == (0, 0)


async def test_many_changes_are_few_readings_and_the_last_one_is_shown(settings: Settings) -> None:
    """However fast a feed changes, it is read some 20 times a second, and once after the end."""
    async with friends(settings) as (feeder, screens):
        with await screens.open("bob", 1) as watch:
            await until(watch, [])
            began = asyncio.get_running_loop().time()
            for number in range(200):
                like = events.Like(user="ann", item=f"song{number}", at=NOON + number)
                await carry_on(feeder, [like])
            lasted = asyncio.get_running_loop().time() - began
            readings = await until(watch, ["song199"])

            assert 0 < readings <= 2 + (lasted + SOON_S) / 0.05


async def test_a_circle_made_while_a_stream_is_open_is_followed(settings: Settings) -> None:
    """Who had no friends when the stream opened sees the first friend's acts, and later ones."""
    async with feeding(settings) as feeder, Screens(feeder.store, settings) as screens:
        await carry_on(feeder, [events.Like(user="ann", item="song", at=NOON)])
        with await screens.open("new", 20) as watch:
            await until(watch, [])
            await carry_on(feeder, [events.Follow(user="new", friend="ann", at=NOON)])
            await until(watch, ["song"])
            await carry_on(feeder, [events.Like(user="ann", item="film", at=NOON + 1)])
            await until(watch, ["film", "song"])


async def test_what_happens_while_the_store_is_out_of_reach_is_shown_afterwards(
    settings: Settings, store: Store
) -> None:
    """After a lost connection notices are listened to anew, and everything is read again."""
    async with friends(settings) as (feeder, screens):
        with await screens.open("bob", 20) as watch:
            await until(watch, [])
            store.stop()
            store.start()
            await carry_on(feeder, [events.Like(user="ann", item="song", at=NOON)])
            await until(watch, ["song"])
            await carry_on(feeder, [events.Like(user="ann", item="film", at=NOON + 1)])
            await until(watch, ["film", "song"])


async def test_an_author_told_of_late_is_shown(settings: Settings) -> None:
    """A post that comes after a like of its item changes what is shown of the item."""
    async with friends(settings) as (feeder, screens):
        with await screens.open("bob", 20) as watch:
            await carry_on(feeder, [events.Like(user="ann", item="song", at=NOON)])
            await until(watch, ["song"])
            post = events.Post(user="cat", item="song", topics=["jazz"], at=NOON - 1)
            await carry_on(feeder, [post])
            async with asyncio.timeout(SOON_S):
                while (feed := await watch.next()) is None or not feed.entries[0].author:
                    pass

            assert (feed.entries[0].author, feed.entries[0].topics) == ("cat", "jazz")


@pytest.mark.parametrize("off", [False, True])
async def test_acts_that_are_in_no_feed_are_told_of_too(settings: Settings, off: bool) -> None:  # noqa: FBT001 - pytest's
    """An act of someone with too many fans is read from elsewhere; its end is told as well."""
    settings = settings.model_copy(update={"fan_out_limit": 1})
    fans = ["fan1", "fan2", "fan3"]
    async with feeding(settings) as feeder, listening(feeder) as subscription:
        await carry_on(feeder, [events.Follow(user=fan, friend="star", at=NOON) for fan in fans])
        if off:
            await carry_on(feeder, [events.Like(user="star", item="song", at=NOON)])
        await notices.lease(feeder.store, 1, ["fan2", "stranger"], now_ms())
        act = events.Unlike if off else events.Like
        await carry_on(feeder, [act(user="star", item="song", at=NOON + 1)])

        assert await heard(feeder, subscription) == ({"fan2"}, set(), 1)


async def test_who_had_blocked_an_erased_account_is_told(settings: Settings) -> None:
    """Once the account is gone, so is the block, and its item has no author: it may be shown."""
    async with friends(settings) as (feeder, screens):
        await carry_on(feeder, [events.Post(user="cat", item="song", at=NOON)])
        await carry_on(feeder, [events.Block(user="bob", other="cat", at=NOON)])
        await carry_on(feeder, [events.Like(user="ann", item="song", at=NOON)])
        with await screens.open("bob", 20) as watch:
            await until(watch, [])
            await carry_on(feeder, [events.Erase(user="cat", at=NOON + 1)])
            await until(watch, ["song"])
