"""The Kafka that carries the events: how to reach it, and what its errors mean for a person."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from models.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from streams.settings import Settings

ANSWER_MS = 5_000  # for a connection, and for an answer
AWAY = (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError, OSError, TimeoutError)


def options(settings: Settings) -> dict[str, Any]:
    """Give what every client of aiokafka is made with to reach this Kafka."""
    return {"bootstrap_servers": settings.kafka}


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[AIOKafkaClient]:
    """Connect to Kafka; what goes wrong from here on is raised as a BrokerError."""
    with explained(settings):
        client = AIOKafkaClient(**options(settings), request_timeout_ms=ANSWER_MS)
        try:
            await client.bootstrap()
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def asking(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer of no group, to ask for offsets; errors are raised as BrokerError."""
    with explained(settings):
        consumer = AIOKafkaConsumer(
            **options(settings), enable_auto_commit=False, request_timeout_ms=ANSWER_MS
        )
        try:
            await consumer.start()
            yield consumer
        finally:
            await consumer.stop()


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Raise Kafka's errors as a BrokerError that says where, and what to do."""
    try:
        yield
    except AWAY as error:
        raise BrokerError(
            f"no Kafka at {settings.kafka}: start it with `likewave up`, or set LIKEWAVE_KAFKA"
        ) from error
    except KafkaError as error:
        raise BrokerError(f"Kafka at {settings.kafka} answers: {error}") from error
