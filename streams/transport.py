"""The batch transport: one fetched stretch of one partition is one Faust event.

Stock Faust spends 120 us on an event, nearly all of it below the agent: four tasks and a wait in
the drain loop, a lock in the conductor, the stream iterator. So batches are formed beneath them.
Agents, streams, rebalancing, commits, sensors stay Faust's.

    broker -> aiokafka's fetcher -> [ConsumerThread._fetch_records: Batch] -> [Consumer: in order,
    in flight] -> conductor -> stream -> agent -> ack -> [Consumer._new_offset] -> commit

It stands on private names of aiokafka and Faust; `check_internals` tells at start which are gone.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, ClassVar

import faust.streams
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from faust import Schema
from faust.transport import consumer as stock
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP, ack_lock
from mode.utils.futures import notify

from models.errors import BrokerError, GapError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from aiokafka.record.default_records import DefaultRecord
    from faust.transport.consumer import ConsumerThread

    Positions = Callable[[Any, set[TP]], Awaitable[Mapping[TP, int]]]

LONGEST_BATCH = 2_000  # records; a batch takes some 10 to 300 ms to apply
ROOM_WAIT_S = 0.02  # until the partitions that have room are asked for again
FETCH_WAIT_MS = 50  # how long the broker holds a fetch open for a first record
LINGER_MS = 12  # and, while records come, for more of them: a fetch costs as much as many records …
LINGER_BYTES = 65_536  # … but no longer than until there are so many

_INTERNALS = (
    (Fetcher, ("fetched_records", "_create_fetch_waiter", "_notify")),
    (FetchResult, ("check_assignment", "getall", "has_more", "_update_position")),
    (PartitionRecords, ("_consumer_record", "_unpack_records")),
    (AIOKafkaConsumer, ("seek_to_committed",)),
    (driver.AIOKafkaConsumerThread, ("_create_worker_consumer", "_fetch_records")),
    (stock.Consumer, ("_wait_next_records", "_new_offset", "_add_gap", "perform_seek")),
    (stock.Consumer, ("_filter_tps_with_pending_acks", "on_buffer_full", "on_buffer_drop", "ack")),
)


def check_internals() -> None:
    """Raise BrokerError where the installed aiokafka or Faust lacks what this relies on."""
    missing = [
        f"{owner.__name__}.{name}"
        for owner, names in _INTERNALS
        for name in names
        if not hasattr(owner, name)
    ]
    if faust.streams._CStreamIterator is None:  # noqa: SLF001 - the pure one acks what it skips
        missing.append("faust._cython.streams (install faust-streaming with its C extensions)")
    if missing:
        raise BrokerError(
            f"the batch transport does not know this aiokafka or Faust: {', '.join(missing)} "
            "missing; install the pinned versions"
        )


class Batch:
    """A stretch of one partition, offsets `begin` to `next` - 1; compaction may leave holes in it.

    To Faust it is one record, whose value is the batch itself and whose offset is the last one's.
    """

    __slots__ = ("begin", "next", "partition", "records", "timestamp", "topic")

    timestamp_type = 1
    key = None
    headers = ()
    checksum = None
    serialized_key_size = 0
    serialized_value_size = 0

    def __init__(
        self, tp: TP, begin: int, next_offset: int, records: Sequence[DefaultRecord]
    ) -> None:
        self.topic, self.partition = tp.topic, tp.partition
        self.begin, self.next, self.records = begin, next_offset, records
        self.timestamp = records[-1].timestamp if records else None

    def __len__(self) -> int:
        return len(self.records)

    @property
    def offset(self) -> int:
        """Give the last offset of the stretch."""
        return self.next - 1

    @property
    def value(self) -> Batch:
        """Give the batch: the value of its event."""
        return self


def joined(batches: Sequence[Batch]) -> Iterator[Batch]:
    """Join the batches of one partition that follow each other."""
    if not batches:
        return
    first, *others = batches
    tp, records = TP(first.topic, first.partition), list(first.records)
    begin, following = first.begin, first.next
    for batch in others:
        if batch.begin != following:  # fetched before a seek, or after
            yield Batch(tp, begin, following, records)
            begin, records = batch.begin, []
        following = batch.next
        records += batch.records
    yield Batch(tp, begin, following, records)


class BatchSchema(Schema):
    """Hands a batch to the stream as it is."""

    def loads_key(self, app: Any, message: Any, **options: Any) -> None:
        """Give no key: the records have theirs."""

    def loads_value(self, app: Any, message: Any, **options: Any) -> Batch:
        """Give the batch."""
        del app, options
        batch: Batch = message.value
        return batch


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches: hands out batches instead of records."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - Faust fixes it at 1500
        return consumer

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave it to the watchdog, which asks the fences, to tell what stands still."""

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is Faust's
        max_records: int | None = None,
    ) -> dict[TP, list[Batch]]:
        del max_records
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher  # noqa: SLF001
        if consumer._closed or fetcher._closed:  # noqa: SLF001
            raise driver.ConsumerStoppedError
        # Stock Faust never asks, and stays up for ever after a fatal error of the coordinator.
        consumer._coordinator.check_errors()  # noqa: SLF001
        with fetcher._subscriptions.fetch_context():  # noqa: SLF001
            batches = await _drain(fetcher, active_partitions, timeout or 0)
        _linger(fetcher, while_records_come=bool(batches))
        return batches


