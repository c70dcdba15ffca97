"""The Faust application: one agent a topic, which carries batches from the log into the shards.

    batch -> decode -> rejects to the dead letters, rows into every shard -> ack

Batches of one partition go one after the other, those of different partitions side by side. A
partition whose breaker is open waits, with the batches that were fetched already.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import faust
import structlog
from mode import CrashingSupervisor
from redis.exceptions import RedisError

from models.columns import rows
from models.decoding import decode
from models.errors import GapError
from models.events import TOPICS
from streams import worker_metrics
from streams.kafka import security
from streams.transport import BatchSchema, BatchTransport, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faust.types.tuples import TP

    from models.decoding import Decoded, Reject
    from streams.feeds import Shards, Span
    from streams.fences import Fences
    from streams.settings import Settings
    from streams.shedding import Shedding
    from streams.transport import Batch

SESSION_S = 6  # a killed worker's partitions are free after this long; the broker's least
BATCHES_AHEAD = 2  # of one partition, waiting while others are applied
LOOK_S = 1.0  # until a held partition is looked at again
METADATA_MS = 5_000  # until partitions that a topic was given are known

log = structlog.get_logger()


class Takes(Protocol):
    """What takes the rejects (`streams.dead_letters.DeadLetters` does)."""

    async def send(self, tp: TP, rejects: Sequence[Reject]) -> None:
        """Deliver `rejects` of partition `tp`."""


class Holds(Protocol):
    """What holds partitions back (`streams.breakers.Breakers` does)."""

    async def load(self) -> None:
        """Take up what is held already."""

    async def holds(self, span: Span) -> bool:
        """Tell whether the partition of `span` is held."""

    async def trips(self, span: Span, decoded: Decoded) -> bool:
        """Count a batch, and tell whether it is to be held from now on."""


@dataclass(slots=True)
class Tally:
    """What a worker has done since it started."""

    events: int = 0
    rejects: int = 0
    held: set[TP] = field(default_factory=set)  # partitions whose breaker is open


@dataclass(frozen=True, slots=True)
class Carrier:
    """Carries one batch after the other from the log into the shards."""

    settings: Settings
    shards: Shards
    fences: Fences
    dead_letters: Takes
    breakers: Holds
    shedding: Shedding
    tally: Tally

    async def positions(self, consumer: Any, assigned: set[TP]) -> Mapping[TP, int]:
        """Give the offset each partition must be read from."""
        await self.breakers.load()
        positions = await self.fences.positions(consumer, assigned)
        ends = await consumer.highwaters(*assigned)
        held = self.tally.held
        waiting = {tp: ends[tp] - begin for tp, begin in positions.items() if tp not in held}
        await self.shedding.follow(waiting)
        return positions

    async def carry(self, tp: TP, batch: Batch) -> bool:
        """Apply `batch` to all shards, whole, or nothing of it where its partition is held."""
        began = time.monotonic()
        span = self.fences.span(tp, batch)
        if await self.breakers.holds(span):
            return False
        decoded = decode(span.topic, batch.records)
        if await self.breakers.trips(span, decoded):
            return False
        if decoded.rejects:
            await self.dead_letters.send(tp, decoded.rejects)
        laid = rows(span.topic, decoded.events, decoded.offsets, self.settings.policy)
        if halvings := self.shedding.of(span.topic):
            span = replace(span, halvings=halvings)
        try:
            work = await self.shards.apply(laid, span, decoded.at)
        except GapError:
            with suppress(RedisError, OSError):
                await self.fences.read({tp})  # which says so where the store went back
            raise
        self.fences.acknowledge(tp, span.next)
        self.tally.events += len(decoded.events)
        self.tally.rejects += len(decoded.rejects)
        busy_s = time.monotonic() - began
        worker_metrics.carried(span.topic, decoded, work=work, busy_s=busy_s)
        return True


class Lanes:
    """One lane a partition, in which batches follow each other; a failure crashes the worker."""

    def __init__(self, app: faust.App, carrier: Carrier) -> None:
        self._app = app
        self._carrier = carrier
        self._lanes: dict[TP, asyncio.Queue[Any]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    def put(self, event: Any) -> None:
        """Queue the batch of `event`, and fetch no more of its partition where enough waits.

        Never waits: other partitions of the topic come the same way.
        """
        tp = event.message.tp
        if tp not in self._lanes:
            self._lanes[tp] = asyncio.Queue()
            self._tasks.append(
                asyncio.create_task(self._run(tp), name=f"{tp.topic}:{tp.partition}")
            )
        self._lanes[tp].put_nowait(event)
        if self._lanes[tp].qsize() >= BATCHES_AHEAD:
            self._app.consumer.set_room(tp, has_room=False)

    async def close(self, patience_s: float) -> None:
        """Finish the batches in hand, take up no other."""
        self._closing = True
        for lane in self._lanes.values():
            if lane.empty():
                lane.put_nowait(None)
        if self._tasks:
            _, waiting = await asyncio.wait(self._tasks, timeout=patience_s)
            for task in waiting:  # for a store that is away
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _run(self, tp: TP) -> None:
        lane, held = self._lanes[tp], list[Any]()
        while not self._closing:
            events = [*held, *await _waiting(lane, LOOK_S if held else None)]
            self._app.consumer.set_room(tp, has_room=True)
            try:
                held = await self._carry(tp, events)
                await self._pace(tp, is_held=bool(held))
            except Exception as error:  # noqa: BLE001 - whatever it is, it must stop the worker
                await self._app.crash(error)
                return

    async def _carry(self, tp: TP, events: list[Any]) -> list[Any]:
        """Carry the batches of `events`; give those that are held back."""
        left = [event for event in events if self._app.consumer.expects(event.message)]
        for batch in joined([event.value for event in left]):
            if not await self._carrier.carry(tp, batch):
                left = [event for event in left if event.value.begin >= batch.begin]
                break
        else:
            left = []
        for event in events:
            if event not in left:
                event.ack()
        return left

    async def _pace(self, tp: TP, *, is_held: bool) -> None:
        """Fetch no more of a partition while it is held."""
        if is_held:
            self._carrier.tally.held.add(tp)
            self._app.consumer.pause_partitions({tp})
        elif tp in self._carrier.tally.held:
            self._carrier.tally.held.remove(tp)
            await self._app.consumer.go_on(tp)


async def _waiting(lane: asyncio.Queue[Any], patience_s: float | None) -> list[Any]:
    """Take what waits in a lane: one call for many small batches, or they would never catch up."""
    events = []
    try:
        async with asyncio.timeout(patience_s):
            events.append(await lane.get())
    except TimeoutError:
        return []
    while not lane.empty():
        events.append(lane.get_nowait())
    return [event for event in events if event is not None]


class App(faust.App):
    """A Faust application that keeps nothing on disk: no tables, so no directories for them."""

    def _create_directories(self) -> None:
        pass


def _credentials(settings: Settings) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """Say in Faust's words how Kafka is spoken to."""
    given = security(settings)
    if settings.kafka_security.has_user:
        return faust.SASLCredentials(
            username=given["sasl_plain_username"],
            password=given["sasl_plain_password"],
            mechanism=given["sasl_mechanism"],
            ssl_context=given.get("ssl_context"),
        )
    return faust.SSLCredentials(given["ssl_context"]) if "ssl_context" in given else None


