"""Whether the feeds in the store are those that the log asks for.

    log ──> history ──> view, folded to the fences of a snapshot ──┐
                                                                   ├──> differences
    store ──> snapshot: feeds of some users, fences, stream time ──┘

A snapshot is one moment of one shard, so the comparison is exact while events flow. A view only
grows, fences nearly always do; where one went back (a flushed store) the fold begins anew.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from models.comparison import differences
from models.errors import StoreError
from models.routing import shard_of
from models.view import View
from streams import history

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from models.comparison import Difference
    from streams.history import History, Progress
    from streams.reader import Snapshot
    from streams.settings import Settings

    Take: TypeAlias = Callable[[int, Sequence[str]], Awaitable[Snapshot]]  # shard, users

USERS_AT_ONCE = 100  # in one snapshot: about ten milliseconds of the store
SHOWN = 10  # differences kept to be shown
BUSY_S = 30.0  # how long a job may stay open
BUSY_POLL_S = 0.1


@dataclass(slots=True)
class Verdict:
    """What an audit found; `differences` holds the first few."""

    users: int = 0
    equal: int = 0
    differing: int = 0
    events: int = 0
    rejected: int = 0
    seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)

    def add(self, found: Sequence[Difference]) -> None:
        """Count one more user, with the differences found in the feed."""
        self.users += 1
        self.equal += not found
        self.differing += bool(found)
        self.differences.extend(found[: SHOWN - len(self.differences)])


def render(verdict: Verdict) -> str:
    """Say it for a person: one line, and one for each difference shown.

    >>> render(Verdict(users=1_000, equal=1_000, events=157_251, seconds=9.87))
    'audit: 1,000 users, 1,000 equal, 0 differing (157,251 events, 0 rejected, 9.9 s)'
    """
    summary = (
        f"audit: {verdict.users:,} users, {verdict.equal:,} equal, {verdict.differing:,} differing "
        f"({verdict.events:,} events, {verdict.rejected:,} rejected, {verdict.seconds:.1f} s)"
    )
    return "\n  ".join([summary, *map(str, verdict.differences)])


async def audit(
    settings: Settings,
    take: Take,
    *,
    users: int | None,
    seed: int,
    progress: Progress = history.unheard,
) -> Verdict:
    """Compare the feeds of all users, or of `users` of them chosen by `seed`, with the log.

    `take` gives a snapshot of some users of one shard. Raises BrokerError or StoreError where log
    or store cannot be read, or do not belong together.
    """
    began = perf_counter()
    verdict = Verdict()
    async with history.opened(settings) as log:
        await log.read_to_end(progress)
        chosen = _choose(log.accounts(), users, seed)
        shards = _by_shard(chosen, settings.shards)
        for shard, members in shards.items():
            fold = _Fold(log, settings)
            for first in range(0, len(members), USERS_AT_ONCE):
                chunk = members[first : first + USERS_AT_ONCE]
                snapshot = await _settled(take, shard, chunk)
                await fold.reach(shard, snapshot)
                for user in chunk:
                    verdict.add(fold.differences(user, snapshot))
                progress("comparing", verdict.users, len(chosen))
    verdict.events, verdict.rejected = log.valid, log.rejected
    verdict.seconds = perf_counter() - began
    return verdict


def _choose(accounts: set[str], users: int | None, seed: int) -> list[str]:
    everyone = sorted(accounts)
    if users is None or users >= len(everyone):
        return everyone
    return random.Random(seed).sample(everyone, users)


def _by_shard(users: Sequence[str], shards: int) -> dict[int, list[str]]:
    members: defaultdict[int, list[str]] = defaultdict(list)
    for user in users:
        members[shard_of(user, shards)].append(user)
    return dict(members)


async def _settled(take: Take, shard: int, users: Sequence[str]) -> Snapshot:
    """Take a snapshot with no job open."""
    try:
        async with asyncio.timeout(BUSY_S):
            while (snapshot := await take(shard, users)).busy:  # noqa: ASYNC110 - a worker ends it
                await asyncio.sleep(BUSY_POLL_S)
            return snapshot
    except TimeoutError as error:
        raise StoreError(
            f"shard {shard} has had a job open for {BUSY_S:.0f} s: start a worker, it goes on "
            "with the job, then audit again"
        ) from error


class _Fold:
    """The view of one shard: the log up to the shard's fences."""

    def __init__(self, log: History, settings: Settings) -> None:
        self._log = log
        self._settings = settings
        self._view = self._begin()
        self._done = dict.fromkeys(log.partitions, 0)  # events applied of each partition

    def _begin(self) -> View:
        return View(self._settings.policy, self._settings.fan_out_limit)

    async def reach(self, shard: int, snapshot: Snapshot) -> None:
        """Apply the events before the fences of `snapshot`, all of them and no other."""
        await self._log.read_to(snapshot.fences)
        goal = {
            name: part.count_before(snapshot.fences.get(name, part.begin))
            for name, part in self._log.partitions.items()
        }
        if any(goal[name] < done for name, done in self._done.items()):
            self._view = self._begin()
            self._done = dict.fromkeys(goal, 0)
        for name, part in self._log.partitions.items():
            for event in part.events[self._done[name] : goal[name]]:
                self._view.apply(event)
        self._done = goal
        await self._follow_time(shard, snapshot.stream_time)

    async def _follow_time(self, shard: int, stream_time: int) -> None:
        """Take over the shard's stream time, which a batch only partly applied has moved, too."""
        if stream_time < self._view.stream_time:
            raise _wrong_time(
                shard, stream_time, "earlier than what it has applied", self._view.stream_time
            )
        if stream_time > self._log.latest and self._log.is_whole:
            await self._log.read_to_end()
            if stream_time > self._log.latest:
                raise _wrong_time(shard, stream_time, "later than all of the log", self._log.latest)
        self._view.stream_time = stream_time

    def differences(self, user: str, snapshot: Snapshot) -> list[Difference]:
        """Compare one feed of the snapshot last reached."""
        return differences(
            self._view,
            user,
            dict(snapshot.feeds.get(user, ())),
            floor=snapshot.floors.get(user),
            whole_log=self._log.is_whole,
        )


def _wrong_time(shard: int, stream_time: int, relation: str, at: int) -> StoreError:
    return StoreError(
        f"shard {shard} has stream time {stream_time}, {relation} ({at}): what it forgot is "
        "unknown; flush the store and let the worker refill it"
    )
