"""The definition: the feeds that a list of events must end in.

    events  ->  registers (acts, direct shares, edges)  ->  circle  ->  proofs  ->  feed

Plain and slow on purpose: the functions in Redis are the fast, incremental form of what is written
here, and tests and audit hold one against the other. Nothing is ever taken out of a view, and a
register keeps the newest moments it was switched on and off, so the order of events, lateness and
repetition cannot matter. What has left the horizon counts no more, but may linger in a store until
its pair is next recomputed: `pairs` tells the one from the other.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from models import events
from models.decay import effective_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from models.policy import Policy

    Owner: TypeAlias = tuple[str, ...]  # whose registers: a kind, and one account or two


@dataclass(slots=True)
class Register:
    """A switch whose last writer wins: when last turned on and off (Unix ms, 0 = never)."""

    on: int = 0
    off: int = 0

    @property
    def at(self) -> int:
        """Give the moment of the last word."""
        return max(self.on, self.off)

    @property
    def is_on(self) -> bool:
        """Tell whether the last word is on; at equal moments off wins."""
        return self.on > self.off

    def write(self, event: events.Event) -> None:
        """Take in an event that switches this register, early or late, once or many times."""
        if event.off:
            self.off = max(self.off, event.at)
        else:
            self.on = max(self.on, event.at)


class Proof(NamedTuple):
    """One act that puts an item into a feed: what, who, when (Unix ms)."""

    kind: str
    actor: str
    at: int


class Entry(NamedTuple):
    """One item of a feed: its effective time (Unix ms) and the acts behind it."""

    item: str
    score: int
    proofs: list[Proof]


@dataclass(frozen=True, slots=True)
class Pair:
    """What speaks for one item in one feed: the proofs, and the acts that left the horizon."""

    proofs: list[Proof] = field(default_factory=list)
    expired: list[Proof] = field(default_factory=list)


class View:
    """All feeds after the events applied so far.

    >>> from models.policy import Policy
    >>> view = View(Policy())
    >>> view.apply(events.Like(user="bob", item="song", at=2_000))
    >>> view.apply(events.Befriend(user="ann", friend="bob", at=1_000))
    >>> view.feed("ann")
    [Entry(item='song', score=2000, proofs=[Proof(kind='like', actor='bob', at=2000)])]
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.stream_time = 0
        self._registers: defaultdict[Owner, defaultdict[str, Register]] = defaultdict(
            lambda: defaultdict(Register)
        )

    @property
    def horizon(self) -> int:
        """Give the moment (Unix ms) at or before which an act counts no more."""
        return self.stream_time - self.policy.horizon_ms

    def apply(self, event: events.Event) -> None:
        """Take in one valid event."""
        self.stream_time = max(self.stream_time, event.at)
        for owner, name in registers_of(event):
            self._registers[owner][name].write(event)

    def circle(self, user: str) -> set[str]:
        """Give the accounts whose acts reach `user`."""
        edges = [*self._of("friend", user).items(), *self._of("follow", user).items()]
        return {other for other, edge in edges if edge.is_on}

    def proofs(self, user: str, item: str) -> list[Proof]:
        """Give the acts that put `item` into the feed of `user`, by kind and actor."""
        return sorted(self.pairs(user).get(item, Pair()).proofs)

    def feed(self, user: str) -> list[Entry]:
        """Give the items of greatest score, best first; at equal scores the greater id first."""
        entries = [
            Entry(item, round(self.score(pair.proofs)), sorted(pair.proofs))
            for item, pair in self.pairs(user).items()
            if pair.proofs
        ]
        entries.sort(key=lambda entry: (entry.score, entry.item), reverse=True)
        return entries[: self.policy.feed_size]

    def score(self, proofs: Iterable[Proof]) -> float:
        """Merge at least one proof into an effective time (Unix ms)."""
        return effective_time(map(self.contribution, proofs), self.policy.half_life_ms)

    def contribution(self, proof: Proof) -> float:
        """Score a proof as if it stood alone (Unix ms)."""
        return proof.at + self.policy.half_life_ms * math.log2(self.policy.weights[proof.kind])

    def pairs(self, user: str) -> dict[str, Pair]:
        """Give everything that reaches `user`, by item: in no order, cut to no size."""
        pairs: defaultdict[str, Pair] = defaultdict(Pair)
        for kind, actor, registers, kept in self._sources(user):
            for item, at in self._live(registers, kept):
                pairs[item].proofs.append(Proof(kind, actor, at))
            for item, at in self._expired(registers):
                pairs[item].expired.append(Proof(kind, actor, at))
        return dict(pairs)

    def _of(self, *owner: str) -> dict[str, Register]:
        return self._registers.get(owner, {})

    def _sources(self, user: str) -> Iterator[tuple[str, str, dict[str, Register], int]]:
        """Give kind, actor, registers by item, and how many of them exist."""
        for actor in self.circle(user):
            yield "like", actor, self._of("like", actor), self.policy.acts_kept
            yield "share", actor, self._of("share", actor), self.policy.acts_kept
            yield "direct", actor, self._of("direct", actor, user), self.policy.direct_kept

    def _live(self, registers: dict[str, Register], kept: int) -> list[tuple[str, int]]:
        """Give item and moment of what is on, young, and among the newest `kept`, on or off."""
        horizon = self.horizon
        young = [(one.at, item) for item, one in registers.items() if one.at > horizon]
        newest = young if len(young) <= kept else heapq.nlargest(kept, young)
        return [(item, at) for at, item in newest if registers[item].is_on]

    def _expired(self, registers: dict[str, Register]) -> list[tuple[str, int]]:
        """Give item and moment of what was on, where not even the last word is young.

        An off among these may have come too late to be heard, so it proves nothing.
        """
        horizon = self.horizon
        return [(item, one.on) for item, one in registers.items() if one.on and one.at <= horizon]


def registers_of(event: events.Event) -> Iterator[tuple[Owner, str]]:
    """Name the registers that `event` writes: whose, and the item or the other account."""
    match event:
        case events.Like() | events.Unlike():
            yield ("like", event.user), event.item
        case events.Share(to=None) | events.Unshare(to=None):
            yield ("share", event.user), event.item
        case events.Share(to=[*recipients]) | events.Unshare(to=[*recipients]):
            for recipient in recipients:
                yield ("direct", event.user, recipient), event.item
        case events.Befriend() | events.Unfriend():
            yield ("friend", event.user), event.friend
            yield ("friend", event.friend), event.user
        case events.Follow() | events.Unfollow():
            yield ("follow", event.user), event.friend
