"""A server that is frozen: its connections are accepted by the system, and nobody answers."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from models.errors import BrokerError
from streams import history, kafka, letters
from streams.producer import Producer
from streams.server import HOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from streams.settings import Settings

    Door = Callable[[Settings], AbstractAsyncContextManager[Any]]

DOORS: tuple[Door, ...] = (kafka.connected, kafka.asking, letters.opened, history.opened, Producer)
PATIENCE_S = 10.0


async def refusal(door: Door, settings: Settings) -> str:
    """Give what whoever comes through a door is told."""
    try:
        async with door(settings):
            return ""
    except BrokerError as error:
        return str(error)


async def test_whoever_asks_a_frozen_broker_hears_of_it_in_time(settings: Settings) -> None:
    """Every way to Kafka ends within some seconds, and is told apart from a broker that is down."""
    with socket.create_server((HOST, 0)) as frozen:
        where = f"{HOST}:{frozen.getsockname()[1]}"
        silent = settings.model_copy(update={"kafka": where})
        async with asyncio.timeout(PATIENCE_S):
            told = await asyncio.gather(*(refusal(door, silent) for door in DOORS))

    assert {one.partition(":")[0] for one in told} == {"Kafka at 127.0.0.1"}
    assert all(one.startswith(f"Kafka at {where} does not answer: see") for one in told)
