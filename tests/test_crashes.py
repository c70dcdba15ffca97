"""Law 3: whatever is killed, paused, flushed or restarted, the feeds end as the definition says."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from models import events
from models.policy import HOUR, Policy
from streams import exits
from streams import store as stores
from streams.producer import Producer
from tests.crew import crew
from tests.hostile import NOON, World, history

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from streams.local import Broker, Store
    from streams.settings import Settings

pytestmark = pytest.mark.timeout(400)

WORLD = World(40, 400, 5_000, 48 * HOUR, 400, Policy(), 512)


@asynccontextmanager
async def traffic(settings: Settings, seed: int) -> AsyncIterator[None]:
    """Publish some 2,000 events a second, acts and edges of a small world, until left."""
    chance = random.Random(seed)
    ending = asyncio.Event()

    async def publish() -> None:
        async with Producer(settings) as producer:
            while not ending.is_set():
                await producer.publish(history(replace(WORLD, length=360), chance))
                await producer.flush()
                await asyncio.sleep(0.2)

    publishing = asyncio.create_task(publish())
    try:
        yield
    finally:
        ending.set()
        await publishing


@pytest.mark.parametrize("partitions", [4])
@pytest.mark.parametrize("shards", [1, 4])
async def test_workers_come_and_go_and_die(settings: Settings, seed: int, tmp_path: Path) -> None:
    """Two or three workers; ten are killed, five leave, as many join, all mid-stream."""
    chance = random.Random(seed)
    faults = ["kill"] * (10 if settings.shards == 1 else 4) + ["leave"] * 5
    chance.shuffle(faults)
    async with crew(settings, tmp_path, workers=2) as team, traffic(settings, seed):
        for fault in faults:
            await asyncio.sleep(chance.uniform(0.5, 5))
            worker = chance.choice(team.workers)
            if fault == "kill":
                worker.kill()
            else:
                assert await team.dismiss(worker) < 5
            if len(team.workers) < chance.choice([2, 3]):
                team.hire()
        await asyncio.sleep(2)
    async with crew(settings, tmp_path, workers=1) as team:
        await team.assert_equal()


async def test_a_flushed_store_fills_again(settings: Settings, seed: int, tmp_path: Path) -> None:
    """FLUSHALL in the middle of the stream, and again while it is quiet."""
    async with crew(settings, tmp_path, workers=1) as team:
        async with traffic(settings, seed), stores.opened(settings) as feeds:
            await asyncio.sleep(6)
            await feeds.flushall()
            await asyncio.sleep(3)
        await team.assert_equal()
        async with stores.opened(settings) as feeds:
            await feeds.flushall()
            await team.assert_equal()
            assert set(await feeds.hgetall(exits.KEY)) == {exits.Exit.REWIND}


async def test_a_worker_dies_inside_a_job(settings: Settings, tmp_path: Path) -> None:
    """An unlike before 4,000 fans is carried on by whoever comes next."""
    fans = [events.Follow(user=f"u{number}", friend="star", at=NOON) for number in range(4_000)]
    async with crew(settings, tmp_path, workers=1) as team, Producer(settings) as producer:
        await producer.publish([*fans, events.Like(user="star", item="song", at=NOON + 1)])
        await producer.flush()
        await team.caught_up()
        await producer.publish([events.Unlike(user="star", item="song", at=NOON + 2)])
        await producer.flush()
        async with stores.opened(settings) as feeds:
            while not await feeds.exists("job:{0}"):
                await asyncio.sleep(0)
            team.workers[0].kill()
            assert await feeds.exists("job:{0}")
        await team.assert_equal()


async def test_the_store_loses_its_last_writes(
    settings: Settings, store: Store, seed: int, tmp_path: Path
) -> None:
    """The store is killed and comes back with the end of its log of commands cut off."""
    async with crew(settings, tmp_path, workers=1) as team:
        async with traffic(settings, seed):
            await asyncio.sleep(6)
            store.kill()
            for log in (tmp_path / "store").rglob("*.incr.aof"):
                content = log.read_bytes()
                log.write_bytes(content[: -len(content) // 5])
            store.start()
            await asyncio.sleep(2)
        await team.assert_equal()


async def test_the_store_goes_away_for_a_while(
    settings: Settings, store: Store, seed: int, tmp_path: Path
) -> None:
    """The store is killed mid-stream and comes back whole after some seconds."""
    async with crew(settings, tmp_path, workers=1) as team:
        async with traffic(settings, seed):
            await asyncio.sleep(6)
            store.kill()
            await asyncio.sleep(3)
            store.start()
            await asyncio.sleep(2)
        await team.assert_equal()


async def test_the_broker_goes_away_for_a_while(
    settings: Settings, own_broker: Broker, seed: int, tmp_path: Path
) -> None:
    """The broker is killed mid-stream and comes back after some seconds."""
    settings = settings.model_copy(update={"kafka": own_broker.address})
    async with crew(settings, tmp_path, workers=1) as team:
        with suppress(Exception):  # the producer may lose what was not acknowledged, and says so
            async with traffic(settings, seed):
                await asyncio.sleep(6)
                own_broker.kill()
                await asyncio.sleep(3)
                own_broker.start()
                await asyncio.sleep(2)
        await team.assert_equal()