def _linger(fetcher: Fetcher, *, while_records_come: bool) -> None:
    """Say how long further fetches are held open, and for how much."""
    wait_ms, size = (LINGER_MS, LINGER_BYTES) if while_records_come else (FETCH_WAIT_MS, 1)
    fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes = wait_ms, size  # noqa: SLF001


async def stretches(
    consumer: AIOKafkaConsumer, partitions: set[TP], patience_s: float
) -> dict[TP, Batch]:
    """Fetch the next stretch of some of the partitions assigned to a consumer without a group."""
    fetcher = consumer._fetcher  # noqa: SLF001
    with fetcher._subscriptions.fetch_context():  # noqa: SLF001
        fetched = await _drain(fetcher, partitions, patience_s)
    return {tp: batch for tp, (batch,) in fetched.items()}


async def _drain(fetcher: Fetcher, active: set[TP], patience_s: float) -> dict[TP, list[Batch]]:
    """Take what is fetched, as `Fetcher.fetched_records` does; wait for more where nothing is."""
    deadline = time.monotonic() + patience_s
    while True:
        if fetcher._subscriptions.reassignment_in_progress:  # noqa: SLF001
            await fetcher._subscriptions.wait_for_assignment()  # noqa: SLF001
        batches = {tp: [batch] for tp, batch in _fetched(fetcher, active)}
        left = deadline - time.monotonic()
        if batches or left <= 0:
            return batches
        waiter = fetcher._create_fetch_waiter()  # noqa: SLF001
        if fetcher._records:  # noqa: SLF001 - of a partition that had no room, but soon may have
            left = min(left, ROOM_WAIT_S)
        try:
            async with asyncio.timeout(left):
                await waiter  # raises what the fetch raised
        except TimeoutError:
            return {}
        if fetcher._closed:  # noqa: SLF001
            return {}


def _fetched(fetcher: Fetcher, active: set[TP]) -> Iterator[tuple[TP, Batch]]:
    fetched = fetcher._records  # noqa: SLF001
    for tp, result in list(fetched.items()):
        if active and tp not in active:
            if not fetcher._subscriptions.is_assigned(tp):  # noqa: SLF001
                del fetched[tp]
            continue
        if type(result) is not FetchResult:
            del fetched[tp]
            fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001
            result.check_raise()
            continue
        batch = _take(tp, result)
        if not result.has_more():
            del fetched[tp]
            fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001
        if batch is not None:
            yield TP(tp.topic, tp.partition), batch


def _take(tp: TP, result: FetchResult) -> Batch | None:
    stretch = result._partition_records  # noqa: SLF001
    if stretch is None or not result.check_assignment(tp):
        return None
    stretch._consumer_record = _as_it_is  # noqa: SLF001 - no ConsumerRecord for each: 1.2 us saved
    begin = stretch.next_fetch_offset
    records = result.getall(LONGEST_BATCH)
    if stretch.next_fetch_offset == begin:
        return None
    return Batch(tp, begin, stretch.next_fetch_offset, records)


