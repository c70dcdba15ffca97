"""Whoever is cancelled ends, and whoever stops a client of Kafka is cancelled by nobody else."""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from streams import history, kafka, store, topics
from streams.interrupts import dismiss
from tests.replica import SEED

if TYPE_CHECKING:
    from streams.local import Broker
    from streams.settings import Settings

CANCELLED = 1_000  # tasks
FAILED_S = 0.5  # after which the fetches of a consumer have failed, and wait to be tried again


async def cancelled() -> None:
    """Stop as aiokafka does where a fetch of its own was cancelled."""
    raise asyncio.CancelledError


async def swallowing() -> None:
    """Stop as aiokafka does that takes our cancellation for that of its own task."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(60)


async def test_who_leaves_a_kafka_that_was_killed_goes_on(
    settings: Settings, own_broker: Broker
) -> None:
    """Fetches that failed are cancelled where they wait, and nobody else is."""
    settings = settings.model_copy(update={"kafka": own_broker.address})
    await topics.ensure(settings)
    async with history.opened(settings) as log:
        await log.read_to_end()
        own_broker.kill()
        await asyncio.sleep(FAILED_S)

    assert len(asyncio.all_tasks()) == 1  # nothing of the consumer looks for Kafka any longer


async def test_what_is_to_be_stopped_is_stopped_whatever_ends_with_a_cancellation() -> None:
    """A CancelledError that nobody asked for ends the stop that it comes from alone."""
    stopped = asyncio.Event()

    async def stop() -> None:
        stopped.set()

    await kafka.leave(cancelled, stop)

    assert stopped.is_set()


async def test_a_cancellation_ends_who_stops_a_client() -> None:
    """It is ours, whatever the client makes of it."""
    leaving = asyncio.create_task(kafka.leave(swallowing))
    await asyncio.sleep(0)
    leaving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_what_goes_wrong_with_a_stop_is_told() -> None:
    """An error of a client that is stopped is raised."""

    async def stop() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await kafka.leave(stop)


async def test_who_ends_by_itself_was_not_told_to_leave() -> None:
    """A monitor whose work was cancelled by nobody fails, so that it is started again."""
    working = asyncio.create_task(cancelled())
    await asyncio.wait([working])

    with pytest.raises(asyncio.CancelledError):
        await dismiss(working)


async def test_who_is_told_to_leave_leaves_without_a_word() -> None:
    """Its cancellation is what was wished for."""
    working = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    await dismiss(working)

    assert working.cancelled()


async def test_whoever_talks_to_the_store_ends_when_cancelled(settings: Settings) -> None:
    """However far a command has come: waiting for a task that was cancelled never takes long."""
    chance = random.Random(SEED)

    async def talk(feeds: store.Store) -> None:
        while True:
            await feeds.exists("nothing")

    async with store.opened(settings) as feeds:
        for number in range(CANCELLED):
            talking = asyncio.create_task(talk(feeds))
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(0)
            talking.cancel()
            _, going_on = await asyncio.wait([talking], timeout=5)
            assert not going_on, f"task {number} of seed {SEED}"


async def test_whoever_is_cancelled_leaves_no_connection_to_the_store(settings: Settings) -> None:
    """Wherever it was: connecting, amid a command, or closing what it had opened."""
    chance = random.Random(SEED)

    async def come_and_go() -> None:
        while True:
            async with store.opened(settings, "leaving") as feeds:
                await feeds.exists("nothing")

    gc.disable()  # which would close what is forgotten
    try:
        for _ in range(CANCELLED):
            coming = asyncio.create_task(come_and_go())
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            coming.cancel()
            await asyncio.wait([coming])
        async with store.opened(settings) as feeds, asyncio.timeout(5):
            while left := [each for each in await feeds.client_list() if each["name"] == "leaving"]:
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"{len(left)} connections of seed {SEED} are still open")
    finally:
        gc.enable()


async def test_whoever_finds_no_connection_free_waits_for_one(settings: Settings) -> None:
    """However many there are, and whoever of them is cancelled, waiting or amid a command."""
    chance = random.Random(SEED)
    many = 4 * store.CONNECTIONS
    async with store.opened(settings, "waiting") as feeds:
        for _ in range(20):
            asking = [asyncio.create_task(feeds.exists("nothing")) for _ in range(many)]
            for _ in range(chance.randrange(30)):
                await asyncio.sleep(0)
            for one in chance.sample(asking, many // 2):
                one.cancel()
            await asyncio.wait(asking)
        answers = await asyncio.gather(*(feeds.exists("nothing") for _ in range(many)))
        named = [each for each in await feeds.client_list() if each["name"] == "waiting"]

    assert answers == [0] * many, SEED
    assert len(named) <= store.CONNECTIONS, SEED
