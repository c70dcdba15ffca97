"""The servers of a run: one broker, and stores that are filled once and copied for every round."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from benchmarks import workload
from models.columns import rows
from models.events import TOPICS
from streams import store as stores
from streams import topics
from streams.feeds import Shards, Span
from streams.local import LIBS, Broker, Store
from streams.producer import Producer
from streams.reader import wake
from streams.settings import resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from pathlib import Path

    from models.events import Event
    from models.policy import Policy
    from streams.producer import Record
    from streams.settings import Settings

    Encoding: TypeAlias = Callable[[Iterable[Event]], Iterable[Record]]

AT_ONCE = 2_000  # events of one batch, as many as a worker fetches
STEADY = {"auto-aof-rewrite-percentage": "0"}  # no rewriting of its log amid a measurement
LOG = "filled"  # the log id of what was put in without Kafka


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    rounds: int
    users: int
    ingested: int  # events preloaded for contenders that keep up
    ingested_slowly: int  # and of these for stock Faust
    fanned: int  # likes of a round
    fanned_slowly: int
    drained: int  # events of the whole job
    drained_likes: int  # where likes are alone
    slowly: int
    seconds: float  # of a stream whose latency is measured
    repeats: int  # of acts that are measured one by one
    kills: int
    fans: int  # of the one whom more follow than a call may count
    people: int  # of a simulation
    hours: int  # of simulated time


FULL = Sizes(
    rounds=3,
    users=4_000,
    ingested=1_000_000,
    ingested_slowly=25_000,
    fanned=15_000,
    fanned_slowly=3_000,
    drained=30_000,
    drained_likes=20_000,
    slowly=4_000,
    seconds=10,
    repeats=12,
    kills=2,
    fans=1_000_000,
    people=900,
    hours=24,
)
QUICK = Sizes(
    rounds=1,
    users=1_000,
    ingested=200_000,
    ingested_slowly=10_000,
    fanned=3_000,
    fanned_slowly=1_000,
    drained=8_000,
    drained_likes=8_000,
    slowly=1_500,
    seconds=3,
    repeats=4,
    kills=1,
    fans=100_000,
    people=300,
    hours=12,
)


@dataclass(slots=True)
class Lab:
    """Everything in one temporary folder; leaves nothing running."""

    folder: Path
    sizes: Sizes
    libs: Path = LIBS
    _servers: ExitStack = field(default_factory=ExitStack)
    _numbers: Any = field(default_factory=itertools.count)
    _broker: Broker | None = None
    _full: Path | None = None

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all servers."""
        self._servers.close()

    @property
    def broker(self) -> Broker:
        """The broker, started when it is first asked for."""
        if self._broker is None:
            self._broker = self._servers.enter_context(
                Broker(self.folder / "broker", libs=self.libs)
            )
        return self._broker

    async def full(self) -> Path:
        """Fill a store with a circle of users whose feeds are all full; give its folder."""
        if self._full is None:
            circle = workload.circle(self.sizes.users)
            events = [circle.friendships(), workload.filling(circle.users)]
            self._full = await self.fill("full", events)
        return self._full

    async def likes(self, prefix: str, encoded: Encoding = workload.records) -> Settings:
        """Preload likes alone, in topics of their own."""
        settings = await self.topics(prefix)
        users = workload.circle(self.sizes.users).users
        await preload(settings, encoded(islice(workload.likes(users), self.sizes.drained_likes)))
        return settings

    async def fill(self, name: str, events: Iterable[Sequence[Event]]) -> Path:
        """Put lists of events, each of one topic, into a store; give its folder, for `copy`."""
        folder = self.folder / name
        with Store(folder, options=STEADY) as store:
            settings = resolve(redis=store.url)
            async with stores.opened(settings) as client:
                await stores.prepare(client, settings)
                shards = Shards(client, settings)
                for number, listed in enumerate(events):
                    await put_in(shards, listed, settings.policy, f"{LOG}-{number}")
                    await let_read(client, {one for event in listed for one in event.accounts})
                await _compact(client)
        return folder

    def empty(self, name: str) -> Store:
        """Start a store without data; leave its context to stop it."""
        return Store(self.folder / name, options=STEADY)

    def copy(self, template: Path) -> Store:
        """Start a store with the data of `template`; leave its context to stop it."""
        folder = self.folder / f"{template.name}-{next(self._numbers)}"
        shutil.copytree(template, folder, ignore=shutil.ignore_patterns("port", "*.log"))
        return Store(folder, options=STEADY)

    @asynccontextmanager
    async def writer(self, store: Store) -> AsyncIterator[Shards]:
        """Open the shards of a store as a worker does."""
        settings = resolve(redis=store.url)
        async with stores.opened(settings) as client:
            await stores.prepare(client, settings)
            yield Shards(client, settings)

    async def topics(self, prefix: str) -> Settings:
        """Make topics of their own; the store of these settings is still to be named."""
        settings = resolve(kafka=self.broker.address, topic_prefix=f"{prefix}.", group=prefix)
        await topics.ensure(settings)
        return settings


async def preload(settings: Settings, records: Iterable[Record]) -> None:
    """Publish `records`, and return when all are acknowledged."""
    async with Producer(settings) as producer:
        await producer.publish_raw(records)


async def put_in(shards: Shards, events: Iterable[Event], policy: Policy, topic: str) -> int:
    """Apply events of one topic without Kafka; give the work done (signals, mostly)."""
    work, begin = 0, 0
    remaining = iter(events)
    while batch := list(islice(remaining, AT_ONCE)):
        following = begin + len(batch)
        span = Span(topic, 0, begin, following, LOG, from_start=begin == 0)
        laid = rows(batch[0].topic, batch, range(begin, following), policy)
        work += await shards.apply(laid, span, max(event.at for event in batch))
        begin = following
    return work


def by_topic(events: Iterable[Event]) -> list[list[Event]]:
    """Sort events into lists, one a topic, each in the order given."""
    lists: dict[str, list[Event]] = {topic: [] for topic in TOPICS}
    for event in events:
        lists[event.topic].append(event)
    return [listed for listed in lists.values() if listed]


async def let_read(client: stores.Store, users: Iterable[str]) -> None:
    """Let users read, so that their feeds are kept up to date."""
    for user in users:
        await wake(client, 1, user)


async def _compact(client: stores.Store) -> None:
    await client.bgrewriteaof()
    while (await client.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110 - a server says no more
        await asyncio.sleep(0.1)
