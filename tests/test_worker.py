"""What a worker refuses to start on, how it leaves, and when its watchdog ends it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.partitioner import murmur2

from models import events
from models.errors import BrokerError, LikewaveError, RewindError, StoreError
from models.events import TOPICS
from models.policy import DAY, HOUR, Policy
from streams import feeds, library, reader, store, topics, transport, watchdog
from streams import history as logs
from streams.local import Store
from streams.producer import Producer
from streams.worker import work
from tests.crew import crew
from tests.feeder import feeding
from tests.hostile import World, history

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from streams.settings import Settings

LIKE = events.Like(user="bob", item="song", at=1_790_000_000_000)


async def refusal(working: Awaitable[None]) -> LikewaveError:
    """Run a worker that should refuse to go on; give what it says."""
    with pytest.raises(LikewaveError) as refused:
        await asyncio.wait_for(working, 30)
    return refused.value


async def publish(settings: Settings, *published: events.Event) -> None:
    """Put events on the log."""
    await topics.ensure(settings)
    async with Producer(settings) as producer:
        await producer.publish(published)


async def test_it_refuses_a_store_that_would_drop_feeds(settings: Settings, tmp_path: Path) -> None:
    """Any maxmemory-policy but noeviction is refused, with the command that mends it."""
    with Store(tmp_path / "evicting", options={"maxmemory-policy": "allkeys-lru"}) as evicting:
        said = await refusal(work(settings.model_copy(update={"redis": evicting.url})))

    assert "CONFIG SET maxmemory-policy noeviction" in str(said)


async def test_it_refuses_functions_of_another_build(settings: Settings) -> None:
    """A library of the same name and other code is refused, not replaced."""
    code = library.code() + "\n-- another build\n"
    async with store.opened(settings) as there:
        await there.function_load(code)
    said = await refusal(work(settings))

    assert "another build" in str(said)
    assert "FUNCTION DELETE likewave_1" in str(said)


async def test_it_refuses_shards_filled_under_another_policy(settings: Settings) -> None:
    """Scores of two half-lives never mix."""
    async with store.opened(settings) as there:
        await store.prepare(there, settings)
    other = Policy(half_life_ms=7 * DAY, horizon_ms=90 * DAY)
    said = await refusal(work(settings.model_copy(update={"policy": other})))

    assert "half_life_ms 21600000 -> 604800000" in str(said)


async def test_it_refuses_a_topic_of_another_partition_count(settings: Settings) -> None:
    """A topic that is not as wanted is named, with what is and what is wanted."""
    await topics.ensure(settings)
    said = await refusal(work(settings.model_copy(update={"partitions": 3})))

    assert f"{settings.topic('likes')}" in str(said)
    assert "3" in str(said)


async def test_it_refuses_a_log_that_was_made_anew(settings: Settings, tmp_path: Path) -> None:
    """A recreated topic is another log, however alike its offsets are."""
    await publish(settings, LIKE)
    async with crew(settings, tmp_path, workers=1) as team:
        await team.caught_up()
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.delete_topics([settings.topic(topic) for topic in TOPICS])
    await admin.close()
    await asyncio.sleep(1)
    await publish(settings, LIKE)
    said = await refusal(work(settings))

    assert "another log" in str(said)


async def test_it_notices_a_topic_that_is_made_anew_while_it_runs(settings: Settings) -> None:
    """It would read that from where the old one was: it ends instead, and says so."""
    await publish(settings, LIKE)
    working = asyncio.create_task(work(settings))
    async with store.opened(settings) as there:
        while not await there.exists("acts:{0}:like:bob"):
            await asyncio.sleep(0.1)
    name = settings.topic("likes")
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.delete_topics([name])
    await admin.close()
    while (await topics.check(settings))[0].exists:  # likes come first
        await asyncio.sleep(0.05)
    await topics.ensure(settings)
    said = await refusal(working)

    assert f"topic {name} was deleted and made anew while the worker read it" in str(said)


async def test_a_partition_that_takes_long_holds_up_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of its batches wait: others of the same topic come the same way."""
    apply, begun, free = feeds.Shards.apply, asyncio.Event(), asyncio.Event()
    slow, quick = (next(u for u in "abcdef" if murmur2(u.encode()) % 2 == n) for n in range(2))

    async def held_up(self: feeds.Shards, rows: Any, span: feeds.Span, at: int) -> int:
        if slow in rows.who:
            begun.set()
            await free.wait()
        return await apply(self, rows, span, at)

    monkeypatch.setattr(feeds.Shards, "apply", held_up)
    await topics.ensure(settings)
    working = asyncio.create_task(work(settings))
    async with store.opened(settings) as there, Producer(settings) as producer:
        for number in range(12):
            one = events.Like(user=slow, item=f"i{number}", at=LIKE.at)
            await producer.publish([one])
            await producer.flush()
            await asyncio.wait_for(begun.wait(), 20)
            await asyncio.sleep(0.1)  # a batch of its own
        await producer.publish([events.Like(user=quick, item="song", at=LIKE.at)])
        async with asyncio.timeout(20):
            while not await there.exists(f"acts:{{0}}:like:{quick}"):
                await asyncio.sleep(0.1)
        assert not await there.exists(f"acts:{{0}}:like:{slow}")
        free.set()
        async with asyncio.timeout(20):
            while await there.zcard(f"acts:{{0}}:like:{slow}") < 12:
                await asyncio.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(working, 10)


