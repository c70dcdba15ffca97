"""A rebuild: the feeds filled anew while the old ones serve, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ResponseError

from models.errors import StoreError
from models.events import Befriend, Like
from streams import generations, reader, rebuild, store, topics
from streams.exposures import totals
from streams.notices import lease
from streams.pages import draw
from streams.producer import Producer
from streams.rebuild import Options, abort
from tests import command
from tests.crew import crew
from tests.feeder import feeding
from tests.replica import NOON, traffic
from tests.test_crashes import traffic as flowing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from models.events import Event
    from streams.settings import Settings

pytestmark = pytest.mark.timeout(200)

SPARE = 15
QUIET = [Befriend(user="ann", friend="bob", at=NOON), Like(user="bob", item="song", at=NOON)]
CHECKED = Options(users=30)


async def publish(settings: Settings, history: list[Event]) -> None:
    """Put a history on the log."""
    async with Producer(settings) as producer:
        await producer.publish(history)


async def databases(settings: Settings) -> set[str]:
    """Name the databases that hold anything."""
    async with store.opened(settings) as feeds:
        return set(await feeds.info("keyspace"))


@asynccontextmanager
async def somebody_reading(settings: Settings) -> AsyncIterator[set[tuple[str, ...]]]:
    """Read a feed and its key again and again; give what was found, which should be one thing."""
    found: set[tuple[str, ...]] = set()

    async def read() -> None:
        async with store.opened(settings) as feeds:
            while True:
                page = await reader.page(feeds, settings.shards, "ann")
                key: Any = await feeds.zrange("feed:{0}:ann", 0, -1)
                found.update({tuple(one.item for one in page), tuple(key)})
                await asyncio.sleep(0.002)

    reading = asyncio.create_task(read())
    yield found
    assert not reading.done(), reading.exception()
    reading.cancel()


@pytest.mark.parametrize("shards", [1, 2])
async def test_a_rebuild_amid_traffic_is_not_noticed(
    settings: Settings, seed: int, tmp_path: Path
) -> None:
    """Workers go on, who reads finds the same as ever, and in the end all feeds are the log's."""
    async with crew(settings, tmp_path, workers=1) as team:
        await publish(settings, QUIET)
        await team.caught_up()
        async with flowing(settings, seed), somebody_reading(settings) as found:
            await asyncio.sleep(2)
            done = await rebuild.rebuild(settings, CHECKED)
            await asyncio.sleep(1)
        await team.assert_equal()
        assert not team.said

    assert done.swapped
    assert done.verdict.users > 20
    assert done.held_ms < 1_000
    assert found - {()} == {("song",)} if settings.shards == 2 else found == {("song",)}
    assert await databases(settings) == {"db0"}
