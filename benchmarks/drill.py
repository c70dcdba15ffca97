"""The faults of a drill: what is done to a deployment, what is said of it, and what mends it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka.admin import AdminClient

from benchmarks import watchers
from benchmarks.processes import Program
from benchmarks.skew import HOUR_S, RIGHT_S, faketime
from streams import store as stores
from streams import topics
from streams.producer import Producer, Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.plant import Plant
    from benchmarks.skew import Clock, SkewedBroker, SkewedStore

    Step = Callable[[], Awaitable[object]]

POISON = ("simulate", "--users", "50", "--rate", "400", "--poison", "1")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done, what mends it, and what lag, doctor and alerts should say ("" is nothing)."""

    name: str
    begin: Step
    mend: Step
    lag: str
    doctor: str
    alert: str


class Drill:
    """All that can be done to a deployment on this machine."""

    def __init__(self, works: Plant, broker: SkewedBroker, store: SkewedStore) -> None:
        self._works = works
        self._broker = broker
        self._admin = AdminClient({"bootstrap.servers": broker.address})
        self._store = store
        self._poisoner = Program("poison", works.settings, works.folder, *POISON)
        self._filler = store.data_dir.parent / "filler"

    @property
    def has_small_disk(self) -> bool:
        """Tell whether the store's disk can be filled without harm."""
        return os.path.ismount(self._filler.parent)

    def faults(self) -> list[Fault]:
        """Give them in an order in which each leaves a deployment that is whole."""
        nobody = "STOP", "workers", "LikewaveNoWorker"
        kill, restart = _done(self._store.kill), _done(self._store.start)
        poison, disk = (self._poison, self._mend_producer), (self._fill, self._make_room)
        full = "STALL", "persistence", "LikewaveStoreDisk"
        no_memory = "STALL", "memory", "LikewaveStoreFull"
        held = "STALL", "breakers", "LikewaveBreakerOpen"
        other_log = "ERR", "fences", "LikewaveLogMismatch"
        return [
            Fault("worker stopped", self._stop, self._start, *nobody),
            Fault("group deleted", self._ungroup, self._start, *nobody),
            Fault("worker frozen", self._freeze, self._thaw, "STALL", "workers", "LikewaveStall"),
            Fault("partition stalled", self._stall, _nothing, "STALL", "topics", "LikewaveStall"),
            Fault("store killed", kill, restart, "no Redis", "store", "LikewaveStoreDown"),
            Fault("store full", self._fill_memory, self._give_memory, *no_memory),
            Fault("all poison", *poison, *held),
            *([Fault("disk full", *disk, *full)] if self.has_small_disk else []),
            *(self._clocks() if faketime() is not None else []),
            Fault("topic made anew", self._recreate, self._refill, *other_log),
        ]

    def _clocks(self) -> list[Fault]:
        kafka, store = self._broker.clock, self._store.clock
        people = self._works.traffic.clock
        named = "", "broker clock", "LikewaveClock"
        return [
            Fault("Kafka 1 h behind", *_skew(kafka, -HOUR_S, self._release_and_send), *named),
            Fault("Kafka 1 h ahead", *_skew(kafka, HOUR_S, _nothing), *named),
            Fault(
                *("store 1 h ahead", *_skew(store, HOUR_S, _nothing)),
                *("", "store clock", "LikewaveClock"),
            ),
            Fault(
                *("producers 1 h ahead", *_skew(people, HOUR_S, self._set_producer_right)),
                *("", "", "LikewaveProducerClock"),
            ),
        ]

    async def _stop(self) -> None:
        await self._works.dismiss(self._works.workers[0])

    async def _start(self) -> None:
        self._works.run(self._works.workers[0])

    async def _ungroup(self) -> None:
        await self._stop()
        group = self._works.settings.group
        await asyncio.to_thread(self._admin.delete_consumer_groups([group])[group].result)

    async def _freeze(self) -> None:
        os.kill(self._works.workers[0].pid, signal.SIGSTOP)

    async def _thaw(self) -> None:
        """Let another take over, the frozen one come back to what it had in hand, and kill it."""
        frozen, other = self._works.workers[0], self._works.hire()
        await watchers.recovered(self._works, time.perf_counter())
        os.kill(frozen.pid, signal.SIGCONT)
        await watchers.recovered(self._works, time.perf_counter())
        os.kill(frozen.pid, signal.SIGKILL)
        await self._works.dismiss(other)

    async def _stall(self) -> None:
        """Take the dead letters away, and send what belongs there to one partition."""
        await self._delete(self._works.settings.topic("dead-letters"))
        async with Producer(self._works.settings) as producer:
            await producer.publish_raw([Record("likes", b"ann", b"no event")])

    async def _poison(self) -> None:
        """Let a producer take the place of the traffic that has nothing valid to say."""
        await self._works.dismiss(self._works.traffic)
        self._works.run(self._poisoner)

    async def _mend_producer(self) -> None:
        await self._start_traffic(self._poisoner)

    async def _set_producer_right(self) -> None:
        """Start the traffic again, whose time never goes back by itself."""
        await self._start_traffic(self._works.traffic)

    async def _start_traffic(self, instead_of: Program) -> None:
        await self._works.dismiss(instead_of)
        self._works.run(self._works.traffic)
        await self._release()

    async def _release(self) -> None:
        _, output, _ = await self._works.command("dlq", "ls", "--json")
        if held := [one["source"] for one in json.loads(output)["held"]]:
            await self._works.command("dlq", "release", *held)

    async def _release_and_send(self) -> None:
        await self._release()
        await watchers.recovered(self._works, time.perf_counter())
        await self._works.command("dlq", "redrive", "--reason", "future", "--yes")

    async def _fill_memory(self) -> None:
        """Leave the store no more memory than it uses."""
        async with stores.opened(self._works.settings) as feeds:
            used = (await feeds.info("memory"))["used_memory"]
            await feeds.config_set("maxmemory", used)

    async def _give_memory(self) -> None:
        async with stores.opened(self._works.settings) as feeds:
            await feeds.config_set("maxmemory", 0)

    async def _fill(self) -> None:
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(65_536)):
                    pass
            except OSError:
                return

    async def _make_room(self) -> None:
        self._filler.unlink()

    async def _recreate(self) -> None:
        await self._delete(self._works.settings.topic("likes"))
        await topics.ensure(self._works.settings)

    async def _refill(self) -> None:
        async with stores.opened(self._works.settings) as feeds:
            await feeds.flushdb()

    async def _delete(self, topic: str) -> None:
        await asyncio.to_thread(self._admin.delete_topics([topic])[topic].result)


def _skew(clock: Clock, ahead_s: int, then: Step) -> tuple[Step, Step]:
    """Give what puts a clock wrong, and what puts it right and mends what came of it."""

    async def right() -> None:
        clock.set(RIGHT_S)
        await then()

    return _done(lambda: clock.set(ahead_s)), right


def _done(deed: Callable[[], None]) -> Step:
    async def step() -> None:
        deed()  # in this thread: the children that it starts end with it

    return step


async def _nothing() -> None:
    """Do nothing: it mends itself."""
