"""The laws of the design, on a real store: whatever happens, feeds are what the definition says."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from models import events
from models.errors import GapError
from models.policy import HOUR, Policy
from streams import reader
from tests.feeder import Feeder, feeding
from tests.hostile import NOON, World, history

if TYPE_CHECKING:
    from streams.settings import Settings

HISTORIES = 40
TIMES_BACK = 5  # of a store, in one history
DATABASES = 15  # beside the one that holds the feeds

# Keep all that the store holds now, in another database; and have it hold that again, and no more.
SAVE = """
for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', ARGV[1]) end
"""
GO_BACK = """
redis.call('FLUSHDB')
redis.call('SELECT', ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', '0') end
"""


def world_of(settings: Settings, seed: int) -> tuple[World, Settings, random.Random]:
    """Draw a world, and the settings for it."""
    chance = random.Random(seed)
    world = World.drawn(chance)
    limits = {"fan_out_limit": world.fan_out_limit, "warm_days": world.warm_days}
    return world, settings.model_copy(update={"policy": world.policy, **limits}), chance


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("number", range(HISTORIES))
async def test_any_history_ends_in_the_feeds_of_the_definition(
    settings: Settings, seed: int, number: int
) -> None:
    """Laws 1 and 4: order, lateness, repetition and the cutting into batches do not matter.

    Some are away while it happens, some come back in between, some have too many fans.
    """
    world, settings, chance = world_of(settings, 1_000 * seed + number)
    async with feeding(settings, step=world.step) as feeder:
        await feeder.feed(history(world, chance), chance)

        assert await feeder.differing() == []
        assert await feeder.miscounted() == []


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("number", range(HISTORIES // 4))
async def test_what_is_taken_back_leaves_no_trace(
    settings: Settings, seed: int, number: int
) -> None:
    """Law 2: with every act and edge taken back, feeds are as if it had never been."""
    chance = random.Random(2_000 * seed + number)
    policy = Policy(feed_size=chance.choice([4, 20, 120]))  # registers enough, nothing expires
    world = replace(World.drawn(chance), policy=policy, span_ms=48 * HOUR)
    settings = settings.model_copy(update={"policy": policy})
    kept = history(world, chance)
    regretted = [
        event
        for event in history(replace(world, length=100, letter="r"), chance)
        if f"un{event.kind.removeprefix('be')}" in events.KINDS
        and not any(clash(event, one) for one in kept)
    ]
    async with feeding(settings, step=world.step) as feeder:
        await feeder.feed(kept, chance)
        await feeder.feed(regretted, chance)
        await feeder.feed([opposite(event) for event in regretted], chance)

        assert regretted
        assert await feeder.differing() == []
        assert await feeder.differing(kept) == []


def clash(one: events.Event, other: events.Event) -> bool:
    """Tell whether two events write registers of the same two accounts."""
    return one.topic == other.topic and set(one.accounts) == set(other.accounts) != {one.user}


def opposite(event: events.Event) -> events.Event:
    """Take an event back, a moment later."""
    off = events.KINDS[f"un{event.kind.removeprefix('be')}"]
    named = {name: getattr(event, name) for name in off.__struct_fields__}
    return off(**{**named, "at": event.at + 1})


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("number", range(HISTORIES // 2))
async def test_a_worker_that_dies_anywhere_changes_nothing(
    settings: Settings, seed: int, number: int
) -> None:
    """Law 3: calls cut off inside batches and jobs, then repeated from the fence or before it."""
    world, settings, chance = world_of(settings, 3_000 * seed + number)
    async with feeding(settings, step=world.step) as feeder:
        for _ in range(4):
            feeder.append(history(replace(world, length=world.length // 4), chance))
            for source in list(feeder.log):
                await carry_dying(feeder, source, chance)

        assert await feeder.differing() == []
        assert await feeder.miscounted() == []


async def carry_dying(feeder: Feeder, source: tuple[str, int], chance: random.Random) -> None:
    """Carry a partition to its end through workers that are cut off after a moment."""
    end = len(feeder.log[source])
    while (position := await least_fence(feeder, source)) < end or await busy(feeder):
        begin = chance.randint(max(0, position - 30), position) if position else 0
        following = min(position + chance.randint(1, 60), end)
        carrying = asyncio.create_task(feeder.carry(source, begin, max(following, begin)))
        with suppress(TimeoutError):
            await asyncio.wait_for(carrying, chance.choice([0.0005, 0.002, 0.01, 5]))


async def least_fence(feeder: Feeder, source: tuple[str, int]) -> int:
    """Read how far all shards have come."""
    name = f"{source[0]}:{source[1]}"
    fences = [await reader.fences(feeder.store, n) for n in range(feeder.settings.shards)]
    return min(fence[name][0] if name in fence else 0 for fence in fences)


async def busy(feeder: Feeder) -> bool:
    """Tell whether any shard has a job open."""
    return any([await reader.is_busy(feeder.store, n) for n in range(feeder.settings.shards)])


@pytest.mark.parametrize("shards", [1, 4])
async def test_time_alone_reorders_nothing(settings: Settings, seed: int) -> None:
    """Law 5: two days later, nobody having acted, every feed is what it was."""
    world = World(5, 20, 5_000, 48 * HOUR, 300, Policy(), 512)
    chance = random.Random(seed)
    async with feeding(settings) as feeder:
        await feeder.feed(history(world, chance), chance)
        before = [(await feeder.held(f"u{n}")).feed for n in range(world.users)]
        later = events.View(user="u0", item="i0", at=NOON + 96 * HOUR)
        await feeder.feed([later], chance)

        assert [(await feeder.held(f"u{n}")).feed for n in range(world.users)] == before


@pytest.mark.parametrize("policy", [Policy(feed_size=8, acts_kept=50)])
async def test_a_full_feed_shrinks_and_is_rebuilt(settings: Settings, seed: int) -> None:
    """A feed that pushed entries out finds them again when much of it is taken back."""
    chance = random.Random(seed)
    likes = [events.Like(user="bob", item=f"i{n}", at=NOON + n) for n in range(40)]
    async with feeding(settings) as feeder:
        await feeder.feed([events.Befriend(user="ann", friend="bob", at=NOON), *likes], chance)
        await feeder.feed([opposite(like) for like in likes[-30:]], chance)
        feed = (await feeder.held("ann")).feed

        assert [item for item, _ in feed[:4]] == ["i9", "i8", "i7", "i6"]


async def test_a_shard_refuses_a_batch_beyond_its_fence(settings: Settings, seed: int) -> None:
    """A hole in the log is a GAP, and changes nothing."""
    chance = random.Random(seed)
    async with feeding(settings) as feeder:
        await feeder.feed([events.Like(user="bob", item="a", at=NOON)], chance)
        source = next(iter(feeder.log))
        before = await reader.fences(feeder.store, 0)
        feeder.log[source] += feeder.log[source] * 5
        with pytest.raises(GapError, match="is in the shard up to 1, the batch begins at 3"):
            await feeder.carry(source, 3, 5)

        assert await reader.fences(feeder.store, 0) == before


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("number", range(HISTORIES // 4))
async def test_a_store_that_goes_back_at_any_moment_lacks_nothing(
    settings: Settings, seed: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law 3: what it lost, amid batches and jobs too, is done again, and never passed over."""
    world, settings, chance = world_of(settings, 4_000 * seed + number)
    async with feeding(settings, step=world.step) as feeder:
        feeder.append(history(world, chance))
        await feeder.store.eval(SAVE, 0, "1")
        left, moments, fcall = iter(range(TIMES_BACK)), [1], feeder.store.fcall
        empty = iter(range(2, DATABASES + 1))

        async def fcall_at_some_moment(*arguments: Any) -> Any:
            if chance.random() < 1 / 8 and (database := next(empty, None)):
                await feeder.store.eval(SAVE, 0, str(database))
                moments.append(database)
            if chance.random() < 1 / 8 and next(left, None) is not None:
                await feeder.store.eval(GO_BACK, 0, str(chance.choice(moments)))
            return await fcall(*arguments)

        monkeypatch.setattr(feeder.store, "fcall", fcall_at_some_moment)
        while lacking := await lacks(feeder):
            carrying = [feeder.carry(*stretch(feeder, *one, chance)) for one in lacking.items()]
            for done in await asyncio.gather(*carrying, return_exceptions=True):
                assert done is None or isinstance(done, GapError), done

        assert await feeder.differing() == []
        assert await feeder.miscounted() == []


async def lacks(feeder: Feeder) -> dict[tuple[str, int], int]:
    """Tell from where on which partitions are not in all shards."""
    positions = {source: await least_fence(feeder, source) for source in feeder.log}
    is_busy = await busy(feeder)
    return {one: at for one, at in positions.items() if is_busy or at < len(feeder.log[one])}


def stretch(
    feeder: Feeder, source: tuple[str, int], position: int, chance: random.Random
) -> tuple[tuple[str, int], int, int]:
    """Draw how much of a partition is carried at once."""
    return source, position, min(position + chance.randint(1, 200), len(feeder.log[source]))


async def test_a_topic_may_be_called_like_an_erased_account(settings: Settings, seed: int) -> None:
    """A post about `jazz` reaches its author's fans, though an account of that name was erased."""
    lived = [
        events.Erase(user="jazz", at=NOON),
        events.Befriend(user="ann", friend="hal", at=NOON),
        events.Post(user="hal", item="tune", topics=["jazz"], at=NOON + 1),
    ]
    async with feeding(settings) as feeder:
        await feeder.feed(lived, random.Random(seed))

        assert await feeder.differing() == []
        assert (await feeder.held("ann")).feed == [("tune", NOON + 1)]
