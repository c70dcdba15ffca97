"""What is published arrives once, in order, and is counted as it was acknowledged."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from models.errors import BrokerError
from models.events import Befriend, Like, Unfriend, Unlike, View, decode
from streams.producer import Counts, Producer, Record, hashed
from streams.topics import ensure, log_bounds

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from models.events import Event
    from streams.local import Broker
    from streams.settings import Settings


async def read(settings: Settings, *topics: str) -> list[ConsumerRecord]:
    """Read all of some topics, partition by partition."""
    consumer = AIOKafkaConsumer(
        *map(settings.topic, topics),
        bootstrap_servers=settings.kafka,
        auto_offset_reset="earliest",
    )
    bounds = await log_bounds(settings)
    left = sum(end - start for (name, _), (start, end) in bounds.items() if name in topics)
    records: list[ConsumerRecord] = []
    await consumer.start()
    while left > len(records):
        for taken in (await consumer.getmany(timeout_ms=5_000)).values():
            records.extend(taken)
    await consumer.stop()
    return sorted(records, key=lambda record: (record.topic, record.partition, record.offset))


def toggles(users: int, rounds: int) -> list[Event]:
    """Make likes and unlikes of one item, in turns, by several users."""
    kinds = Like, Unlike
    return [
        kinds[turn % 2](at=1 + turn, user=str(user), item="song")
        for turn in range(rounds)
        for user in range(users)
    ]


async def test_every_event_arrives_once_and_in_the_order_of_its_key(settings: Settings) -> None:
    """Many batches of all partitions at once leave every user's events in order."""
    await ensure(settings)
    events = toggles(users=50, rounds=400)
    async with Producer(settings) as producer:
        await producer.publish(events)
        await producer.flush()
        counts = producer.counts
    arrived = [decode(record.value) for record in await read(settings, "likes")]

    assert counts == Counts(published=20_000, acknowledged=20_000)
    assert len(arrived) == 20_000
    for user in map(str, range(50)):
        assert [event.at for event in arrived if event.key == user] == list(range(1, 401))


async def test_each_kind_goes_to_its_topic_under_its_key(settings: Settings) -> None:
    """Acts are keyed by user, friendships by their register."""
    await ensure(settings)
    async with Producer(settings) as producer:
        await producer.publish(
            [
                Like(at=1, user="ann", item="song"),
                View(at=2, user="bob", item="song"),
                Befriend(at=3, user="bob", friend="ann"),
                Unfriend(at=4, user="ann", friend="bob"),
            ]
        )

    assert [record.key for record in await read(settings, "likes")] == [b"ann"]
    assert [record.key for record in await read(settings, "views")] == [b"bob"]
    assert [record.key for record in await read(settings, "friendships")] == [b"friend|ann|bob"] * 2


@pytest.mark.parametrize("partitions", [7])
async def test_all_clients_agree_on_the_partition_of_a_key(settings: Settings) -> None:
    """A record sent by a stock producer goes where ours goes."""
    await ensure(settings)
    keys = [str(7**power).encode() for power in range(40)]
    async with Producer(settings) as producer:
        await producer.publish_raw(Record("likes", key, b"ours") for key in keys)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as stock:
        for key in keys:
            await stock.send_and_wait(settings.topic("likes"), b"stock", key=key)
    places: dict[bytes, set[int]] = {}
    for record in await read(settings, "likes"):
        places.setdefault(record.key, set()).add(record.partition)

    assert len(places) == 40
    assert all(len(partitions) == 1 for partitions in places.values())


async def test_raw_bytes_arrive_untouched(settings: Settings) -> None:
    """What is no event, or none as small as an event has to be, is published as it is."""
    await ensure(settings)
    values = [b"", b"\xff\x00", b"x" * 70_000]
    async with Producer(settings) as producer:
        await producer.publish_raw(Record("views", b"ann", value) for value in values)

    assert [record.value for record in await read(settings, "views")] == values


async def test_leaving_the_context_waits_for_what_is_underway(settings: Settings) -> None:
    """Whoever only publishes and leaves has everything acknowledged."""
    await ensure(settings)
    async with Producer(settings) as producer:
        await producer.publish(toggles(users=10, rounds=100))

    assert producer.counts == Counts(1_000, 1_000)


