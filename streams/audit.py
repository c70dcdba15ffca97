"""Whether what the store holds is what the log asks for.

    log ──> history ──> view, folded to the fences of a snapshot ──┐
                                                                   ├──> differences
    store ──> snapshots: of some users, of some items and lists  ──┘

A snapshot is one moment of one shard, so the comparison is exact while events flow. A view only
grows, fences nearly always do; where one went back (a flushed store) the fold begins anew.

First users are compared: circle, feed, proofs, and all that a page of theirs is made of, and a page
made of it. Then the items met on the way: what counts for each, and the lists that they stand in.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from time import perf_counter
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from models.counting import counted
from models.difference import ASPECTS
from models.errors import StoreError
from models.examination import examine_shelf, examine_user
from models.routing import shard_of
from streams import history
from streams.fold import Fold

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

    from models.difference import Difference
    from models.holding import Holding, Shelf
    from streams.history import History, Progress
    from streams.settings import Settings
    from streams.snapshots import Moment

    Take: TypeAlias = Callable[[], Awaitable[tuple[Moment, "Held"]]]

USERS_AT_ONCE = 8  # in one snapshot: a few milliseconds of the store
ITEMS_AT_ONCE = 500  # as much
TOPICS_AT_ONCE = 20
ITEMS = 5_000  # compared in one shard, by chance where more were met
TOPICS = 200  # whose lists are compared
SHOWN = 10  # differences kept to be shown
BUSY_S = 30.0  # how long a job may stay open
BUSY_POLL_S = 0.1
SENT_S = 0.001  # in which a question goes out, for which the event loop has some turns to make

T = TypeVar("T")
Held = TypeVar("Held")


class Takes(Protocol):
    """What takes snapshots (`streams.snapshots.Snapshots` does)."""

    async def users(self, shard: int, users: Sequence[str]) -> tuple[Moment, dict[str, Holding]]:
        """Read what is held of users at home in `shard`."""

    async def shelf(
        self, shard: int, items: Sequence[str], topics: Sequence[str]
    ) -> tuple[Moment, Shelf]:
        """Read what is held of items, and what trends in all and in some topics."""


@dataclass(slots=True)
class Verdict:
    """What an audit found; `differences` holds the first few, `aspects` counts them all."""

    users: int = 0
    equal: int = 0
    differing: int = 0
    items: int = 0
    items_differing: int = 0
    events: int = 0
    rejected: int = 0
    seconds: float = 0.0
    aspects: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ASPECTS, 0))
    differences: list[Difference] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Tell whether nothing differs."""
        return not any(self.aspects.values())

    def add_user(self, found: Sequence[Difference]) -> None:
        """Count one more user, with the differences found."""
        self.users += 1
        self.equal += not found
        self.differing += bool(found)
        self._keep(found)

    def add_items(self, count: int, found: Sequence[Difference]) -> None:
        """Count more items, with the differences found about them or any that a list names."""
        self.items += count
        self.items_differing += len({one.who for one in found})
        self._keep(found)

    def _keep(self, found: Sequence[Difference]) -> None:
        for aspect, count in Counter(one.aspect for one in found).items():
            self.aspects[aspect] += count
        self.differences.extend(found[: SHOWN - len(self.differences)])


def render(verdict: Verdict) -> str:
    """Say it for a person: one line, and one for each difference shown.

    >>> render(Verdict(users=1_000, equal=1_000, items=4_213, events=157_251, seconds=9.87))
    'audit: 1,000 users, 1,000 equal, 0 differing; 4,213 items, 0 differing (157,251 events, \
0 rejected, 9.9 s)'
    """
    summary = (
        f"audit: {counted(verdict.users, 'user')}, {verdict.equal:,} equal, "
        f"{verdict.differing:,} differing"
        f"; {counted(verdict.items, 'item')}, {verdict.items_differing:,} differing "
        f"({counted(verdict.events, 'event')}, {verdict.rejected:,} rejected, "
        f"{verdict.seconds:.1f} s)"
    )
    left = sum(verdict.aspects.values()) - len(verdict.differences)
    more = [f"and {counted(left, 'difference')} more"] if left else []
    return "\n  ".join([summary, *map(str, verdict.differences), *more])


async def audit(
    settings: Settings,
    takes: Takes,
    *,
    users: int | Sequence[str] | None,
    seed: int,
    progress: Progress = history.unheard,
) -> Verdict:
    """Compare what is held of users, and of the items met: of all, of some by `seed`, or of these.

    Raises BrokerError or StoreError where log or store cannot be read, or do not belong together.
    """
    began = perf_counter()
    verdict = Verdict()
    async with history.opened(settings) as log:
        await log.read_to_end(progress)
        chance = random.Random(seed)
        chosen = _choose(log.accounts(), users, chance)
        for shard, members in enumerate(by_shard(chosen, settings.shards)):
            inspector = Inspector(shard, takes, log, settings)
            async for _, found in inspector.users(members):
                verdict.add_user(found)
                progress("comparing users", verdict.users, len(chosen))
            async for count, found in inspector.items(chance):
                verdict.add_items(count, found)
    verdict.events, verdict.rejected = log.valid, log.rejected
    verdict.seconds = perf_counter() - began
    return verdict


