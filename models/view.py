"""The definition: the feeds that a list of events must end in.

    events  ->  registers (acts, direct shares, edges)  ->  circle  ->  proofs  ->  feed

Plain and slow on purpose: the functions in Redis are the fast, incremental form of what is written
here, and tests and audit hold one against the other. Nothing is ever taken out of a view, so order,
lateness and repetition cannot matter. What has left the horizon counts no more, but may linger in
a store until its pair is next recomputed: `pairs` tells the one from the other.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from models import events
from models.decay import effective_time
from models.registers import Register, registers_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.policy import Policy
    from models.registers import Owner

SPREADING = ("like", "share")  # kinds of acts that reach all fans of the actor


class Proof(NamedTuple):
    """One act that puts an item into a feed: what, who, when (Unix ms)."""

    kind: str
    actor: str
    at: int


class Source(NamedTuple):
    """The registers of one kind by one actor, by item, of which the newest `kept` exist."""

    kind: str
    actor: str
    registers: dict[str, Register]
    kept: int


class Entry(NamedTuple):
    """One item of a feed: its effective time (Unix ms) and the acts behind it."""

    item: str
    score: int
    proofs: list[Proof]


@dataclass(frozen=True, slots=True)
class Pair:
    """What speaks for one item: the acts that count, and those that left the horizon."""

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
        self._bonus = {
            kind: policy.half_life_ms * math.log2(weight) for kind, weight in policy.weights.items()
        }
        self._registers: defaultdict[Owner, defaultdict[str, Register]] = defaultdict(
            lambda: defaultdict(Register)
        )
        self._views: defaultdict[str, list[events.View]] = defaultdict(list)  # by item

    @property
    def horizon(self) -> int:
        """Give the moment (Unix ms) at or before which an act counts no more."""
        return self.stream_time - self.policy.horizon_ms

    def apply(self, event: events.Event) -> None:
        """Take in one valid event."""
        self.stream_time = max(self.stream_time, event.at)
        for owner, name in registers_of(event):
            self._registers[owner][name].write(event)
        if isinstance(event, events.View):
            self._views[event.item].append(event)

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
        return proof.at + self._bonus[proof.kind]

    def pairs(self, user: str) -> dict[str, Pair]:
        """Give everything that reaches `user`, by item: in no order, cut to no size."""
        kept, direct_kept = self.policy.acts_kept, self.policy.direct_kept
        sources: list[Source] = []
        for actor in self.circle(user):
            sources += [Source(kind, actor, self._of(kind, actor), kept) for kind in SPREADING]
            sources.append(Source("direct", actor, self._of("direct", actor, user), direct_kept))
        return self._gather(sources)

    def acts_on(self, item: str) -> Pair:
        """Give the likes of `item` and its shares to all, by anyone."""
        return self._gather(self._sources_on(item)).get(item, Pair())

    def acts_ever_on(self, item: str) -> list[Proof]:
        """Give them as if none had ever been taken back or forgotten."""
        return [
            Proof(source.kind, source.actor, at)
            for source in self._sources_on(item)
            if (at := source.registers[item].on)
        ]

    def views_of(self, item: str) -> list[events.View]:
        """Give all views of `item`, young or old, in no order."""
        return self._views.get(item, [])

    def _sources_on(self, item: str) -> list[Source]:
        return [
            Source(owner[0], owner[1], registers, self.policy.acts_kept)
            for owner, registers in self._registers.items()
            if owner[0] in SPREADING and item in registers
        ]

    def _of(self, *owner: str) -> dict[str, Register]:
        return self._registers.get(owner, {})

    def _gather(self, sources: Iterable[Source]) -> dict[str, Pair]:
        pairs: defaultdict[str, Pair] = defaultdict(Pair)
        for source in sources:
            for item, at in self._live(source):
                pairs[item].proofs.append(Proof(source.kind, source.actor, at))
            for item, at in self._expired(source):
                pairs[item].expired.append(Proof(source.kind, source.actor, at))
        return dict(pairs)

    def _live(self, source: Source) -> list[tuple[str, int]]:
        """Give item and moment of what is on, young, and among the newest kept, on or off."""
        horizon = self.horizon
        young = [(one.at, item) for item, one in source.registers.items() if one.at > horizon]
        newest = young if len(young) <= source.kept else heapq.nlargest(source.kept, young)
        return [(item, at) for at, item in newest if source.registers[item].is_on]

    def _expired(self, source: Source) -> list[tuple[str, int]]:
        """Give item and moment of what was on, where not even the last word is young.

        An off among these may have come too late to be heard, so it proves nothing.
        """
        horizon = self.horizon
        registers = source.registers.items()
        return [(item, one.on) for item, one in registers if one.on and one.at <= horizon]
