"""Feeds events straight into the shards of a real store, as a worker would, without a broker."""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from models import events
from models.columns import rows
from models.decoding import decode
from models.examination import examine_shelf, examine_user
from models.routing import shard_of
from models.shedding import halvings_at
from models.view import View
from streams import reader, store
from streams.feeds import STEP, Shards, Span
from streams.snapshots import Snapshots
from tests.cases import accounts, view_of

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Iterable, Sequence

    from models.difference import Difference
    from models.holding import Holding
    from streams.settings import Settings
    from streams.snapshots import Moment


@dataclass(frozen=True)
class Record:
    """A record as a broker would hand it out."""

    offset: int
    timestamp: int
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Feeder:
    """A log of `partitions` per topic, and the shards it has been carried into."""

    def __init__(
        self, feeds: store.Store, settings: Settings, *, step: int = STEP, read: bool = True
    ) -> None:
        self.store = feeds
        self._read = read
        self.settings = settings
        self.shards = Shards(feeds, settings, step=step)
        self.snapshots = Snapshots(feeds, settings)
        self.log: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        self.history: list[events.Event] = []

    async def prepare(self) -> None:
        """Make an empty store ready, as a worker does when it starts."""
        await store.prepare(self.store, self.settings)

    async def feed(self, history: Iterable[events.Event], chance: random.Random) -> None:
        """Append events to the log and carry them over in batches of any size, topics mixed."""
        begins = {source: len(log) for source, log in self.log.items()}
        self.append(history)
        pending = {source: begins.get(source, 0) for source in self.log}
        while pending := {one: at for one, at in pending.items() if at < len(self.log[one])}:
            source = chance.choice(sorted(pending))
            following = min(pending[source] + chance.randint(1, 40), len(self.log[source]))
            await self.carry(source, pending[source], following)
            pending[source] = following
            await self._read_sometimes(chance)

    async def _read_sometimes(self, chance: random.Random) -> None:
        """Let somebody come to read, after a third of all batches."""
        if self._read and chance.random() < 1 / 3:
            user = chance.choice(sorted(accounts(self.history)))
            await reader.wake(self.store, self.settings.shards, user)

    def append(self, history: Iterable[events.Event]) -> None:
        """Put events on the log, without carrying them over."""
        for event in history:
            self.history.append(event)
            log = self.log[event.topic, _hash(event.key) % self.settings.partitions]
            log.append(Record(len(log), event.at, events.encode(event)))

    async def carry(
        self, source: tuple[str, int], begin: int, following: int, halvings: int = 0
    ) -> None:
        """Carry one stretch of the log into all shards, and of views count one in 2^halvings."""
        topic, partition = source
        span = Span(topic, partition, begin, following, "log", from_start=begin == 0)
        span = replace(span, halvings=halvings)
        decoded = decode(topic, self.log[source][begin:following])
        laid = rows(topic, decoded.events, decoded.offsets, self.settings.policy)
        await self.shards.apply(laid, span, decoded.at)

    async def held(self, user: str) -> Holding:
        """Read back all that is held of a user."""
        return (await self._held(user))[1]

    async def _held(self, user: str) -> tuple[Moment, Holding]:
        moment, held = await self.snapshots.users(shard_of(user, self.settings.shards), [user])
        return moment, held[user]

    async def differing(
        self, history: Sequence[events.Event] | None = None, *, of: Sequence[str] | None = None
    ) -> list[Difference]:
        """Hold feeds, and all that the page of a user is made of, against the definition."""
        settings, lived = self.settings, self.history if history is None else history
        view = view_of(lived, settings.policy, settings.fan_out_limit)
        found: list[Difference] = []
        for user in of or sorted(accounts(self.history)):
            moment, held = await self._held(user)
            assert not moment.busy
            view.stream_time = moment.stream_time
            assert held.feed == sorted(held.feed, key=lambda one: (one[1], one[0]), reverse=True)
            found += examine_user(view, user, held)
        return found

    async def miscounted(self) -> list[Difference]:
        """Hold what counts for every item, and all lists of what trends, against the definition."""
        items = {event.item for event in self.history if isinstance(event, events.OnItem)}
        posts = [event for event in self.history if isinstance(event, events.Post)]
        topics = sorted({topic for post in posts for topic in post.topics or ()})
        found: list[Difference] = []
        for shard in range(self.settings.shards):
            home = {item for item in items if shard_of(item, self.settings.shards) == shard}
            moment, shelf = await self.snapshots.shelf(shard, sorted(home), topics)
            view = self._counted(moment)
            posted = home & {post.item for post in posts}
            found += examine_shelf(view, shelf, sorted(home), sorted(posted))
        return found

    def _counted(self, moment: Moment) -> View:
        """Apply the log, and of its views what the shard that was at `moment` has counted."""
        view = View(self.settings.policy)
        for source, log in self.log.items():
            shed = moment.shed.get(source, ())
            for one in log:
                view.apply(events.decode(one.value or b""), halvings_at(shed, one.offset))
        view.stream_time = moment.stream_time
        return view


def _hash(key: str) -> int:
    """Spread keys over partitions, the same in every run."""
    return sum(key.encode())


@asynccontextmanager
async def feeding(
    settings: Settings, *, step: int = STEP, read: bool = True
) -> AsyncIterator[Feeder]:
    """Prepare the store of `settings` and feed it; unless `read`, nobody reads meanwhile."""
    async with store.opened(settings) as feeds:
        feeder = Feeder(feeds, settings, step=step, read=read)
        await feeder.prepare()
        yield feeder
