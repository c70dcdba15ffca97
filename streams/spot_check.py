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
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from models import events
from streams import history
from streams.audit import Inspector, Verdict, by_shard
from streams.fold import Fold
from streams.history import unheard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator

    from models.events import Event
    from streams.audit import Takes
    from streams.history import History, Keep, Progress
    from streams.settings import Settings

EDGES = ("friendships",)
RANK_SIZE = 8  # bytes


class Choice:
    """Chooses `count` of all accounts that events name, by `seed`, whatever their order."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = str(seed).encode()
        self._ranks: dict[str, bytes] = {}
        self._bound = b"\xff" * RANK_SIZE  # below which the next is chosen

    @property
    def users(self) -> list[str]:
        """Give those chosen by now."""
        return sorted(self._ranks)

    def hear(self, event: Event) -> bool:
        """Consider the accounts of an event, which need not be kept."""
        for account in event.accounts:
            rank = hashlib.blake2b(account.encode(), digest_size=RANK_SIZE, key=self._seed).digest()
            if rank < self._bound:
                self._ranks[account] = rank
                if len(self._ranks) > self._count:
                    del self._ranks[max(self._ranks, key=self._ranks.__getitem__)]
                    self._bound = max(self._ranks.values(), default=b"")
        return False


class Sample:
    """Tells which events concern some users, once it has heard all their friendships."""

    def __init__(self, users: Collection[str]) -> None:
        self.users = set(users)
        self._near = set(users)  # and who ever reached them

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
    """Checks the same users again and again, once they are chosen."""

    def __init__(self, settings: Settings, choice: Choice, opened: AsyncExitStack) -> None:
        self._settings = settings
        self._choice = choice
        self._opened = opened
        self._sample: Sample
        self._log: History
        self._folds: list[Fold]

    async def read(self, progress: Progress = unheard) -> None:
        """Choose users, and read what is in the log now; a check reads what it lacks."""
        await self._hear_edges(self._choice.hear, progress)
        self._sample = Sample(self._choice.users)
        await self._hear_edges(self._sample.hear, progress)
        needed = history.opened(self._settings, keep=self._sample.keep)
        self._log = await self._opened.enter_async_context(needed)
        self._folds = [Fold(self._log, self._settings) for _ in range(self._settings.shards)]
        await self._log.read_to_end(progress)

    async def _hear_edges(self, hear: Keep, progress: Progress) -> None:
        async with history.opened(self._settings, EDGES, hear) as edges:
            await edges.read_to_end(progress)

    async def fold(self, takes: Takes) -> None:
        """Fold what the store has by now; a check folds what it lacks."""
        for shard, fold in enumerate(self._folds):
            moment, _ = await takes.users(shard, ())
            await fold.reach(shard, moment)

    async def check(self, takes: Takes, most: int | None = None) -> Verdict:
        """Compare what is held of the users now, or of `most` of them; raise as an audit does."""
        began, verdict = perf_counter(), Verdict()
        users = by_shard(sorted(self._sample.users)[:most], self._settings.shards)
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
    """Prepare to check up to `users` with friendships, chosen by `seed` when they are read."""
    async with AsyncExitStack() as stack:
        yield SpotCheck(settings, Choice(users, seed), stack)
