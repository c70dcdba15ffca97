"""The topics: created as the contract has them, checked where they exist, and where their logs lie.

Every timestamp is the broker's (LogAppendTime), because it is what an event's `at` is held
against. `max.message.bytes` is about whole batches of a producer, so it is larger than an event.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code
from aiokafka.protocol.admin import CreateTopicsRequest, DescribeConfigsRequest

from models.counting import counted
from models.errors import BrokerError
from models.events import DEAD_LETTERS, TOPICS
from models.policy import DAY
from streams.alteration import alter
from streams.kafka import ANSWER_MS, asking, connected, offsets
from streams.metadata import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aiokafka.client import AIOKafkaClient

    from streams.metadata import Topic
    from streams.settings import Settings

MESSAGE_BYTES = 1 << 20  # a producer's batch: 64 KiB of ours, 1 MB of librdkafka's
DEAD_MESSAGE_BYTES = 2 * MESSAGE_BYTES  # whatever a topic took fits in, with its headers
DEAD_LETTERS_KEPT_MS = 7 * DAY
FOREVER = -1  # Kafka's own value of retention.ms
MENDABLE = ("retention.ms", "max.message.bytes", "message.timestamp.type")  # loses no record
COMPACTED = ("friendships", "posts", "preferences")
POLL_S = 0.05
SETTLE_POLLS = 200  # until a new topic is known and led


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic as it is, and what is wrong with it (nothing: `faults` is empty)."""

    topic: str
    partitions: int  # 0 where the topic does not exist
    options: dict[str, str]
    faults: tuple[str, ...]

    @property
    def exists(self) -> bool:
        """Tell whether the topic is there at all."""
        return self.partitions > 0


async def ensure(settings: Settings) -> None:
    """Create the missing topics, and wait until they can be used.

    Raises BrokerError where one that exists is not as wanted; then none is created, and what to do
    is for a person to say.
    """
    async with connected(settings) as client:
        states = await _examine(client, settings)
        _refuse(state for state in states if state.exists)
        if missing := [state.topic for state in states if not state.exists]:
            await _create(client, settings, missing)
        await _settle(client, _wanted(settings))
        _refuse(await _examine(client, settings))  # somebody else may have been quicker


async def check(settings: Settings) -> list[TopicState]:
    """Hold every topic against the contract, and change nothing."""
    async with connected(settings) as client:
        return await _examine(client, settings)


async def mend(settings: Settings) -> list[str]:
    """Set the options that lose nothing, create the missing topics; say what was done."""
    done = await set_options(settings)
    if missing := [state.topic for state in await check(settings) if not state.exists]:
        await ensure(settings)
        done.append(f"created {', '.join(missing)}")
    return done


async def set_options(settings: Settings) -> list[str]:
    """Set the options of topics that lose nothing; say what was done."""
    async with connected(settings) as client:
        lacking = await _lacking(client, settings)
        for topic, name, wish in lacking:
            await alter(client, topic, {name: wish})
        for _ in range(SETTLE_POLLS if lacking else 0):  # brokers learn of it one after the other
            await asyncio.sleep(POLL_S)
            if not await _lacking(client, settings):
                break
    return [f"set {name}={wish} on topic {topic}" for topic, name, wish in lacking]


async def _lacking(client: AIOKafkaClient, settings: Settings) -> list[tuple[str, str, str]]:
    """List the options that may be set and are not as wanted: topic, name, wish."""
    wanted = _wanted(settings)
    return [
        (state.topic, name, wanted[state.topic][name])
        for state in await _examine(client, settings)
        for name, given in state.options.items()
        if name in MENDABLE and not _satisfies(name, given, wanted[state.topic][name])
    ]


async def log_ids(settings: Settings, topics: Iterable[str] = TOPICS) -> dict[str, str]:
    """Give each of `topics` (without the prefix) the id of its log: topic id and cluster id.

    Raises BrokerError where a topic does not exist.
    """
    return {topic: found.log for topic, found in (await _found(settings, topics)).items()}


async def partition_counts(settings: Settings, topics: Iterable[str] = TOPICS) -> dict[str, int]:
    """Count the partitions of `topics` (without the prefix); raise BrokerError on a missing."""
    return {topic: found.partitions for topic, found in (await _found(settings, topics)).items()}


async def log_bounds(
    settings: Settings, topics: Iterable[str] = TOPICS
) -> dict[tuple[str, int], tuple[int, int]]:
    """Give first and next offset of every partition, by topic (without the prefix) and number.

    Raises BrokerError where a topic does not exist.
    """
    names = [
        (topic, number)
        for topic, count in (await partition_counts(settings, topics)).items()
        for number in range(count)
    ]
    places = [TopicPartition(settings.topic(topic), number) for topic, number in names]
    starts, ends = await _offsets(settings, places)
    return {name: (starts[place], ends[place]) for name, place in zip(names, places, strict=True)}


def _refuse(states: Iterable[TopicState]) -> None:
    if faults := [fault for state in states for fault in state.faults]:
        raise BrokerError("; ".join(faults))


