"""Who is there to apply events: members of the consumer group, and workers connected to the store.

A worker that ended is neither. One that is frozen (SIGSTOP, a debugger) leaves the group when its
session is over, but its connections stay open, because the kernel holds them: so it is told apart
from one that is not there, and a worker that says nothing on any of them from one that has nothing
to do. A worker that reaches Kafka but not the store is a member alone.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from aiokafka.admin.client import DescribeGroupsRequest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    NotCoordinatorError,
    for_code,
)
from aiokafka.protocol.coordination import FindCoordinatorRequest
from redis.exceptions import NoPermissionError

from models.presence import Presence
from streams.store import workers_name

if TYPE_CHECKING:
    from aiokafka.client import AIOKafkaClient

    from streams.settings import Settings
    from streams.store import Store

GROUP = 0  # of coordinators
UNTOLD = (  # the broker cannot say who is in the group
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    NotCoordinatorError,
)


async def holders(client: AIOKafkaClient, group: str) -> dict[tuple[str, int], str]:
    """Give the partitions that members of `group` hold, by full topic name, and who holds each."""
    find = FindCoordinatorRequest(group, GROUP)
    found: Any = await client.send(client.get_random_node(), find)
    if (fault := for_code(found.error_code)) in UNTOLD:
        return {}
    if found.error_code:
        raise fault(group)
    answer: Any = await client.send(found.coordinator_id, DescribeGroupsRequest([group]))
    return {
        (topic, partition): member
        for _, _, _, _, _, members, *_ in answer.groups
        for member, _, _, _, assignment, *_ in members
        if assignment
        for topic, partition in ConsumerProtocolMemberAssignment.decode(assignment).partitions()
    }


async def connected(store: Store, settings: Settings) -> list[Presence]:
    """Give the workers of this deployment that have connections to the store, by their names."""
    try:
        clients: Any = await store.client_list()
    except NoPermissionError:
        return []
    begin = workers_name(settings)
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for client in clients:
        if client["name"].startswith(begin):
            found[client["name"].removeprefix(begin)].append(client)
    return [
        Presence(
            name,
            silent_s=min(int(one["idle"]) for one in connections),
            there_s=max(int(one["age"]) for one in connections),
        )
        for name, connections in sorted(found.items())
    ]