class Rebalances(faust.Sensor):
    """Times rebalances, which Faust alone knows of; to its other numbers a batch is one message."""

    def on_rebalance_end(self, app: faust.App, state: dict[str, float]) -> None:
        """Observe one, from the loss of the old partitions to reading the new ones."""
        del app
        worker_metrics.rebalance_seconds.observe(time.monotonic() - state["time_start"])


def create_app(settings: Settings, carrier: Carrier) -> tuple[faust.App, Lanes]:
    """Make the Faust application of one worker, with an agent for every topic."""
    app = App(
        settings.group,
        broker=[f"kafka://{server}" for server in settings.kafka.split(",")],
        broker_credentials=_credentials(settings),
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        producer_threaded=False,
        stream_buffer_maxsize=1,  # what waits in Kafka comes as one large batch
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=SESSION_S / 3,
        broker_rebalance_timeout=5 * SESSION_S,
        broker_commit_interval=1,
        consumer_metadata_max_age_ms=METADATA_MS,
    )
    app.sensors.add(Rebalances())
    app.transport = BatchTransport(app.conf.broker_consumer, app, positions=carrier.positions)
    lanes = Lanes(app, carrier)

    async def carry(stream: Any) -> None:
        async for event in stream.noack().events():
            lanes.put(event)

    for topic in TOPICS:
        channel = app.topic(settings.topic(topic), schema=BatchSchema())
        app.agent(channel, name=topic, supervisor_strategy=CrashingSupervisor)(carry)
    return app, lanes
