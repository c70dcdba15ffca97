"""Publishes events in bulk: idempotent, acknowledged by all replicas, in order for every key.

    events -> records -> one open batch per partition -> at most one on the way and one waiting

aiokafka gives each batch its sequence number when it takes it out of the partition's queue, holds
the partition while a batch is on the way, and puts a batch that must be sent again in front of the
queue: so order and idempotence hold for whole batches as for single records.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.partitioner import murmur2

from models.counting import counted
from models.errors import BrokerError
from models.events import encode
from streams.clock import now_ms
from streams.kafka import hang_up, leave, options, reach
from streams.topics import partition_counts

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Iterable
    from types import TracebackType

    from aiokafka.producer.message_accumulator import BatchBuilder
    from aiokafka.structs import RecordMetadata

    from models.events import Event
    from streams.settings import Settings

BATCH_BYTES = 65_536  # about 700 events; larger batches gained nothing
PATIENCE_S = 30.0  # for an acknowledgement: brokers restart and leaders change within that time
DELIVERY_S = 120.0  # where nobody waits for an answer: as Kafka's own producers have it
LEAVE_S = 5.0  # once somebody wants to leave
STAMPED = 1  # by the broker: the timestamp type LogAppendTime
KEYS_REMEMBERED = 100_000  # hashing a key in Python costs more than all the rest of a record


class Record(NamedTuple):
    """Bytes for a topic (without the prefix); the key decides the partition."""

    topic: str
    key: bytes
    value: bytes

    @classmethod
    def of(cls, event: Event) -> Record:
        """Write an event down as it travels."""
        return cls(event.topic, event.key.encode(), encode(event))


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records were handed over, and how many Kafka has acknowledged."""

    published: int = 0
    acknowledged: int = 0

    @property
    def unconfirmed(self) -> int:
        """Give the number of those that may or may not be in the log."""
        return self.published - self.acknowledged


class _Batch(NamedTuple):
    """Records of one partition that travel together, and which of all is the first of them."""

    first: int
    builder: BatchBuilder


class Producer:
    """A context in which events are published; the topics must exist.

    What fails is raised as a BrokerError that says how many of the first are acknowledged, and ends
    the publishing: what came behind a lost batch would be out of order. Once `stop` is set there is
    little patience left.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        patience_s: float = PATIENCE_S,
        stop: asyncio.Event | None = None,
    ) -> None:
        self._settings = settings
        self._patience_s = patience_s
        self._stop = stop or asyncio.Event()
        self._partitions: dict[str, int] = {}
        self._open: dict[tuple[str, int], _Batch] = {}
        self._awaited: set[int] = set()  # which record is the first of each batch not acknowledged
        self._underway: set[Future[RecordMetadata]] = set()
        self._published = 0
        self._acknowledged = 0
        self._failure: BaseException | None = None
        self.clock_ahead_s: float | None = None  # Kafka's before this host's, by its last stamp

    async def __aenter__(self) -> Self:
        self._partitions = await partition_counts(self._settings)
        self._kafka = AIOKafkaProducer(
            **options(self._settings),
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=round(self._patience_s * 1000),
        )
        try:
            await reach(self._settings, self._kafka.start)
        except BrokerError:
            await leave(self._kafka.stop)
            raise
        self._leaving = asyncio.create_task(self._leave())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                await self.flush()
        finally:
            await self._close()

    @property
    def counts(self) -> Counts:
        """Count what was handed over and acknowledged until now."""
        return Counts(self._published, self._acknowledged)

    async def publish(self, events: Iterable[Event]) -> None:
        """Hand `events` over, and return once the last is on its way; waits while Kafka is busy."""
        await self.publish_raw(map(Record.of, events))

    async def publish_raw(self, records: Iterable[Record]) -> None:
        """Hand over `records` as they are, whether they are events or not; like `publish`."""
        for topic, key, value in records:
            place = topic, hashed(key) % self._partitions[topic]
            self._published += 1
            while not self._batch(place).builder.append(timestamp=None, key=key, value=value):
                await self._send(place)
        for place in list(self._open):
            await self._send(place)

    async def flush(self) -> None:
        """Wait until all that was handed over is acknowledged."""
        if self._underway:
            await asyncio.wait(self._underway, timeout=self._patience_s)
        if self._underway and self._failure is None:
            self._failure = KafkaTimeoutError()
        self._raise_failure()

    def loss(self, first: int, number: int) -> BrokerError | None:
        """Say what may be lost of `number` records from the `first` on, once something failed."""
        settled = min(self._awaited, default=self._published) - first
        acknowledged = max(0, min(settled, number))
        if self._failure is None or acknowledged == number:
            return None
        reason = (
            f"did not acknowledge for {self._patience_s:g} s"
            if isinstance(self._failure, KafkaTimeoutError)
            else f"refused a batch ({self._failure})"
        )
        return BrokerError(
            f"Kafka at {self._settings.kafka} {reason}: "
            f"{counted(acknowledged, 'event is', 'events are')} acknowledged, "
            f"{number - acknowledged} may be lost; publish again from there "
            "(a repeated event does no harm)",
            acknowledged=acknowledged,
        )

    def _batch(self, place: tuple[str, int]) -> _Batch:
        batch = self._open.get(place)
        if batch is None:
            first = self._published - 1
            batch = self._open[place] = _Batch(first, self._kafka.create_batch())
            self._awaited.add(first)
        return batch

    async def _send(self, place: tuple[str, int]) -> None:
        self._raise_failure()
        first, batch = self._open.pop(place)
        batch.close()
        topic, partition = place
        try:
            sent = await self._kafka.send_batch(
                batch, self._settings.topic(topic), partition=partition
            )
        except KafkaError as error:
            self._failure = error
            self._raise_failure()
        self._underway.add(sent)
        sent.add_done_callback(partial(self._on_answer, first, batch.record_count()))

    def _on_answer(self, first: int, records: int, sent: Future[RecordMetadata]) -> None:
        self._underway.discard(sent)
        if sent.cancelled():
            return
        if error := sent.exception():
            self._failure = self._failure or error
            return
        self._awaited.discard(first)
        self._acknowledged += records
        answer = sent.result()
        if answer.timestamp_type == STAMPED:
            self.clock_ahead_s = (answer.timestamp - now_ms()) / 1000

    async def _leave(self) -> None:
        """Fail whatever is not acknowledged soon after the stop."""
        await self._stop.wait()
        await asyncio.sleep(LEAVE_S)
        self._patience_s = LEAVE_S
        self._failure = self._failure or KafkaTimeoutError()
        self._kafka._message_accumulator.fail_all(self._failure)  # noqa: SLF001  as in `hang_up`

    def _raise_failure(self) -> None:
        if loss := self.loss(0, self._published):
            raise loss from self._failure

    async def _close(self) -> None:
        self._leaving.cancel()
        if self._underway or self._failure:
            await hang_up(self._kafka)
        else:
            await leave(self._kafka.stop)


@lru_cache(KEYS_REMEMBERED)
def hashed(key: bytes) -> int:
    """Hash `key` as Kafka's default partitioner does, so that all clients agree."""
    return int(murmur2(key)) & 0x7FFFFFFF