def _as_it_is(tp: TP, record: DefaultRecord) -> DefaultRecord:
    del tp
    return record


class BatchConsumer(driver.Consumer):
    """The consumer: every stretch exactly once and in order, from where the shards' fences are."""

    _thread: BatchThread

    def __init__(
        self, transport: Any, callback: Callable[[Any], Awaitable[None]], **kwargs: Any
    ) -> None:
        super().__init__(transport, callback=self._on_batch, **kwargs)
        self._deliver = callback
        self._expected: dict[TP, int] = {}  # offset at which the next batch must begin
        self._flight: defaultdict[TP, deque[tuple[Any, int]]] = defaultdict(deque)
        self._full: set[TP] = set()  # partitions of which enough waits to be applied
        self._room = asyncio.Event()

    def _new_consumer_thread(self) -> ConsumerThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def _on_batch(self, message: Any) -> None:
        tp, batch = message.tp, message.value
        expected = self._expected.get(tp)
        if expected is None or batch.begin < expected:
            return  # fetched before the last seek
        if batch.begin > expected:
            raise GapError(
                f"{tp.topic}:{tp.partition}: expected offset {expected}, the broker gave "
                f"{batch.begin}"
            )
        self._expected[tp] = batch.next
        self._flight[tp].append((message, batch.next))
        await self._deliver(message)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to the shards' fences, whatever the group has committed."""
        assignment = self.assignment()
        positions = await self.transport.positions(self, assignment) if assignment else {}
        self._flight.clear()
        self._expected = dict(positions)
        self._full.clear()
        self._buffered_partitions.clear()
        await self.seek_wait(positions)
        return positions

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was in flight: its next owner reads it again."""
        for tp in revoked:
            self._expected.pop(tp, None)
            self._flight.pop(tp, None)
        self._full -= revoked
        self._buffered_partitions.difference_update(revoked)  # which stock Faust leaks
        await super().on_partitions_revoked(revoked)

    async def commit_and_end_transactions(self) -> None:
        """Commit what is in the shards, unless the thread that would do it has ended."""
        if not self._thread.thread_loop.is_closed():
            await super().commit_and_end_transactions()

    def expects(self, message: Any) -> bool:
        """Tell whether a batch is still to be applied here: it was fetched after the last seek."""
        return any(message is one for one, _ in self._flight.get(message.tp, ()))

    def ack(self, message: Any) -> bool:
        """Mark a batch as being in the shards."""
        with ack_lock:
            if message.acked:
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            notify(self._waiting_for_ack)
            return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in list(self._flight) if not topics or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        """Give the offset up to which all is acknowledged; the stock one commits past gaps."""
        flight, offset = self._flight[tp], None
        while flight and flight[0][0].acked:
            offset = flight.popleft()[1]
        return offset

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: the stretches know their holes."""

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's
        """Wait for room; the stock one sleeps a whole second while all partitions are full."""
        if self.flow_active and not self._get_active_partitions():
            self._room.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._room.wait()
            except TimeoutError:
                return {}, set()
        return await super()._wait_next_records(timeout)

    def on_buffer_drop(self, tp: TP) -> None:
        """Fetch a partition again where both have room: the agent's buffer, and what waits here."""
        if tp not in self._full:
            super().on_buffer_drop(tp)
            self._room.set()

    def set_room(self, tp: TP, *, has_room: bool) -> None:
        """Fetch no more of a partition while enough of it waits to be applied."""
        if has_room:
            self._full.discard(tp)
            self.on_buffer_drop(tp)
        else:
            self._full.add(tp)
            self.on_buffer_full(tp)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Fetch partitions again after a rebalance."""
        super().resume_partitions(tps)
        self._room.set()

    async def go_on(self, tp: TP) -> None:
        """Fetch a partition again that was paused: what came in that moment was thrown away."""
        if tp in self.assignment() and tp in self._expected:
            await self.seek_wait({tp: self._expected[tp]})
            self.resume_partitions({tp})


class BatchTransport(driver.Transport):
    """Faust's Kafka transport, with batches; `positions` gives the offsets to seek to."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer

    def __init__(self, *args: Any, positions: Positions, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.positions = positions
