"""The Kafka that carries the events: how to reach it, and what its errors mean for a person."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from models.errors import BrokerError
from streams import tls
from streams.settings import how_to_reach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from aiokafka import AIOKafkaProducer, TopicPartition

    from streams.settings import Settings

    Ask: TypeAlias = Callable[[list[TopicPartition]], Awaitable[dict[TopicPartition, int]]]

ANSWER_MS = 5_000  # for a connection, and for an answer
KNOCK_MS = 2_000
READ_MS = 15_000  # for an answer that is full of records
LEAVE_S = 1.0  # to say goodbye to a broker that does not answer
REFUSALS = (AuthenticationFailedError, SaslAuthenticationFailed, UnsupportedSaslMechanismError)
SILENT = (KafkaTimeoutError, RequestTimedOutError, TimeoutError)
AWAY = (KafkaConnectionError, NodeNotReadyError, OSError, *SILENT)


def options(settings: Settings) -> dict[str, Any]:
    """Give what every client of aiokafka is made with to reach this Kafka."""
    return {"bootstrap_servers": settings.kafka, **security(settings)}


def security(settings: Settings) -> dict[str, Any]:
    """Give how a connection is encrypted, and who we are; raise SettingsError on a bad file."""
    how = settings.kafka_security
    given: dict[str, Any] = {"security_protocol": how.upper()}
    if how.has_tls:
        given["ssl_context"] = tls.context_of(settings, "kafka")
    if how.has_user and settings.kafka_password is not None:
        given |= {
            "sasl_mechanism": settings.kafka_mechanism.value,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return given


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[AIOKafkaClient]:
    """Connect to Kafka; what goes wrong from here on is raised as a BrokerError."""
    with explained(settings):
        client = AIOKafkaClient(**options(settings), request_timeout_ms=ANSWER_MS)
        try:
            await reach(settings, client.bootstrap)
            yield client
        finally:
            await leave(client.close)


async def reach(settings: Settings, *starts: Callable[[], Awaitable[None]]) -> None:
    """Start clients of aiokafka; what goes wrong is raised as a BrokerError that says why."""
    with explained(settings):
        try:
            for start in starts:
                await start()
        except KafkaConnectionError:
            await _knock(settings)  # which says why, where aiokafka only logs it
            raise


async def leave(*stops: Callable[[], Awaitable[None]]) -> None:
    """Stop clients of aiokafka, each in a task of its own: a cancellation of us is ours alone.

    aiokafka cancels its own tasks, and takes for theirs the cancellation of who stops it; and where
    it waits after a failed fetch, `stop` ends with the CancelledError that it caused.
    """
    for stop in stops:
        stopping = asyncio.ensure_future(stop())
        await asyncio.wait([stopping])
        if not stopping.cancelled():
            stopping.result()


async def hang_up(producer: AIOKafkaProducer) -> None:
    """Close a producer without a wait for acknowledgements.

    `stop` would wait for ever on a broker that is gone, and its sender would try for ever.
    """
    if sending := producer._sender.sender_task:  # noqa: SLF001  aiokafka is pinned exactly
        sending.cancel()
        await asyncio.wait([sending], timeout=LEAVE_S)
    await producer.client.close()
    producer._closed = True  # noqa: SLF001  as `stop` would have left it


async def _knock(settings: Settings) -> None:
    host, _, port = settings.kafka.split(",")[0].strip().rpartition(":")
    connection = await create_conn(
        host, int(port), request_timeout_ms=KNOCK_MS, **security(settings)
    )
    connection.close()


@asynccontextmanager
async def asking(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer of no group, to ask for offsets; errors are raised as BrokerError."""
    with explained(settings):
        async with consuming(settings, request_timeout_ms=ANSWER_MS) as consumer:
            yield consumer


@asynccontextmanager
async def consuming(settings: Settings, **how: object) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer of no group; raise BrokerError where Kafka cannot be reached."""
    consumer = AIOKafkaConsumer(**options(settings), enable_auto_commit=False, **how)
    try:
        await reach(settings, consumer.start)
        yield consumer
    finally:
        await leave(consumer.stop, consumer._client.close)  # noqa: SLF001  which `stop` may miss


async def offsets(ask: Ask, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Ask a consumer for offsets of all topics at once: by itself it learns of one in 0.1 s."""
    by_topic: defaultdict[str, list[TopicPartition]] = defaultdict(list)
    for place in places:
        by_topic[place.topic].append(place)
    answers = await asyncio.gather(*map(ask, by_topic.values()))
    return {place: offset for answer in answers for place, offset in answer.items()}


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Raise Kafka's errors as a BrokerError that says where, and what to do."""
    try:
        yield
    except REFUSALS as error:
        raise BrokerError(
            f"Kafka at {settings.kafka} refuses user {settings.kafka_username} ({error}): "
            "mend LIKEWAVE_KAFKA_USERNAME, LIKEWAVE_KAFKA_PASSWORD or LIKEWAVE_KAFKA_MECHANISM"
        ) from error
    except AWAY as error:
        if fault := tls.explain(error, settings, "kafka"):
            raise BrokerError(f"Kafka at {settings.kafka} {fault}") from error
        if isinstance(error, SILENT):
            raise BrokerError(
                f"Kafka at {settings.kafka} does not answer: see whether it is frozen (stat T in "
                "`ps`, from which `kill -CONT` wakes it) or overloaded, or start it again"
            ) from error
        raise BrokerError(f"no Kafka at {settings.kafka}: {how_to_reach('kafka')}") from error
    except KafkaError as error:
        raise BrokerError(f"Kafka at {settings.kafka} answers: {error}") from error
