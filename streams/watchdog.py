"""The watchdog: ends a worker whose shards fell behind what they held, or no longer move."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from models.counting import counted
from models.errors import BrokerError, StuckError
from models.events import TOPICS
from streams import reader, worker_metrics
from streams.agents import SESSION_S
from streams.kafka import connected
from streams.metadata import describe
from streams.store import check_policy
from streams.transport import LONGEST_BATCH

if TYPE_CHECKING:
    from collections.abc import Mapping

    import faust
    from aiokafka.client import AIOKafkaClient
    from faust.types.tuples import TP

    from streams.agents import Carrier
    from streams.store import Store

PERIOD_S = 1.0
STUCK_S = max(15.0, 2 * SESSION_S)
REPORT_S = 10.0
LATE_S = 5.0
MISSING = 2  # looks at which a topic may be missing: a broker that starts knows none

log = structlog.get_logger()


class Watchdog:
    """Looks once a second at the topics, the fences, the log's ends and the jobs of all shards.

    `lack` is what the worker waits for before it is ready, "" when it is.
    """

    def __init__(self, app: faust.App, carrier: Carrier, store: Store) -> None:
        self._app = app
        self._carrier = carrier
        self._store = store
        self.lack = "the worker is starting"
        self._moved: dict[TP, tuple[int, float]] = {}  # fence, and when it was last seen to move
        self._missing = 0  # looks in a row at which a topic was missing
        self._checked = 0.0  # when fences were last looked at

    async def run(self) -> None:
        """Watch until something is wrong; raises RewindError, BrokerError or StuckError then."""
        async with connected(self._carrier.settings) as client:
            await self._run(client)

    async def _run(self, client: AIOKafkaClient) -> None:
        reported, before, tally = time.monotonic(), 0, self._carrier.tally
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                await self._check_logs(client)
            except (KafkaError, OSError) as error:
                self._miss("Kafka is away", error)
                continue
            try:
                await self._look()
            except (RedisError, OSError) as error:
                self._miss("the store is away", error)
            now = time.monotonic()
            if now - reported >= REPORT_S and tally.events > before:
                rate = (tally.events - before) / (now - reported)
                log.info("progress", events=tally.events, rate=round(rate), rejects=tally.rejects)
                reported, before = now, tally.events

    async def _check_logs(self, client: AIOKafkaClient) -> None:
        settings = self._carrier.settings
        names = {settings.topic(topic): topic for topic in TOPICS}
        found = await describe(client, names)
        self._missing = self._missing + 1 if len(found) < len(names) else 0
        if self._missing > MISSING:
            gone = ", ".join(sorted(names.keys() - found.keys()))
            raise BrokerError(f"there is no topic {gone} any more: the worker starts again")
        self._carrier.fences.check_logs({names[name]: one.log for name, one in found.items()})

    def _miss(self, lack: str, error: Exception) -> None:
        if self.lack != lack:
            log.warning(lack, error=repr(error))
        self.lack = lack

    async def _look(self) -> None:
        carrier = self._carrier
        await check_policy(self._store, carrier.settings)
        assigned = self._app.consumer.assignment()
        worker_metrics.partitions.set(len(assigned))
        fences = await carrier.fences.read(assigned)
        for shard in range(carrier.settings.shards):
            if await reader.is_busy(self._store, shard):
                await carrier.shards.drain(shard)
        if self._app.rebalancing or not self._app.rebalancing_count:
            self.lack = "partitions are being assigned"
            return
        if carrier.shards.waits:
            self.lack = "the store takes no writes"
            self._moved.clear()
            return
        ends = await self._ends(assigned) if assigned else {}
        self.lack = _lack(fences, ends)
        free = {tp: fence for tp, fence in fences.items() if tp not in carrier.tally.held}
        if fences.keys() <= ends.keys():
            await carrier.shedding.follow({tp: ends[tp] - fence for tp, fence in free.items()})
        self._check_motion(free, ends)

    async def _ends(self, assigned: set[TP]) -> dict[TP, int]:
        try:
            return dict(await self._app.consumer.highwaters(*assigned))
        except Exception as error:  # noqa: BLE001 - away or rebalancing: aiokafka raises what it likes
            log.warning("broker away", error=repr(error))
            return {}

    def _check_motion(self, fences: dict[TP, int], ends: dict[TP, int]) -> None:
        now = time.monotonic()
        if now - self._checked > LATE_S:
            self._moved.clear()  # the process was frozen, or who was asked, not the partitions
        self._checked = now
        for tp, fence in fences.items():
            last, since = self._moved.get(tp, (-1, now))
            if fence != last or fence >= ends.get(tp, 0):
                self._moved[tp] = (fence, now)
            elif now - since > STUCK_S:
                waits = counted(ends[tp] - fence, "event waits", "events wait")
                raise StuckError(
                    f"{tp.topic}:{tp.partition}: {waits} at offset {fence} "
                    f"and none was applied for {STUCK_S:.0f} s; the worker starts again"
                )
        for gone in set(self._moved) - set(fences):
            del self._moved[gone]


def _lack(fences: Mapping[TP, int], ends: Mapping[TP, int]) -> str:
    """Say what is missing until at most one batch waits in each partition."""
    if not fences.keys() <= ends.keys():
        return "Kafka is away"
    waiting = [ends[tp] - fence for tp, fence in fences.items()]
    if max(waiting, default=0) <= LONGEST_BATCH:
        return ""
    return f"catching up: {counted(sum(waiting), 'event waits', 'events wait')}"
