"""The definition: the feeds that a list of events must end in.

    events  ->  registers (acts, direct shares, edges, hides)  ->  circle  ->  proofs  ->  feed

Plain and slow on purpose: the functions in Redis are the fast, incremental form of what is written
here, and tests and audit hold one against the other. Nothing is ever taken out of a view, so order,
lateness and repetition cannot matter. What has left the horizon counts no more, but may linger in
a store until its pair is next recomputed: `pairs` tells the one from the other.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from models import circle, events
from models.authorship import Authorship
from models.decay import effective_time
from models.registers import Registers, newest
from models.shedding import is_counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from models.authorship import Origin
    from models.policy import Policy
    from models.registers import Register

SPREADING = ("like", "share", "post")  # kinds of acts that reach all fans of the actor
ENGAGING = ("like", "share")  # kinds of acts that count for an item, whoever does them


class Proof(NamedTuple):
    """One act that puts an item into a feed: what, who, when (Unix ms)."""

    kind: str
    actor: str
    at: int


class Source(NamedTuple):
    """The registers of one kind by one actor, by item, of which the newest `kept` exist."""

    kind: str
    actor: str
    registers: Mapping[str, Register]
    kept: int


class Entry(NamedTuple):
    """One item of a feed: its effective time (Unix ms) and the acts behind it."""

    item: str
    score: int
    proofs: list[Proof]


class Counted(NamedTuple):
    """A view that counts for its item; one in 2^halvings did when it came."""

    event: events.View
    halvings: int


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

    def __init__(self, policy: Policy, fan_out_limit: int | None = None) -> None:
        """Begin without events; `fan_out_limit` is the store's, where one is held against this.

        It changes no feed, but what may linger in a store.
        """
        self.policy = policy
        self._fan_out_limit = math.inf if fan_out_limit is None else fan_out_limit
        self.stream_time = 0
        self._down: set[str] = set()  # items taken down
        self.erased: set[str] = set()  # accounts
        self._registers = Registers()
        self._authorship = Authorship()
        self._views: defaultdict[str, list[Counted]] = defaultdict(list)  # by item
        self._views_by: defaultdict[str, list[events.View]] = defaultdict(list)  # by viewer
        self._followers: defaultdict[str, set[str]] = defaultdict(set)  # ever
        self._young: set[tuple[str, Proof]] = set()  # item, and what a young account did with it

    @property
    def horizon(self) -> int:
        """Give the moment (Unix ms) at or before which an act counts no more."""
        return self.stream_time - self.policy.horizon_ms

    def apply(self, event: events.Event, halvings: int = 0) -> None:
        """Take in one valid event, which came while one view in 2^halvings was counted."""
        self.stream_time = max(self.stream_time, event.at)
        self._registers.write(event)
        match event:
            case events.Like() | events.Share(to=None):
                if self.is_young(event):
                    act = Proof(event.register, event.user, event.at)
                    self._young.add((event.item, act))
            case events.View():
                if is_counted(event.user, event.item, event.at, halvings):
                    self._views[event.item].append(Counted(event, halvings))
                self._views_by[event.user].append(event)
            case events.Follow() | events.Unfollow():
                self._followers[event.friend].add(event.user)
            case events.Post():
                self._authorship.write(event)
            case events.Takedown():
                self._down.add(event.item)
            case events.Erase():
                self.erased.add(event.user)

    def circle(self, user: str) -> set[str]:
        """Give the accounts whose acts reach `user`."""
        return circle.circle(self._registers, self.erased, user)

    def tie(self, user: str, actor: str) -> float:
        """Weigh what `actor` does for `user`."""
        return circle.tie(self._registers, self.policy, user, actor)

    def favoured(self, user: str) -> set[str]:
        """Give the accounts whose acts weigh more for `user`."""
        return set(self._registers.on("favor", user))

    def cut_off(self, user: str) -> set[str]:
        """Give the accounts that `user` blocks or mutes, and those that block `user`."""
        return circle.cut_off(self._registers, user)

    def kept(self, kind: str, user: str) -> dict[str, Register]:
        """Give the registers of `user`, by item, of which the newest `acts_kept` exist."""
        owned = self._registers.of(kind, user)
        return {item: owned[item] for _, item in newest(owned, self.policy.acts_kept)}

    def hidden(self, user: str) -> set[str]:
        """Give the items that `user` hides; no hide is ever too old."""
        return {item for item, one in self.kept("hide", user).items() if one.is_on}

    def gone(self, user: str) -> set[str]:
        """Give the items not for `user`, whoever acts: taken down, or hidden by the user."""
        return self._down | self.hidden(user)

    def is_down(self, item: str) -> bool:
        """Tell whether `item` was taken down."""
        return item in self._down

    def origins(self, item: str) -> list[Origin]:
        """Give the posts of `item`; the first says who made it, and what it is about.

        Of an author the newest `acts_kept` posts exist, as of any acts.
        """
        kept, is_kept = self.policy.acts_kept, self._registers.is_kept
        origins = self._authorship.origins(item, self.erased)
        return [one for one in origins if is_kept(item, kept, "post", one.author)]

    def possible_origins(self, item: str) -> list[Origin | None]:
        """Give what may be known of `item`, where what left the horizon may be forgotten or not.

        A post that came after it had left is not taken: one before it, by its author, may stay.
        """
        if self.is_down(item):
            return [None]
        origins = self.origins(item)
        expired = {one.author for one in origins if one.at <= self.horizon}
        earlier = [one for one in self._authorship.earlier(item) if one.author in expired]
        return [*earlier, *[*origins, None][: len(expired) + 1]]

    def posted(self) -> Iterable[str]:
        """Name the items that were ever posted."""
        return self._authorship.items()

    def proofs(self, user: str, item: str) -> list[Proof]:
        """Give the acts that put `item` into the feed of `user`, by kind and actor."""
        return sorted(self.pairs(user).get(item, Pair()).proofs)

    def feed(self, user: str) -> list[Entry]:
        """Give the items of greatest score, best first; at equal scores the greater id first."""
        entries = [
            Entry(item, round(self.score(user, pair.proofs)), sorted(pair.proofs))
            for item, pair in self.pairs(user).items()
            if pair.proofs
        ]
        entries.sort(key=lambda entry: (entry.score, entry.item), reverse=True)
        return entries[: self.policy.feed_size]

    def score(self, user: str, proofs: Iterable[Proof]) -> float:
        """Merge at least one proof into an effective time (Unix ms)."""
        contributions = [self.contribution(user, proof) for proof in proofs]
        return effective_time(contributions, self.policy.half_life_ms)

    def contribution(self, user: str, proof: Proof) -> float:
        """Score a proof as if it stood alone (Unix ms)."""
        weight = self.policy.weights[proof.kind] * self.tie(user, proof.actor)
        return proof.at + self.policy.half_life_ms * math.log2(weight)

    def pairs(self, user: str) -> dict[str, Pair]:
        """Give everything that reaches `user`, by item: in no order, cut to no size."""
        kept, direct_kept = self.policy.acts_kept, self.policy.direct_kept
        of = self._registers.of
        sources: list[Source] = []
        for actor in self.circle(user):
            sources += [Source(kind, actor, of(kind, actor), kept) for kind in SPREADING]
            sources.append(Source("direct", actor, of("direct", actor, user), direct_kept))
        pairs, gone = self._gather(sources), self.gone(user)
        for source in sources:
            for item, at in self._lingering(source):
                pair = pairs.setdefault(item, Pair())
                pair.expired.append(Proof(source.kind, source.actor, at))
        return {item: pair for item, pair in pairs.items() if item not in gone}

    def acts_on(self, item: str) -> Pair:
        """Give the likes of `item` and its shares to all, by anyone."""
        pair, kept = Pair(), self.policy.acts_kept
        for kind, actor in self._registers.owners(ENGAGING, item):
            one = self._registers.of(kind, actor)[item]
            if one.on and one.at <= self.horizon:
                pair.expired.append(Proof(kind, actor, one.on))
            elif one.is_on and self._registers.is_kept(item, kept, kind, actor):
                pair.proofs.append(Proof(kind, actor, one.on))
        return pair

    def acts_ever_on(self, item: str) -> list[Proof]:
        """Give them as if none had ever been taken back or forgotten."""
        registers = self._registers
        return [
            Proof(kind, actor, at)
            for kind, actor in registers.owners(ENGAGING, item)
            if (at := registers.of(kind, actor)[item].on)
        ]

    def views_of(self, item: str) -> list[Counted]:
        """Give all views that count for `item`, young or old, in no order."""
        return self._views.get(item, [])

    def views_by(self, user: str) -> list[events.View]:
        """Give all views by `user`, young or old, in no order."""
        return self._views_by.get(user, [])

    def is_young(self, event: events.Like | events.Share | events.View) -> bool:
        """Tell whether the account had just been made when it did this."""
        return event.since is not None and event.at - event.since < self.policy.young_ms

    def was_young(self, item: str, act: Proof) -> bool:
        """Tell whether an account had just been made when it liked or shared `item`.

        Where one moment is told in two ways, the account was young.
        """
        return (item, act) in self._young

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
        young = newest(source.registers, source.kept, beyond=self.horizon)
        return [(item, at) for at, item in young if source.registers[item].is_on]

    def _expired(self, source: Source) -> list[tuple[str, int]]:
        """Give item and moment of what was on, where not even the last word is young.

        An off among these may have come too late to be heard, so it proves nothing.
        """
        horizon = self.horizon
        registers = source.registers.items()
        return [(item, one.on) for item, one in registers if one.on and one.at <= horizon]

    def _lingering(self, source: Source) -> list[tuple[str, int]]:
        """Give item and latest moment of older acts that a young one may not have settled.

        A store merges the acts of an actor with too many fans at reading: so they do not settle
        what an act before the horizon left in a feed, when there were fewer.
        """
        friends = self._registers.of("friend", source.actor)
        if len(friends) + len(self._followers[source.actor]) <= self._fan_out_limit:
            return []
        registers, horizon = source.registers.items(), self.horizon
        return [(item, horizon) for item, one in registers if one.on and one.at > horizon]
