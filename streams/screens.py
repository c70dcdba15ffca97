"""Screens: the live feeds of all who have a stream open here, read again when they changed.

    notices ──> who is due ──> one reading of them all ──> the streams of each user

Readings follow each other at CYCLE_S, so a user's feed is read once for whatever happened to it in
between, and always once more after the last thing that did. A stream takes the newest feed when it
has sent the one before, so a slow one skips feeds, and none waits for another. For a stream that
has not taken what it was shown nothing is read until it does. What no notice named is read after
what one did, a few in every cycle, so that all are read once in RENEW_S.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from itertools import chain, islice
from math import ceil
from typing import TYPE_CHECKING, Self

import structlog
from redis.exceptions import RedisError

from streams import api_metrics, notices, reader
from streams.clock import now_ms
from streams.live_feeds import LiveFeeds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from streams.live_feeds import LiveFeed
    from streams.settings import Settings
    from streams.store import Store

CYCLE_S = 0.05
AT_ONCE = 8  # feeds asked for in one piece: the store does nothing else for some 5 ms
AGAIN_S = 1.0

log = structlog.get_logger()


class Watch:
    """What one stream shows of a live feed; closed by whoever opened it."""

    def __init__(self, screens: Screens, user: str, limit: int) -> None:
        self.user = user
        self.limit = limit
        self._screens = screens
        self._feed: LiveFeed | None = None
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        """Watch."""
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no longer."""
        self._screens.close(self)

    async def next(self) -> LiveFeed | None:
        """Wait for the next reading of the feed, and give the newest; None when no more come."""
        await self._news.wait()
        if not self._screens.stopped:
            self._news.clear()
            self._screens.taken(self)
            return self._feed
        return None

    @property
    def is_behind(self) -> bool:
        """Tell whether what was shown last is still to be taken."""
        return self._news.is_set()

    def shows(self, items: Iterable[str]) -> bool:
        """Tell whether any of `items` is shown."""
        return self._feed is not None and not self._feed.items.isdisjoint(items)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was found to show so far."""
        return self._feed is None or not self._feed.entries

    def show(self, feed: LiveFeed) -> None:
        """Take a reading."""
        self._feed = feed.top(self.limit)
        self._news.set()

    def wake(self) -> None:
        """Let whoever waits see that the screens have stopped."""
        self._news.set()


def _lack(watches: Iterable[Watch]) -> bool:
    """Tell whether one of them has nothing to show: nobody keeps the feed, perhaps."""
    return any(watch.is_empty for watch in watches)


class Screens:
    """A context in which live feeds can be watched."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._shards = settings.shards
        self._feeds = LiveFeeds(store, settings.shards)
        self._watches: defaultdict[str, set[Watch]] = defaultdict(set)
        self._due: dict[str, None] = {}  # named by a notice, in their order
        self._stale: dict[str, None] = {}  # to be read again when there is time
        self._later: set[Watch] = set()  # to be shown another reading when that before is taken
        self._wanted = asyncio.Event()
        self._missed = asyncio.Event()  # notices, for want of a connection
        self._tasks: list[asyncio.Task[None]] = []
        self.stopped = False
        self.dropped = 0  # streams whose readers were too slow

    async def __aenter__(self) -> Self:
        """Listen to notices, renew leases, read."""
        work = (self._listen(), self._renew(), self._read_on())
        self._tasks = [asyncio.create_task(one) for one in work]
        for task in self._tasks:
            task.add_done_callback(lambda _: self.stop())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """End all streams; raise what ended them early."""
        self.stop()
        while pending := [task for task in self._tasks if not task.done()]:
            for task in pending:
                task.cancel()
            # Python 3.11 may lose one: https://github.com/python/cpython/issues/86296
            await asyncio.wait(pending, timeout=AGAIN_S)
        failed = (task.exception() for task in self._tasks if not task.cancelled())
        if error is None and (failure := next(filter(None, failed), None)):
            raise failure

    def __len__(self) -> int:
        """Count the streams."""
        return sum(len(watches) for watches in self._watches.values())

    def of(self, user: str) -> int:
        """Count the streams of one user."""
        return len(self._watches.get(user, ()))

    def stop(self) -> None:
        """Let every stream end."""
        self.stopped = True
        for watch in chain.from_iterable(self._watches.values()):
            watch.wake()

    async def open(self, user: str, limit: int) -> Watch:
        """Watch the top of a user's live feed; raise RedisError while the store is away."""
        watch = Watch(self, user, limit)
        self._watches[user].add(watch)
        try:
            await notices.lease(self._store, self._shards, [user], now_ms())
        except BaseException:
            self.close(watch)
            raise
        self._due[user] = None
        self._wanted.set()
        return watch

    def taken(self, watch: Watch) -> None:
        """Read a feed again that changed while a reading of it was still to be taken."""
        if watch in self._later:
            self._later.remove(watch)
            self._due[watch.user] = None
            self._wanted.set()

    def close(self, watch: Watch) -> None:
        """Watch no longer; the lease runs out by itself, since other processes may need it."""
        self._later.discard(watch)
        self._watches[watch.user].discard(watch)
        if not self._watches[watch.user]:
            del self._watches[watch.user]

    async def _listen(self) -> None:
        async for notice in notices.listen(self._store, self._shards):
            api_metrics.notices.inc()
            if notice.everything:
                self._missed.set()
            named = (user for user in notice.users if user in self._watches)
            self._due.update(dict.fromkeys(chain(named, self._showing(notice.items))))
            self._wanted.set()

    def _showing(self, items: tuple[str, ...]) -> list[str]:
        if not items:
            return []
        return [
            user
            for user, watches in self._watches.items()
            if any(watch.shows(items) for watch in watches)
        ]

    async def _renew(self) -> None:
        """Renew all leases; then read all feeds, since what leaves the horizon is in no notice."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(notices.RENEW_S):
                    await self._missed.wait()
            wanted = self._due if self._missed.is_set() else self._stale
            self._missed.clear()
            users = list(self._watches)
            try:
                await notices.lease(self._store, self._shards, users, now_ms())
            except (RedisError, OSError) as error:
                log.warning("leases not renewed", users=len(users), error=str(error))
                await asyncio.sleep(AGAIN_S)
                self._missed.set()
            wanted.update(dict.fromkeys(users))
            self._wanted.set()

    async def _read_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CYCLE_S if self._stale else None):
                    await self._wanted.wait()
            self._wanted.clear()
            due, stale = self._next()
            again_s = CYCLE_S if due else 0.0  # what is due next need not wait for what was stale
            try:
                for users in (due, stale):
                    while users:
                        await self._read(users[:AT_ONCE])
                        del users[:AT_ONCE]
            except (RedisError, OSError) as error:
                log.warning("feeds not read", users=len(due) + len(stale), error=str(error))
                self._due.update(dict.fromkeys([*due, *stale]))
                self._wanted.set()
                again_s = AGAIN_S
            await asyncio.sleep(again_s)

    def _next(self) -> tuple[list[str], list[str]]:
        """Take all who are due, and some of those who have been read a while ago."""
        some = islice(self._stale, ceil(len(self._watches) * CYCLE_S / notices.RENEW_S))
        due, stale = list(self._due), [user for user in some if user not in self._due]
        self._due.clear()
        for user in (*due, *stale):
            self._later |= self._watches.get(user, set()) - self._ready(user)
        return due, stale

    def _ready(self, user: str) -> set[Watch]:
        """Give those who have taken what they were shown."""
        return {watch for watch in self._watches.get(user, ()) if not watch.is_behind}

    async def _read(self, users: Iterable[str]) -> None:
        watched = {user: ready for user in users if (ready := self._ready(user))}
        limits = {user: max(one.limit for one in watches) for user, watches in watched.items()}
        sleepers = [
            user for user, watches in watched.items() if user in self._stale or _lack(watches)
        ]
        await reader.wake_all(self._store, self._shards, sleepers)
        for user in users:
            self._stale.pop(user, None)
        for user, feed in (await self._feeds.read(limits)).items():
            for watch in watched[user]:
                watch.show(feed)
