"""A private store to evaluate and simulate in, filled as a worker fills one.

It has no broker, keeps nothing, and ends with whoever opened it. Of the log there are only the
offsets: one partition a topic, one record an event.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from models.columns import rows
from streams import local, store
from streams.feeds import Shards, Span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from models.events import Event
    from streams.settings import Settings
    from streams.store import Store

OPTIONS = {"appendonly": "no"}
LOG = "sandbox"  # the log id in the fences


class Sandbox:
    """A prepared `store` under `settings`, and how far its log has come."""

    def __init__(self, feeds: Store, settings: Settings) -> None:
        self.store = feeds
        self.settings = settings
        self._shards = Shards(feeds, settings)
        self._ends: Counter[str] = Counter()  # topic -> next offset

    async def carry(self, events: Iterable[Event]) -> None:
        """Carry valid events into all shards, topic after topic; the order makes no difference."""
        by_topic: defaultdict[str, list[Event]] = defaultdict(list)
        for event in events:
            by_topic[event.topic].append(event)
        for topic, some in by_topic.items():
            await self._carry(topic, some)

    async def _carry(self, topic: str, events: Sequence[Event]) -> None:
        begin = self._ends[topic]
        self._ends[topic] = end = begin + len(events)
        laid = rows(topic, events, range(begin, end), self.settings.policy)
        span = Span(topic, 0, begin, end, LOG, from_start=begin == 0)
        await self._shards.apply(laid, span, max(event.at for event in events))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Sandbox]:
    """Start a store in place of that of `settings`; stop it at the end, whatever happens.

    Raises StackError where none can start.
    """
    with (
        TemporaryDirectory(prefix="likewave-") as folder,
        local.Store(Path(folder), options=OPTIONS) as server,
    ):
        private = settings.model_copy(update={"redis": server.url})
        async with store.opened(private) as feeds:
            await store.prepare(feeds, private)
            yield Sandbox(feeds, private)
