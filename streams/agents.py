"""The Faust application: one agent a topic, which carries batches from the log into the shards.

    batch -> decode -> rejects to the dead letters, rows into every shard -> ack

Batches of one partition go one after the other, those of different partitions side by side.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import faust
import structlog
from mode import CrashingSupervisor

from models.columns import rows
from models.decoding import decode
from models.events import TOPICS
from streams.transport import BatchSchema, BatchTransport, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from faust.types.tuples import TP

    from models.decoding import Reject
    from streams.feeds import Shards
    from streams.fences import Fences
    from streams.settings import Settings
    from streams.transport import Batch

SESSION_S = 6  # a killed worker's partitions are free after this long; the broker's least
BATCHES_AHEAD = 2  # of one partition, waiting while others are applied

log = structlog.get_logger()


class Takes(Protocol):
    """What takes the rejects (`streams.dead_letters.DeadLetters` does)."""

    async def send(self, tp: TP, rejects: Sequence[Reject]) -> None:
        """Deliver `rejects` of partition `tp`."""


@dataclass(slots=True)
class Tally:
    """What a worker has done since it started."""

    events: int = 0
    rejects: int = 0
    work: int = 0  # signals, mostly
    busy_s: float = 0.0  # decoding, waiting for shards


@dataclass(frozen=True, slots=True)
class Carrier:
    """Carries one batch after the other from the log into the shards."""

    settings: Settings
    shards: Shards
    fences: Fences
    dead_letters: Takes
    tally: Tally

    async def carry(self, tp: TP, batch: Batch) -> None:
        """Apply `batch` to all shards; it is in them, whole, when this returns."""
        began = time.monotonic()
        span = self.fences.span(tp, batch)
        decoded = decode(span.topic, batch.records)
        if decoded.rejects:
            await self.dead_letters.send(tp, decoded.rejects)
        laid = rows(span.topic, decoded.events, decoded.offsets, self.settings.policy)
        self.tally.work += await self.shards.apply(laid, span, decoded.at)
        self.fences.acknowledge(tp, span.next)
        self.tally.events += len(decoded.events)
        self.tally.rejects += len(decoded.rejects)
        self.tally.busy_s += time.monotonic() - began


class Lanes:
    """One lane a partition, in which batches follow each other; a failure crashes the worker."""

    def __init__(self, app: faust.App, carrier: Carrier) -> None:
        self._app = app
        self._carrier = carrier
        self._lanes: dict[TP, asyncio.Queue[Any]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    async def put(self, event: Any) -> None:
        """Queue the batch of `event`; waits while its lane is full."""
        tp = event.message.tp
        if tp not in self._lanes:
            self._lanes[tp] = asyncio.Queue(BATCHES_AHEAD)
            self._tasks.append(
                asyncio.create_task(self._run(tp), name=f"{tp.topic}:{tp.partition}")
            )
        await self._lanes[tp].put(event)

    async def close(self, patience_s: float) -> None:
        """Finish the batches in hand, take up no other."""
        self._closing = True
        for lane in self._lanes.values():
            if lane.empty():
                lane.put_nowait(None)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience_s)

    async def _run(self, tp: TP) -> None:
        lane = self._lanes[tp]
        while not self._closing and (event := await lane.get()) is not None:
            events = [event, *_waiting(lane)]
            try:
                for batch in joined([event.value for event in events]):
                    await self._carrier.carry(tp, batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must stop the worker
                await self._app.crash(error)
                return
            for event in events:
                event.ack()


def _waiting(lane: asyncio.Queue[Any]) -> Iterator[Any]:
    """Take what waits in a lane: one call for many small batches, or they would never catch up."""
    while not lane.empty() and (event := lane.get_nowait()) is not None:
        yield event


class App(faust.App):
    """A Faust application that keeps nothing on disk: no tables, so no directories for them."""

    def _create_directories(self) -> None:
        pass


def create_app(settings: Settings, carrier: Carrier) -> tuple[faust.App, Lanes]:
    """Make the Faust application of one worker, with an agent for every topic."""
    app = App(
        settings.group,
        broker=[f"kafka://{server}" for server in settings.kafka.split(",")],
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
    )
    app.transport = BatchTransport(
        app.conf.broker_consumer, app, positions=carrier.fences.positions
    )
    lanes = Lanes(app, carrier)

    async def carry(stream: Any) -> None:
        async for event in stream.noack().events():
            await lanes.put(event)

    for topic in TOPICS:
        channel = app.topic(settings.topic(topic), schema=BatchSchema())
        app.agent(channel, name=topic, supervisor_strategy=CrashingSupervisor)(carry)
    return app, lanes
