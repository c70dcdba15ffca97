"""What may be wrong with Kafka: the brokers, the topics, the group, the clocks. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.protocol.admin import ApiVersionRequest, DescribeGroupsRequest

from models.counting import counted
from models.errors import LikewaveError, StoreError
from models.events import DEAD_LETTERS, TOPICS
from models.finding import Finding, fail, failed, ok, warn
from models.verdict import processes
from streams import attendance, letter_checks, report, store, topics
from streams.clock import now_ms
from streams.kafka import asking, connected
from streams.metadata import MetadataStruct, describe
from streams.settings import DATA_DIR
from streams.stack import workers_kept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from models.presence import Presence
    from streams.metadata import Topic
    from streams.settings import Settings

    Check: TypeAlias = Callable[[Settings, int], Awaitable[Sequence[Finding]]]

UP = "see whether all brokers are up, and what their logs say"
CLOCK_MS = 5_000  # that clocks may differ by
RELEASES = ((13, "4.0"), (12, "3.1"))  # version of Metadata -> the release that brought it
METADATA = MetadataStruct.API_KEY


async def examine(settings: Settings, shift_ms: int) -> list[Finding]:
    """Check Kafka; `shift_ms` is added to this host's clock (0, but in tests of clocks)."""
    try:
        found = [await _broker(settings)]
    except LikewaveError as error:
        return [failed("broker", str(error))]
    for check, ask in CHECKS.items():
        try:
            found += await ask(settings, shift_ms)
        except LikewaveError as error:
            found.append(failed(check, str(error)))
    return found


async def _broker(settings: Settings) -> Finding:
    async with connected(settings) as client:
        answer: Any = await client.send(client.get_random_node(), ApiVersionRequest())
        latest = {key: highest for key, _, highest in answer.api_versions}[METADATA]
        count = len(client.cluster.brokers())
    where = f"{counted(count, 'broker')} at {settings.kafka}"
    release = next((name for version, name in RELEASES if latest >= version), None)
    if release is None:
        return fail("broker", f"{where}, older than Kafka 3.1", "upgrade Kafka")
    return ok("broker", f"{where}, Kafka {release} or later")


async def _topics(settings: Settings, _: int) -> Sequence[Finding]:
    states = await topics.check(settings)
    faults = [failed("topics", fault) for state in states for fault in state.faults]
    counts = sorted({state.partitions for state in states})
    found = f"{len(states)} topics of {' or '.join(map(str, counts))} partitions, as needed"
    return faults or [ok("topics", found)]


async def _copies(settings: Settings, _: int) -> Sequence[Finding]:
    names = [settings.topic(topic) for topic in (*TOPICS, DEAD_LETTERS)]
    async with connected(settings) as client:
        found = await describe(client, names)
        brokers = len(client.cluster.brokers())
    faults = [one for name, topic in found.items() for one in _of_copies(name, topic, brokers)]
    least = min((topic.replicas for topic in found.values()), default=0)
    return faults or [ok("replication", f"{least}, all in sync")]


def _of_copies(name: str, topic: Topic, brokers: int) -> Sequence[Finding]:
    if not topic.is_led:
        return [fail("replication", f"topic {name} has a partition without a leader", UP)]
    if topic.in_sync < topic.replicas:
        found = f"topic {name} has a partition with {topic.in_sync} of {topic.replicas} replicas"
        return [warn("replication", found, UP)]
    if topic.replicas == 1 < brokers:
        found = f"topic {name} has one replica on {brokers} brokers: it goes with its broker"
        return [warn("replication", found, "kafka-reassign-partitions.sh, to 3 replicas")]
    return []


async def _group(settings: Settings, _: int) -> Sequence[Finding]:
    state, members = await _members(settings)
    found = f"{settings.group}: {counted(members, 'worker')}, {state or 'unknown'}"
    if outside := _outside(found, await _connected(settings), members):
        return [outside]
    if not members:
        return [warn("workers", found, _start(settings))]
    if members > settings.partitions:
        remedy = f"run {counted(settings.partitions, 'worker')}: more than partitions stand idle"
        return [warn("workers", found, remedy)]
    if state != "Stable":
        return [warn("workers", f"{found}: they share the partitions anew", "look again in 10 s")]
    return [ok("workers", found)]