def _choose(
    among: Iterable[str], users: int | Sequence[str] | None, chance: random.Random
) -> Sequence[str]:
    if not isinstance(users, int | None):
        return users
    everyone = sorted(among)
    if users is None or users >= len(everyone):
        return everyone
    return chance.sample(everyone, users)


def by_shard(users: Sequence[str], shards: int) -> list[list[str]]:
    """Sort users into lists, one a shard."""
    members: defaultdict[int, list[str]] = defaultdict(list)
    for user in users:
        members[shard_of(user, shards)].append(user)
    return [members[shard] for shard in range(shards)]


def _batched(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[first : first + size] for first in range(0, len(names), size))


class Inspector:
    """Compares one shard with the log: its users first, then the items met with them."""

    def __init__(
        self,
        shard: int,
        takes: Takes,
        log: History,
        settings: Settings,
        fold: Fold | None = None,
    ) -> None:
        """Begin with a `fold` of the log, or with none of it."""
        self._shard = shard
        self._takes = takes
        self._log = log
        self._shards = settings.shards
        self._fold = fold or Fold(log, settings)
        self._met: set[str] = set()  # items at home
        self._compared: set[str] = set()

    async def users(
        self, members: Sequence[str], *, at_once: int = USERS_AT_ONCE
    ) -> AsyncIterator[tuple[str, list[Difference]]]:
        """Give each user with their differences, of `at_once` users as of one moment."""
        chunks = _batched(members, at_once)
        async for found in self._settled(
            partial(self._takes.users, self._shard, chunk) for chunk in chunks
        ):
            for user, held in found.items():
                self._meet(item for item, _ in held.feed)
                self._meet(one.item for one in held.candidates)
                view, is_whole = self._fold.view, self._log.is_whole
                yield user, examine_user(view, user, held, whole_log=is_whole)

    async def items(self, chance: random.Random) -> AsyncIterator[tuple[int, list[Difference]]]:
        """Give the differences of some items and lists at a time, with the number of items."""
        items = _choose(self._met, ITEMS, chance)
        topics = _choose(self._log.topics(), TOPICS, chance)
        chunks = zip_longest(
            _batched(items, ITEMS_AT_ONCE), _batched(topics, TOPICS_AT_ONCE), fillvalue=()
        )
        async for shelf in self._settled(
            partial(self._takes.shelf, self._shard, chunk, subjects) for chunk, subjects in chunks
        ):
            yield self._examine(shelf)

    def _examine(self, shelf: Shelf) -> tuple[int, list[Difference]]:
        view, is_whole = self._fold.view, self._log.is_whole
        items = sorted(filter(self._is_at_home, shelf.items.keys() - self._compared))
        self._compared.update(items)
        posted = list(filter(self._is_at_home, view.posted()))
        return len(items), examine_shelf(view, shelf, items, posted, whole_log=is_whole)

    def _meet(self, items: Iterable[str]) -> None:
        self._met.update(filter(self._is_at_home, items))

    def _is_at_home(self, item: str) -> bool:
        return shard_of(item, self._shards) == self._shard

    async def _settled(self, takes: Iterable[Take[Held]]) -> AsyncIterator[Held]:
        """Take snapshots with no job open, one while another is compared; fold the log to each."""
        async for moment, held in ahead(partial(self._idle, take) for take in takes):
            await self._fold.reach(self._shard, moment)
            yield held

    async def _idle(self, take: Take[Held]) -> tuple[Moment, Held]:
        try:
            async with asyncio.timeout(BUSY_S):
                while (taken := await take())[0].busy:  # noqa: ASYNC110 - a worker ends it
                    await asyncio.sleep(BUSY_POLL_S)
        except TimeoutError as error:
            raise StoreError(
                f"shard {self._shard} has had a job open for {BUSY_S:.0f} s: start a worker, it "
                "goes on with the job, then audit again"
            ) from error
        return taken


async def ahead(asks: Iterable[Callable[[], Awaitable[T]]]) -> AsyncIterator[T]:
    """Give the answers in turn; while one is made use of the next is asked for, and no other."""
    asked: asyncio.Future[T] | None = None
    try:
        for ask in asks:
            answers = [await asked] if asked else []
            asked = asyncio.ensure_future(ask())
            await asyncio.sleep(SENT_S)
            for answer in answers:
                yield answer
        if asked:
            yield await asked
    finally:
        if asked:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