async def _found(settings: Settings, topics: Iterable[str]) -> dict[str, Topic]:
    names = {topic: settings.topic(topic) for topic in topics}
    async with connected(settings) as client:
        found = await describe(client, names.values())
    if missing := [name for name in names.values() if name not in found]:
        raise BrokerError(
            f"Kafka at {settings.kafka} has no topic {', '.join(missing)}: "
            "create them with `likewave topics`, or mend LIKEWAVE_TOPIC_PREFIX"
        )
    return {topic: found[name] for topic, name in names.items()}


async def _offsets(
    settings: Settings, places: list[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    async with asking(settings) as consumer:
        starts = await offsets(consumer.beginning_offsets, places)
        return starts, await consumer.end_offsets(places)


def _wanted(settings: Settings) -> dict[str, dict[str, str]]:
    """Name every topic in full, with the options it must have."""
    always = {"message.timestamp.type": "LogAppendTime"}
    kept = {"cleanup.policy": "delete", "max.message.bytes": str(MESSAGE_BYTES)}
    horizon = {"retention.ms": str(settings.policy.horizon_ms)}
    topics = {settings.topic(topic): always | kept | horizon for topic in TOPICS}
    for topic in COMPACTED:
        topics[settings.topic(topic)] = always | kept | {"cleanup.policy": "compact"}
    topics[settings.topic(DEAD_LETTERS)] = always | {
        "cleanup.policy": "delete",
        "max.message.bytes": str(DEAD_MESSAGE_BYTES),
        "retention.ms": str(DEAD_LETTERS_KEPT_MS),
    }
    return topics


async def _examine(client: AIOKafkaClient, settings: Settings) -> list[TopicState]:
    wanted = _wanted(settings)
    found = await describe(client, wanted)
    options = await _options(client, found)
    states = []
    for topic, wishes in wanted.items():
        if topic not in found:
            fault = f"topic {topic} does not exist: create it with `likewave topics`"
            states.append(TopicState(topic, 0, {}, (fault,)))
            continue
        count, given = found[topic].partitions, {name: options[topic][name] for name in wishes}
        faults = tuple(_faults(topic, (count, given), settings))
        states.append(TopicState(topic, count, given, faults))
    return states


def _faults(topic: str, state: tuple[int, dict[str, str]], settings: Settings) -> Iterator[str]:
    count, options = state
    if count < settings.partitions:
        yield (
            f"topic {topic} has {counted(count, 'partition')}, wanted are {settings.partitions}: "
            f"set LIKEWAVE_PARTITIONS={count}, or kafka-topics.sh --bootstrap-server "
            f"{settings.kafka} --alter --topic {topic} --partitions {settings.partitions}"
        )
    for name, wish in _wanted(settings)[topic].items():
        if not _satisfies(name, options[name], wish):
            remedy = f"kafka-configs.sh --bootstrap-server {settings.kafka} --alter "
            remedy += f"--entity-type topics --entity-name {topic} --add-config {name}={wish}"
            if name in MENDABLE:
                remedy = "`likewave doctor --fix` sets it"
            yield f"topic {topic} has {name}={options[name]}, wanted is {wish}: {remedy}"


def _satisfies(name: str, given: str, wish: str) -> bool:
    if name == "retention.ms":
        return int(given) == FOREVER or int(given) >= int(wish)
    if name == "max.message.bytes":
        return int(given) >= int(wish)
    return given == wish


async def _options(client: AIOKafkaClient, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    resources = [(ConfigResourceType.TOPIC, topic, None) for topic in topics]
    answer: Any = await client.send(client.get_random_node(), DescribeConfigsRequest(resources))
    options = {}
    for error_code, message, _, topic, entries in answer.resources:
        if error_code:
            raise for_code(error_code)(f"{topic}: {message}")
        options[topic] = {name: value for name, value, *_ in entries}
    return options


async def _create(client: AIOKafkaClient, settings: Settings, topics: list[str]) -> None:
    wanted = _wanted(settings)
    news: list[tuple[Any, ...]] = [
        (topic, settings.partitions, settings.replication, [], list(wanted[topic].items()))
        for topic in topics
    ]
    request = CreateTopicsRequest(news, timeout=ANSWER_MS, validate_only=False)
    answer: Any = await client.send(client.get_random_node(), request)
    for topic, error_code, message in answer.topic_errors:
        if for_code(error_code) not in (NoError, TopicAlreadyExistsError):
            raise BrokerError(f"topic {topic} cannot be created: {message}")


async def _settle(client: AIOKafkaClient, topics: Iterable[str]) -> None:
    for _ in range(SETTLE_POLLS):
        found = await describe(client, topics)
        if set(found) == set(topics) and all(topic.is_led for topic in found.values()):
            return
        await asyncio.sleep(POLL_S)
    raise BrokerError(
        f"after {SETTLE_POLLS * POLL_S:.0f} s topics still have partitions without a leader: "
        "see whether all brokers are up"
    )