def _start(settings: Settings) -> str:
    """Say how a worker comes to be there: what keeps some running starts them again."""
    if not workers_kept(settings):
        return "start one: likewave worker"
    return (
        "the stack of this folder is starting one: look again in 10 s; where none stays, "
        f"{DATA_DIR}/worker-1.log says why"
    )


def _outside(found: str, connected: Sequence[Presence], members: int) -> Finding | None:
    """Tell of workers that the store knows and the group does not; a silent one alone is frozen."""
    if silent := [one.name for one in connected if one.is_silent]:
        found += f"; connected to the store and silent: {', '.join(silent)}"
        told = warn if len(silent) < len(connected) else fail
        return told("workers", found, f"{processes(silent)}; in state T: kill -9 it")
    if len(connected) <= members:
        return None
    if new := [one.name for one in connected if one.is_new]:
        return warn("workers", f"{found}; just come: {', '.join(new)}", "likewave lag --watch")
    names = ", ".join(one.name for one in connected)
    found += f"; at work in the store: {names}; who is not in the group has left it, or will join"
    return warn("workers", found, "look again in 10 s; where it stays so, see the worker's log")


async def _connected(settings: Settings) -> Sequence[Presence]:
    """Give the workers that the store knows; none, where it is away."""
    try:
        async with store.opened(settings) as feeds:
            return await attendance.connected(feeds, settings)
    except StoreError:
        return ()


async def _members(settings: Settings) -> tuple[str, int]:
    """Give the state of the group of workers, and how many are in it."""
    async with connected(settings) as client:
        try:
            node = await client.coordinator_lookup(CoordinationType.GROUP, settings.group)
            answer: Any = await client.send(
                node, DescribeGroupsRequest([settings.group]), group=ConnectionGroup.COORDINATION
            )
        except GroupCoordinatorNotAvailableError:  # nobody ever had a group on this cluster
            return "", 0
    ((_, _, state, _, _, members, *_),) = answer.groups
    return state, len(members)


async def _clock(settings: Settings, shift_ms: int) -> Sequence[Finding]:
    """Take a monitor's word, whose canary is stamped; else look for records from the future."""
    if (ahead_s := await _ahead_s(settings)) is not None:
        return [_of_clock(ahead_s)]
    limit = now_ms() + shift_ms + CLOCK_MS
    async with connected(settings) as client:
        known = await describe(client, map(settings.topic, TOPICS))
    places = [
        TopicPartition(name, number)
        for name, topic in known.items()
        for number in range(topic.partitions)
    ]
    found: dict[TopicPartition, Any] = {}
    if places:
        async with asking(settings) as consumer:
            found = await consumer.offsets_for_times(dict.fromkeys(places, limit))
    if ahead := [one.timestamp - limit for one in found.values() if one]:
        return [
            _wrong_clock(
                f"Kafka stamped records {(max(ahead) + CLOCK_MS) / 1000:,.0f} s ahead of this "
                "host's clock"
            )
        ]
    return [ok("broker clock", "no record is ahead of this host's clock")]


async def _ahead_s(settings: Settings) -> float | None:
    """Give how far Kafka's clock is ahead, as a monitor that runs found; None where none does."""
    try:
        async with store.opened(settings) as feeds:
            told = await report.last(feeds)
            is_fresh = told and await report.age_ms(feeds, told) < report.FRESH_MS
    except LikewaveError:  # of which the store's own checks tell
        return None
    return told.broker_ahead_s if told and is_fresh else None


def _of_clock(ahead_s: float) -> Finding:
    if abs(ahead_s) * 1000 <= CLOCK_MS:
        return ok("broker clock", "agrees with the monitor's")
    side = "ahead of" if ahead_s > 0 else "behind"
    return _wrong_clock(f"Kafka's clock is {abs(ahead_s):,.0f} s {side} the monitor's")


def _wrong_clock(found: str) -> Finding:
    remedy = (
        "chronyc makestep on the one that is wrong (timedatectl shows each); events are refused or "
        "accepted by Kafka's stamps: those refused meanwhile, likewave dlq redrive --reason future"
    )
    return fail("broker clock", found, remedy)


CHECKS: dict[str, Check] = {
    "topics": _topics,
    "replication": _copies,
    "workers": _group,
    "broker clock": _clock,
    "dead letters": letter_checks.examine,
}