async def test_a_refused_batch_ends_the_publishing_with_the_counts(settings: Settings) -> None:
    """A record larger than the topic takes is an error that says how much is in the log."""
    await ensure(settings)
    producer = Producer(settings)

    async def publish() -> None:
        async with producer:
            await producer.publish(toggles(users=1, rounds=100))
            await producer.flush()
            await producer.publish_raw([Record("likes", b"0", b"x" * 2_000_000)])

    with pytest.raises(BrokerError, match=r"refused a batch .*: 100 events .*, 1 may be lost"):
        await publish()
    assert producer.counts == Counts(101, 100)


async def test_what_is_told_to_be_acknowledged_is_the_beginning(settings: Settings) -> None:
    """Where the first of two partitions refuses, nothing before it is passed over."""
    await ensure(settings)
    lost, kept = (
        next(key for key in (b"%d" % n for n in range(99)) if hashed(key) % 2 == partition)
        for partition in (0, 1)
    )
    producer = Producer(settings)
    records = [
        Record("likes", kept, b"first"),
        Record("likes", lost, b"x" * 2_000_000),
        *[Record("likes", kept, b"later")] * 5,
    ]

    async def publish() -> None:
        async with producer:
            await producer.publish_raw(records[:1])
            await producer.flush()
            await producer.publish_raw(records[1:])

    with pytest.raises(BrokerError, match="1 event is acknowledged, 6 may be lost") as caught:
        await publish()
    assert caught.value.acknowledged == 1


async def test_missing_topics_are_said_to_be_missing(settings: Settings) -> None:
    """A producer creates no topics: the message says who does."""
    with pytest.raises(BrokerError, match=r"no topic .*: create them with `likewave topics`"):
        async with Producer(settings):
            pass


class TestOutage:
    """What becomes of a producer whose broker goes away."""

    @pytest.fixture
    def broker(self, own_broker: Broker) -> Broker:
        """Have a broker that may be killed."""
        return own_broker

    async def test_a_broker_that_restarts_costs_nothing(
        self, broker: Broker, settings: Settings
    ) -> None:
        """Killed and started in the middle, it has every event once and in order."""
        await ensure(settings)
        async with Producer(settings) as producer:
            await producer.publish(toggles(users=10, rounds=1_000))
            broker.kill()
            publishing = asyncio.create_task(
                producer.publish(
                    type(event)(at=event.at + 1_000, user=event.user, item=event.item)
                    for event in toggles(users=10, rounds=1_000)
                )
            )
            await asyncio.to_thread(broker.start)
            await publishing
            await producer.flush()
            assert producer.counts == Counts(20_000, 20_000)
        arrived = [decode(record.value) for record in await read(settings, "likes")]

        assert len(arrived) == 20_000
        for user in map(str, range(10)):
            assert [event.at for event in arrived if event.key == user] == list(range(1, 2_001))

    async def test_a_broker_that_stays_away_is_one_clear_line_with_the_counts(
        self, broker: Broker, settings: Settings
    ) -> None:
        """Patience has an end, leaving takes seconds, and nothing is left running."""
        await ensure(settings)
        producer = Producer(settings, patience_s=1.0)

        async def publish() -> None:
            async with producer:
                await producer.publish(toggles(users=10, rounds=10))
                await producer.flush()
                broker.kill()
                await producer.publish(toggles(users=10, rounds=1))

        began = time.monotonic()
        with pytest.raises(BrokerError) as caught:
            await publish()

        assert str(caught.value).startswith(
            f"Kafka at {settings.kafka} did not acknowledge for 1 s: "
            "100 events are acknowledged, 10 may be lost"
        )
        assert producer.counts == Counts(110, 100)
        assert time.monotonic() - began < 6
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_whoever_wants_to_leave_waits_for_no_broker_that_is_gone(
        self, broker: Broker, settings: Settings
    ) -> None:
        """One wish is enough, however much patience there was, and what may be lost is said."""
        await ensure(settings)
        stop = asyncio.Event()

        async def publish() -> None:
            async with Producer(settings, patience_s=120.0, stop=stop) as producer:
                await producer.publish(toggles(users=10, rounds=10))
                await producer.flush()
                broker.kill()
                asyncio.get_running_loop().call_later(1.0, stop.set)
                for _ in range(9):  # more than may wait for a broker
                    await producer.publish(toggles(users=10, rounds=1))

        began = time.monotonic()
        with pytest.raises(BrokerError, match="did not acknowledge for 5 s: 100 events are ack"):
            await publish()

        assert time.monotonic() - began < 10
