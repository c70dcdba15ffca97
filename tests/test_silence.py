"""A server that is frozen: its connections are accepted by the system, and nobody answers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

from models.errors import BrokerError, StoreError
from models.events import Like
from models.finding import failed
from streams import history, kafka, letters, store
from streams.producer import Producer
from streams.server import HOST
from tests.crew import crew

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from streams.local import Broker
    from streams.settings import Settings

    Door = Callable[[Settings], AbstractAsyncContextManager[Any]]

DOORS: tuple[Door, ...] = (kafka.connected, kafka.asking, letters.opened, history.opened, Producer)
PATIENCE_S = 5.0
LEAVES_S = 6.0


async def refusal(door: Door, settings: Settings) -> str:
    """Give what whoever comes through a door is told."""
    try:
        async with door(settings):
            return ""
    except BrokerError as error:
        return str(error)


async def test_a_worker_leaves_in_time_while_the_broker_is_frozen(
    settings: Settings, own_broker: Broker, tmp_path: Path
) -> None:
    """Nothing that waits for the broker keeps the process: not its threads, not its clients."""
    settings = settings.model_copy(update={"kafka": own_broker.address})
    async with crew(settings, tmp_path, workers=1) as team:
        async with Producer(settings) as producer:
            await producer.publish([Like(user="ann", item="song", at=1)])
        await team.caught_up()
        os.kill(own_broker.pid, signal.SIGSTOP)
        try:
            (worker,) = team.workers
            took = await team.dismiss(worker)
        finally:
            os.kill(own_broker.pid, signal.SIGCONT)

    assert (worker.exit_code, took < LEAVES_S) == (0, True)


async def test_whoever_asks_a_frozen_broker_hears_of_it_in_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every way to Kafka ends within some seconds, and is told apart from a broker that is down."""
    for module in (kafka, letters):
        monkeypatch.setattr(module, "ANSWER_MS", 1_000)
    with socket.create_server((HOST, 0)) as frozen:
        where = f"{HOST}:{frozen.getsockname()[1]}"
        silent = settings.model_copy(update={"kafka": where})
        async with asyncio.timeout(PATIENCE_S):
            told = await asyncio.gather(*(refusal(door, silent) for door in DOORS))

    assert {one.partition(":")[0] for one in told} == {"Kafka at 127.0.0.1"}
    assert all(one.startswith(f"Kafka at {where} does not answer: see") for one in told)
    assert all(failed("kafka", one).remedy.startswith("see whether it is frozen") for one in told)


async def test_of_a_frozen_store_it_says_what_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong, a colon, and the remedy whole, which the doctor shows by itself."""
    monkeypatch.setattr(store, "OPERATION_S", 0.5)
    with socket.create_server((HOST, 0)) as frozen:
        silent = settings.model_copy(update={"redis": f"redis://{HOST}:{frozen.getsockname()[1]}"})
        with pytest.raises(StoreError) as told:
            async with store.opened(silent) as feeds:
                await feeds.ping()

    assert failed("store", str(told.value)).remedy.startswith("see whether it is frozen")
