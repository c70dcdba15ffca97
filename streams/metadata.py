"""What Kafka says of its topics: a Metadata request of version 12, and its answer.

aiokafka stops at version 5, which knows no topic ids, and its own requests create the topics they
ask about where the broker allows it. https://kafka.apache.org/protocol#The_Messages_Metadata
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aiokafka.errors import UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import BytesIO

    from aiokafka.client import AIOKafkaClient

NAME = CompactString("utf-8")
TAGS = ("tags", TaggedFields)
NO_ID = UUID(int=0)  # look the topic up by its name


class Uuid:
    """A topic id: sixteen bytes."""

    @staticmethod
    def encode(value: UUID) -> bytes:
        """Write the bytes."""
        return value.bytes

    @staticmethod
    def decode(data: BytesIO) -> UUID:
        """Read the next sixteen bytes."""
        return UUID(bytes=data.read(16))


BROKER = CompactArray(("node", Int32), ("host", NAME), ("port", Int32), ("rack", NAME), TAGS)
PARTITION = CompactArray(
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline_replicas", CompactArray(Int32)),
    TAGS,
)
TOPIC = CompactArray(
    ("error_code", Int16),
    ("name", NAME),
    ("topic_id", Uuid),
    ("is_internal", Boolean),
    ("partitions", PARTITION),
    ("authorized_operations", Int32),
    TAGS,
)


class MetadataResponse(Response):  # type: ignore[misc]  # aiokafka's types are not followed
    """Brokers, cluster and topics."""

    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", BROKER),
        ("cluster_id", NAME),
        ("controller_id", Int32),
        ("topics", TOPIC),
        TAGS,
    )


class MetadataStruct(RequestStruct):  # type: ignore[misc]  # aiokafka's types are not followed
    """The request as it travels."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", NAME), TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        TAGS,
    )


class MetadataRequest(Request[MetadataStruct]):  # type: ignore[misc]  # as above
    """Asks about topics by name, and creates none."""

    API_KEY = 3

    def __init__(self, topics: Iterable[str]) -> None:
        no_tags: dict[int, bytes] = {}
        self._topics = [(NO_ID, topic, no_tags) for topic in topics]

    def build(self, request_struct_class: type[MetadataStruct]) -> MetadataStruct:
        """Fill in the one version there is."""
        return request_struct_class(self._topics, False, False, {})


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that exists; its log id names topic and cluster, so a topic made anew is another."""

    log: str
    partitions: int
    is_led: bool  # every partition has a leader: the topic can be written and read
    replicas: int  # the least of all partitions
    in_sync: int  # the same, of those that have all records


async def describe(client: AIOKafkaClient, topics: Iterable[str]) -> dict[str, Topic]:
    """Describe those of `topics` that exist, by full name; raise KafkaError on any other fault."""
    answer: Any = await client.send(client.get_random_node(), MetadataRequest(topics))
    found: dict[str, Topic] = {}
    for error_code, name, topic_id, _, partitions, *_ in answer.topics:
        fault = for_code(error_code)
        if fault is UnknownTopicOrPartitionError:
            continue
        if error_code and partitions == []:
            raise fault(name)
        found[name] = _topic(f"{topic_id}@{answer.cluster_id}", partitions)
    return found


def _topic(log: str, partitions: list[Any]) -> Topic:
    leaders, replicas, in_sync = zip(
        *[(leader, len(copies), len(whole)) for _, _, leader, _, copies, whole, *_ in partitions],
        strict=True,
    )
    return Topic(log, len(partitions), min(leaders) >= 0, min(replicas), min(in_sync))
