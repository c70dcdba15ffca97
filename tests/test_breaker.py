"""The breaker: a flood of rejects waits for somebody to look, and nothing else does."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from models import events
from models.breaker import INVALID_RUN, LAST, Breaker
from models.decoding import decode
from streams import breakers, reader, store, topics, watchdog
from streams.cli import app
from streams.noise import Mixer, Noise
from streams.producer import Producer, Record
from streams.worker import work
from tests.command import environment
from tests.crew import crew
from tests.feeder import Record as Handed
from tests.test_simulate import NOON, chance, traffic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streams.settings import Settings

BROKEN = b'{"kind":"like","at":"soon","user":"bob","item":"song"}'
FLOOD = [Record("likes", b"bob", BROKEN)] * 400
LIKES = [events.Like(user=f"u{n}", item="song", at=NOON + n) for n in range(200)]
VALID = events.encode(events.Like(user="bob", item="song", at=1))


def trips(breaker: Breaker, values: Sequence[bytes], *, at_once: int = 50) -> bool:
    """Hand records to a breaker in batches; tell whether any of them trips it."""
    records = [Handed(offset, NOON, value) for offset, value in enumerate(values)]
    batches = [records[k : k + at_once] for k in range(0, len(records), at_once)]
    return max([breaker.trips(decode("likes", batch)) for batch in batches])


@pytest.mark.parametrize("at_once", [1, 7, 100, 2_000])
def test_a_flood_trips_however_it_is_cut_into_batches(at_once: int) -> None:
    """Invalid records alone trip it once there are enough, and not before."""
    assert not trips(Breaker(), [BROKEN] * (INVALID_RUN - 1), at_once=at_once)
    assert trips(Breaker(), [BROKEN] * INVALID_RUN, at_once=at_once)


def test_a_flood_after_much_that_was_valid_trips_once_it_is_half() -> None:
    """A long good past does not count for ever: the last thousand do."""
    breaker = Breaker()

    assert not trips(breaker, [VALID] * 5 * LAST)
    assert not trips(breaker, [BROKEN] * (LAST // 2 - 50))
    assert trips(breaker, [BROKEN] * 100)


def test_half_poison_never_trips_it(seed: int) -> None:
    """Where valid events are in between, whatever is wrong is not all of the stream."""
    drawn = random.Random(seed)

    assert not trips(Breaker(), [drawn.choice([VALID, BROKEN]) for _ in range(50_000)])


def test_simulated_poison_never_trips_it() -> None:
    """`likewave simulate --poison 0.5` poisons every topic and partition alike."""
    mixer = Mixer(traffic(), Noise(poison=0.5), chance())
    by_topic: dict[str, list[bytes]] = {topic: [] for topic in events.TOPICS}
    for record in mixer.records(30_000, NOON):
        by_topic[record.topic].append(record.value)

    for topic, values in by_topic.items():
        records = [Handed(offset, NOON, value) for offset, value in enumerate(values)]
        breaker = Breaker()
        for k in range(0, len(records), 50):
            assert not breaker.trips(decode(topic, records[k : k + 50])), topic


async def held_by(settings: Settings, *, count: int = 1) -> list[breakers.Held]:
    """Wait until partitions are held."""
    async with asyncio.timeout(30), store.opened(settings) as feeds:
        while len(found := await breakers.held(feeds)) < count:
            await asyncio.sleep(0.1)
        return found


async def letters(settings: Settings) -> int:
    """Count the dead letters."""
    bounds = await topics.log_bounds(settings, [events.DEAD_LETTERS])
    return sum(end - start for start, end in bounds.values())


async def applied(settings: Settings, *, but: str) -> None:
    """Wait until the shard holds all likes but those of partition `but`."""
    async with asyncio.timeout(30), store.opened(settings) as feeds:
        bounds = await topics.log_bounds(settings, ["likes"])
        ends = {f"{topic}:{number}": end for (topic, number), (_, end) in bounds.items()}
        ends.pop(but, None)
        while True:
            fences = await reader.fences(feeds, 0)
            if all(fences.get(source, (0, "", 0))[0] >= end for source, end in ends.items()):
                return
            await asyncio.sleep(0.1)


async def release(settings: Settings, source: str) -> None:
    """Let the partition go on, as an operator does; anything else is not held."""
    runner, env = CliRunner(), environment(settings)
    listed = await asyncio.to_thread(runner.invoke, app, ["dlq", "ls", "--json"], env=env)
    assert [one["source"] for one in json.loads(listed.stdout)["held"]] == [source]
    for named, code in (("likes:7", 1), (source, 0)):
        done = await asyncio.to_thread(runner.invoke, app, ["dlq", "release", named], env=env)
        assert done.exit_code == code, done.output


async def test_a_held_partition_waits_and_the_others_go_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what follows, nor the watchdog, nor a restart is in the way; released, all passes."""
    monkeypatch.setattr(watchdog, "STUCK_S", 2.0)
    await topics.ensure(settings)
    working = asyncio.create_task(work(settings))
    async with Producer(settings) as producer:
        await producer.publish_raw(FLOOD)
        (held,) = await held_by(settings)
        for number in range(20):
            await producer.publish([replace(one, at=one.at + number) for one in LIKES])
            await producer.flush()
            await asyncio.sleep(0.15)
    await applied(settings, but=held.source)
    assert not working.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(working, 5)
    working = asyncio.create_task(work(settings))
    await asyncio.sleep(3)
    assert await held_by(settings) == [held]
    assert await letters(settings) == 0

    await release(settings, held.source)
    async with asyncio.timeout(30):
        while await letters(settings) < len(FLOOD):
            await asyncio.sleep(0.1)
    await applied(settings, but="none:0")
    assert not working.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(working, 10)
    assert await letters(settings) == len(FLOOD)


async def test_a_released_partition_lacks_nothing_that_was_behind(settings: Settings) -> None:
    """Whatever had been fetched when it was held is fetched again."""
    await topics.ensure(settings)
    valid = Record("likes", b"bob", VALID)
    async with Producer(settings) as producer:
        for part in ([valid] * 5_000, FLOOD * 20, [valid] * 20_000):
            await producer.publish_raw(part)
            await producer.flush()
    working = asyncio.create_task(work(settings))
    (held,) = await held_by(settings)
    for _ in range(5):
        async with Producer(settings) as producer:
            await producer.publish_raw([valid] * 300)
        await asyncio.sleep(0.2)
    await release(settings, held.source)
    await applied(settings, but="none:0")
    await asyncio.sleep(1)
    assert not working.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(working, 10)
    assert await letters(settings) == 20 * len(FLOOD)


async def test_who_takes_a_held_partition_over_holds_it(settings: Settings, tmp_path: Path) -> None:
    """Through a rebalance and a kill nothing of it passes, and afterwards all of it does once."""
    async with crew(settings, tmp_path, workers=1) as team:
        async with Producer(settings) as producer:
            await producer.publish_raw(FLOOD)
            (held,) = await held_by(settings)
            team.hire()
            await asyncio.sleep(5)
            await producer.publish(LIKES)
            await producer.flush()
        await applied(settings, but=held.source)
        team.workers[0].kill()
        await asyncio.sleep(1)
        assert await letters(settings) == 0
        assert await held_by(settings) == [held]
        await release(settings, held.source)
        await team.assert_equal(rejected=len(FLOOD))
    assert await letters(settings) == len(FLOOD)
