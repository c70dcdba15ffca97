"""Options of topics, set one by one: a request of Kafka that aiokafka does not know.

aiokafka's own sets back whatever it does not name.
https://kafka.apache.org/protocol#The_Messages_IncrementalAlterConfigs
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka.client import AIOKafkaClient

NAME = String("utf-8")
SET = 0  # the operation


class AlterResponse(Response):  # type: ignore[misc]  # aiokafka's types are not followed
    """One verdict for each resource."""

    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(("error_code", Int16), ("message", NAME), ("kind", Int8), ("name", NAME)),
        ),
    )


class AlterStruct(RequestStruct):  # type: ignore[misc]  # as above
    """The request as it travels."""

    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = AlterResponse
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("kind", Int8),
                ("name", NAME),
                ("configs", Array(("name", NAME), ("operation", Int8), ("value", NAME))),
            ),
        ),
        ("validate_only", Boolean),
    )


class AlterRequest(Request[AlterStruct]):  # type: ignore[misc]  # as above
    """Sets options of one topic, and leaves all others as they are."""

    API_KEY = 44

    def __init__(self, topic: str, options: Mapping[str, str]) -> None:
        changes = [(name, SET, value) for name, value in options.items()]
        self._resources = [(ConfigResourceType.TOPIC, topic, changes)]

    def build(self, request_struct_class: type[AlterStruct]) -> AlterStruct:
        """Fill in the one version there is."""
        return request_struct_class(self._resources, False)


async def alter(client: AIOKafkaClient, topic: str, options: Mapping[str, str]) -> None:
    """Set `options` of `topic`; raise KafkaError where the broker refuses."""
    answer: Any = await client.send(client.get_random_node(), AlterRequest(topic, options))
    for error_code, message, *_ in answer.responses:
        if error_code:
            raise for_code(error_code)(f"{topic}: {message}")
