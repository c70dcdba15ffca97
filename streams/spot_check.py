"""An exact audit of a few users, with no more of the log in memory than they need.

    friendships ──> who is chosen ──> who ever reached them ──┐
                                                              ├──> what of the log is kept
    log ──> judged, and mostly let go  ───────────────────────┘

Kept are the acts of those who ever reached a chosen user, the edges of these and of the user, what
the user viewed and hid, and all posts, takedowns and erasures. The log is followed from then on, so
that every further check costs what came since. Somebody whose circle is joined by an account whose
acts were let go can be judged no more, and is left out until others are chosen.

Compared is all that an audit compares of users; of items nothing is counted.
"""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from models import events
from streams import history
from streams.audit import Inspector, Verdict, by_shard
from streams.fold import Fold

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator

    from models.events import Event
    from streams.audit import Takes
    from streams.history import History
    from streams.settings import Settings

EDGES = ("friendships",)


class Choice:
    """Chooses `count` of all accounts that events name, by `seed`, whatever their order."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = str(seed).encode()
        self._ranks: dict[str, bytes] = {}

    @property
    def users(self) -> list[str]:
        """Give those chosen by now."""
        return sorted(self._ranks)

    def hear(self, event: Event) -> bool:
        """Consider the accounts of an event, which need not be kept."""
        for account in event.accounts:
            rank = hashlib.blake2b(account.encode(), digest_size=8, key=self._seed).digest()
            self._ranks[account] = rank
            if len(self._ranks) > self._count:
                del self._ranks[max(self._ranks, key=self._ranks.__getitem__)]
        return False


class Sample:
    """Tells which events concern some users, once it has heard all their friendships."""

    def __init__(self, users: Collection[str]) -> None:
        self.users = set(users)
        self._near = set(users)  # and who ever reached them
        self._is_closed = False

    def hear(self, event: Event) -> bool:
        """Note who reaches a user; the event need not be kept."""
        for user, other in _reached(event):
            if user in self.users:
                self._near.add(other)
        return False

    def keep(self, event: Event) -> bool:
        """Tell whether an event is needed; leave out whom somebody new reaches."""
        match event:
            case events.Post() | events.Takedown() | events.Erase():
                return True
            case events.Like() | events.Unlike() | events.Share() | events.Unshare():
                return event.user in self._near
        for user, other in _reached(event):
            if user in self.users and other not in self._near:
                self.users.discard(user)
        return not self._near.isdisjoint(event.accounts)


def _reached(event: Event) -> Iterator[tuple[str, str]]:
    """Give whom an edge lets reach whom: user, and the other whose acts may reach them."""
    match event:
        case events.Befriend():
            yield event.user, event.friend
            yield event.friend, event.user
        case events.Follow():
            yield event.user, event.friend


class SpotCheck:
    """Checks the same users again and again."""

    def __init__(self, sample: Sample, log: History, settings: Settings) -> None:
        self._sample = sample
        self._log = log
        self._settings = settings
        self._folds = [Fold(log, settings) for _ in range(settings.shards)]

    async def read(self) -> None:
        """Read what is in the log now; a check reads what it lacks."""
        await self._log.read_to_end()

    async def fold(self, takes: Takes) -> None:
        """Fold what the store has by now; a check folds what it lacks."""
        for shard, fold in enumerate(self._folds):
            moment, _ = await takes.users(shard, ())
            await fold.reach(shard, moment)

    async def check(self, takes: Takes) -> Verdict:
        """Compare what is held of the users now; raise as an audit does."""
        began, verdict = perf_counter(), Verdict()
        users = by_shard(sorted(self._sample.users), self._settings.shards)
        for shard, (members, fold) in enumerate(zip(users, self._folds, strict=True)):
            inspector = Inspector(shard, takes, self._log, self._settings, fold)
            async for user, found in inspector.users(members, at_once=1):
                if user in self._sample.users:
                    verdict.add_user(found)
        verdict.events, verdict.rejected = self._log.valid, self._log.rejected
        verdict.seconds = perf_counter() - began
        return verdict


@asynccontextmanager
async def opened(settings: Settings, *, users: int, seed: int) -> AsyncIterator[SpotCheck]:
    """Choose up to `users` with friendships, and open the log for what concerns them."""
    choice = Choice(users, seed)
    async with history.opened(settings, EDGES, choice.hear) as edges:
        await edges.read_to_end()
    sample = Sample(choice.users)
    async with history.opened(settings, EDGES, sample.hear) as edges:
        await edges.read_to_end()
    async with history.opened(settings, keep=sample.keep) as log:
        yield SpotCheck(sample, log, settings)