async def test_it_refuses_a_log_that_ends_before_the_fence(settings: Settings) -> None:
    """A store that holds more than the log was filled from records that are lost."""
    await publish(settings, LIKE)
    log = (await topics.log_ids(settings, ["likes"]))["likes"]
    async with store.opened(settings) as there:
        await there.hset("fence:{0}", items=["likes:0", f"99 {log} 1", "likes:1", f"99 {log} 1"])
    said = await refusal(work(settings))

    assert "up to offset 99, but the log ends at" in str(said)


def test_it_names_the_internals_it_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An aiokafka of other internals is refused at start, by name."""
    monkeypatch.delattr(FetchResult, "getall")
    with pytest.raises(BrokerError, match=r"FetchResult\.getall"):
        transport.check_internals()


async def test_it_leaves_within_five_seconds_of_being_asked(settings: Settings) -> None:
    """SIGTERM ends it without an error, mid-stream."""
    await publish(settings, *[LIKE] * 1_000)
    working = asyncio.create_task(work(settings))
    await asyncio.sleep(3)
    os.kill(os.getpid(), signal.SIGTERM)

    await asyncio.wait_for(working, 5)


async def test_the_watchdog_ends_a_worker_that_stands_still(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the log grows and a fence does not, the worker ends with an error."""

    async def never(*_: Any) -> int:
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(feeds.Shards, "apply", never)
    monkeypatch.setattr(watchdog, "STUCK_S", 2.0)
    await publish(settings, LIKE)
    said = await refusal(work(settings))

    assert isinstance(said, BrokerError)
    assert "none was applied for 2 s" in str(said)
    async with store.opened(settings) as there:
        assert await there.hgetall("likewave:exits") == {"stuck": "1"}


async def test_a_full_store_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a worker that runs nor one that starts ends over it; with room they go on."""
    monkeypatch.setattr(watchdog, "STUCK_S", 1.0)
    await publish(settings, LIKE)
    async with store.opened(settings) as there:
        first = asyncio.create_task(work(settings))
        async with asyncio.timeout(30):
            while not await there.exists("acts:{0}:like:bob"):
                await asyncio.sleep(0.1)
        await there.config_set("maxmemory", 1)
        await publish(settings, events.Like(user="eve", item="song", at=LIKE.at))
        await asyncio.sleep(4)
        assert not first.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(first, 10)
        second = asyncio.create_task(work(settings))
        await asyncio.sleep(4)
        assert not second.done()
        await there.config_set("maxmemory", 0)
        async with asyncio.timeout(30):
            while not await there.exists("acts:{0}:like:eve"):
                await asyncio.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(second, 10)


async def test_a_store_that_lost_what_it_held_ends_the_worker(settings: Settings) -> None:
    """A flush is noticed while the stream is quiet, within seconds."""
    await publish(settings, LIKE)
    working = asyncio.create_task(work(settings))
    async with store.opened(settings) as there:
        while not await there.exists("acts:{0}:like:bob"):
            await asyncio.sleep(0.1)
        await there.flushall()
    said = await refusal(working)

    assert isinstance(said, StoreError)
    assert "it was flushed, or lost its last writes" in str(said)


async def test_a_batch_that_comes_after_a_flush_tells_of_it(settings: Settings) -> None:
    """In a busy stream it is the next batch that notices, and says what the watchdog would."""
    async with feeding(settings) as feeder:
        await feeder.store.flushall()
        with pytest.raises(RewindError, match="shard 0 is empty: it was flushed"):
            await feeder.feed([LIKE], random.Random(1))


@pytest.mark.parametrize("shards", [2])
async def test_partitions_that_a_topic_is_given_are_read(
    settings: Settings, seed: int, tmp_path: Path
) -> None:
    """Without a restart, and in whichever of two partitions a register is written and undone."""
    world = World(20, 40, 5_000, 48 * HOUR, 400, Policy(), 512)
    chance = random.Random(seed)
    async with crew(settings, tmp_path, workers=2) as team:
        await publish(settings, *history(world, chance))
        async with logs.opened(settings) as log, store.opened(settings) as feeds:
            await grow(settings, *TOPICS, partitions=5)
            await publish(settings, *history(world, chance))
            await team.assert_equal()
            assert not team.said
            assert "likes:4" in await reader.fences(feeds, 0)
            with pytest.raises(BrokerError, match=r"given partitions meanwhile \(likes:4\)"):
                await log.read_to({("likes", 4): 1})
    assert not [fault for state in await topics.check(settings) for fault in state.faults]


async def grow(settings: Settings, *grown: str, partitions: int) -> None:
    """Give topics more partitions, as a person does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    wanted = {settings.topic(topic): NewPartitions(partitions) for topic in grown}
    await admin.create_partitions(wanted)
    await admin.close()
    while set((await topics.partition_counts(settings, grown)).values()) != {partitions}:
        await asyncio.sleep(0.05)
