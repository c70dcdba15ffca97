"""The lag is what is in the log and not yet in every shard, whoever runs or does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from models.errors import BrokerError, StoreError
from models.events import Like
from streams import reader, store, topics
from streams.clock import now_ms
from streams.lag import gauge
from streams.producer import Producer
from tests.command import run
from tests.crew import crew

if TYPE_CHECKING:
    from pathlib import Path

    from streams.lag import Backlog
    from streams.settings import Settings


async def publish(settings: Settings, count: int) -> None:
    """Publish likes, all by one user: they are in one partition."""
    async with Producer(settings) as producer:
        await producer.publish(
            Like(user="ann", item=f"song-{number}", at=now_ms()) for number in range(count)
        )


async def measured(settings: Settings) -> Backlog:
    """Measure once."""
    async with store.opened(settings) as feeds, gauge(settings, feeds) as open_gauge:
        return await open_gauge.measure()


async def set_fences(settings: Settings, offsets: list[int], log: str | None = None) -> int:
    """Have each shard hold the likes up to its offset; give their partition."""
    ends = await topics.log_bounds(settings)
    partition = max(range(settings.partitions), key=lambda one: ends["likes", one][1])
    log = log or (await topics.log_ids(settings))["likes"]
    async with store.opened(settings) as feeds:
        for shard, offset in enumerate(offsets):
            fence = f"{offset} {log} 1"
            await feeds.hset(reader.fence_key(shard), f"likes:{partition}", fence)
    return partition


async def test_with_nothing_applied_all_of_the_log_is_lag(settings: Settings) -> None:
    """No worker has to run for it, and the wait is that of the oldest event."""
    await topics.ensure(settings)
    await publish(settings, 25)
    first = await measured(settings)
    second = await measured(settings)

    assert (first.lag, second.lag) == (25, 25)
    assert 0 <= first.seconds < second.seconds < 60
    assert len(first.partitions) == len(topics.TOPICS) * settings.partitions
    assert sum(1 for one in first.partitions if one.lag) == 1


@pytest.mark.parametrize("shards", [2])
async def test_the_shard_that_is_furthest_behind_counts(settings: Settings) -> None:
    """What one of the shards lacks is not applied."""
    await topics.ensure(settings)
    await publish(settings, 25)
    partition = await set_fences(settings, [25, 20])
    behind = await measured(settings)
    await set_fences(settings, [25, 25])
    level = await measured(settings)

    found = next(one for one in behind.partitions if one.lag)
    assert (found.topic, found.partition, found.fence, found.end) == ("likes", partition, 20, 25)
    assert (behind.lag, level.lag, level.seconds) == (5, 0, 0.0)


async def test_a_fence_of_another_log_is_no_position(settings: Settings) -> None:
    """After a topic was made anew the old offsets say nothing, and the line says what to do."""
    await topics.ensure(settings)
    await publish(settings, 25)
    await set_fences(settings, [25], log="another@cluster")

    with pytest.raises(StoreError, match="flush the store and let the worker refill it"):
        await measured(settings)


async def test_without_topics_there_is_no_lag_to_measure(settings: Settings) -> None:
    """The line names the topics that are missing, and the remedy."""
    with pytest.raises(BrokerError, match="create them with `likewave topics`"):
        await measured(settings)


async def test_a_worker_brings_the_lag_to_nothing(settings: Settings, tmp_path: Path) -> None:
    """A script sees the same as a person, before and after."""
    await topics.ensure(settings)
    await publish(settings, 25)
    before = run("lag", "--json", folder=tmp_path, settings=settings)
    async with crew(settings, tmp_path, workers=1) as workers:
        await workers.caught_up()
    after = run("lag", folder=tmp_path, settings=settings)

    assert json.loads(before.stdout)["lag"] == 25
    assert (before.stderr, before.returncode, after.returncode) == ("", 0, 0)
    assert after.stdout.startswith("lag: 0, all that was published is applied")
