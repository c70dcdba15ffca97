"""Topics are created as the contract has them, and checked where they exist."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from models.errors import BrokerError
from models.events import TOPICS, Like
from models.policy import DAY, Policy
from streams.producer import Producer
from streams.topics import check, ensure, log_bounds, log_ids, partition_counts

if TYPE_CHECKING:
    from streams.settings import Settings


REMEDIES = {"cleanup_policy": "kafka-configs.sh --bootstrap-server"}  # may drop records


async def create(settings: Settings, topic: str, partitions: int, **options: str) -> None:
    """Create one topic otherwise than Likewave would, and wait until it is there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    configs = {name.replace("_", "."): value for name, value in options.items()}
    await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
    await admin.close()
    while not any(state.exists for state in await check(settings)):
        await asyncio.sleep(0.05)


async def delete(settings: Settings, topic: str) -> None:
    """Delete one topic, and wait until it is gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.delete_topics([topic])
    await admin.close()
    while any(state.exists for state in await check(settings) if state.topic == topic):
        await asyncio.sleep(0.05)


async def test_missing_topics_are_created_as_the_contract_has_them(settings: Settings) -> None:
    """Acts are kept for the horizon, the rest is compacted, timestamps are the broker's."""
    before = await check(settings)
    await ensure(settings)
    after = {
        state.topic.removeprefix(settings.topic_prefix): state for state in await check(settings)
    }

    assert all(not state.exists and "likewave topics" in state.faults[0] for state in before)
    assert set(after) == {*TOPICS, "dead-letters"}
    assert all(state.partitions == 2 and not state.faults for state in after.values())
    assert all(
        state.options["message.timestamp.type"] == "LogAppendTime" for state in after.values()
    )
    assert after["likes"].options["retention.ms"] == str(7 * DAY)
    assert {
        topic for topic, state in after.items() if state.options["cleanup.policy"] == "compact"
    } == {"friendships", "posts", "preferences"}


async def test_creating_twice_and_at_once_does_no_harm(settings: Settings) -> None:
    """Workers that start together find the same topics."""
    await asyncio.gather(ensure(settings), ensure(settings), ensure(settings))
    first = await log_ids(settings)
    await ensure(settings)

    assert await log_ids(settings) == first


@pytest.mark.parametrize(
    ("partitions_found", "options", "complaint"),
    [
        (1, {}, "has 1 partition, wanted are 2: set LIKEWAVE_PARTITIONS=1, or kafka-topics.sh"),
        (2, {"message_timestamp_type": "CreateTime"}, "has message.timestamp.type=CreateTime"),
        (2, {"cleanup_policy": "compact"}, "has cleanup.policy=compact, wanted is delete"),
        (2, {"retention_ms": "3600000"}, "has retention.ms=3600000, wanted is 604800000"),
        (2, {"max_message_bytes": "65536"}, "has max.message.bytes=65536, wanted is 1048576"),
    ],
)
async def test_a_topic_that_is_otherwise_is_refused(
    settings: Settings, partitions_found: int, options: dict[str, str], complaint: str
) -> None:
    """What is wrong, what is wanted and the remedy stand in one line; the topic stays as it is."""
    topic = settings.topic("likes")
    right = {"message_timestamp_type": "LogAppendTime", "max_message_bytes": "1048576"}
    await create(settings, topic, partitions_found, **(right | options))

    with pytest.raises(BrokerError) as caught:
        await ensure(settings)

    assert str(caught.value).startswith(f"topic {topic} {complaint}")
    assert "\n" not in str(caught.value)
    for name in options:
        assert REMEDIES.get(name, "`likewave doctor --fix` sets it") in str(caught.value)
    states = {state.topic: state for state in await check(settings)}
    likes = states.pop(topic)
    assert not any(state.exists for state in states.values())
    assert likes.partitions == partitions_found
    assert likes.faults == (str(caught.value),)


async def test_whoever_comes_second_learns_what_was_created(settings: Settings) -> None:
    """Of two workers that start at once, one that finds fewer partitions than it wants says so."""
    other = settings.model_copy(update={"partitions": 3})
    first, second = await asyncio.gather(ensure(settings), ensure(other), return_exceptions=True)
    found = await partition_counts(settings)

    assert first is None
    assert second is None or "has 2 partitions, wanted are 3" in str(second)
    assert set(found.values()) <= ({3} if second is None else {2, 3})


async def test_more_than_is_wanted_will_do(settings: Settings) -> None:
    """A topic with more partitions, longer retention, or larger batches is left in peace."""
    options = {"message_timestamp_type": "LogAppendTime", "max_message_bytes": "2000000"}
    await create(settings, settings.topic("likes"), 3, retention_ms="-1", **options)

    await ensure(settings)


@pytest.mark.parametrize("policy", [Policy(horizon_ms=90 * DAY)])
async def test_acts_are_kept_for_the_horizon(settings: Settings) -> None:
    """A longer horizon keeps the log longer."""
    await ensure(settings)

    likes = next(state for state in await check(settings) if state.topic.endswith("likes"))
    assert likes.options["retention.ms"] == str(90 * DAY)


async def test_a_topic_that_is_made_anew_is_another_log(settings: Settings) -> None:
    """The log id changes with the topic, even under the same name, and only there."""
    await ensure(settings)
    before = await log_ids(settings)
    await delete(settings, settings.topic("likes"))
    await ensure(settings)
    after = await log_ids(settings)

    assert after["likes"] != before["likes"]
    assert after["views"] == before["views"]
    assert len(set(after.values())) == len(TOPICS)


async def test_the_bounds_of_the_logs_are_those_of_what_was_published(settings: Settings) -> None:
    """The next offsets of a topic's partitions add up to the events on it."""
    await ensure(settings)
    async with Producer(settings) as producer:
        await producer.publish(Like(at=at, user=str(at), item="song") for at in range(1, 101))
        await producer.flush()
    bounds = await log_bounds(settings)

    assert set(bounds) == {(topic, number) for topic in TOPICS for number in range(2)}
    assert all(start == 0 for start, _ in bounds.values())
    assert sum(end for (topic, _), (_, end) in bounds.items() if topic == "likes") == 100
    assert sum(end for _, end in bounds.values()) == 100


@pytest.mark.parametrize("question", [log_ids, log_bounds])
async def test_asking_about_a_topic_that_is_not_there_creates_nothing(
    settings: Settings, question: object
) -> None:
    """The answer names the topics, and they stay away."""
    with pytest.raises(BrokerError, match=r"has no topic .*likes.*: create them"):
        await question(settings)  # type: ignore[operator]

    assert not any(state.exists for state in await check(settings))


@pytest.mark.parametrize("question", [ensure, check, log_ids, log_bounds])
async def test_a_broker_out_of_reach_is_one_clear_line(
    settings: Settings, question: object
) -> None:
    """Within seconds, and with what to do about it."""
    nowhere = settings.model_copy(update={"kafka": "127.0.0.1:9"})
    began = time.monotonic()

    with pytest.raises(BrokerError) as caught:
        await question(nowhere)  # type: ignore[operator]

    assert str(caught.value) == (
        "no Kafka at 127.0.0.1:9: start it with `likewave up`, or set LIKEWAVE_KAFKA"
    )
    assert time.monotonic() - began < 6
