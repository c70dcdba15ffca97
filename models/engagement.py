"""How much attention an item has: exact counters, and a score under the trending half-life.

One like and one share count for each account, one view, the strongest, for each account and half
hour; what an account did that had just been made weighs less. Shares by name count nothing, nor
does what authors do with their own items, or erased accounts with any; an item taken down has
nothing. The score is an effective time as those of feeds are.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.counting import counted
from models.decay import effective_time, view_weight
from models.policy import HALF_HOUR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from models.view import Counted, Proof, View

TOLERANCE = 1e-6  # of the strength an item had at its peak: acts are taken back by subtraction


@dataclass(frozen=True, slots=True)
class Engagement:
    """What counts for one item; `score` is an effective time (Unix ms), -inf where nothing does."""

    likes: int = 0
    shares: int = 0
    views: int = 0
    score: float = -math.inf

    def __str__(self) -> str:
        """Say it in a few words.

        >>> print(Engagement(likes=2, views=1, score=1_000.25), Engagement(), sep="; ")
        2 likes, 0 shares, 1 view at 1000.250; nothing
        """
        if self.score == -math.inf and not self.likes + self.shares + self.views:
            return "nothing"
        named = ((self.likes, "like"), (self.shares, "share"), (self.views, "view"))
        counts = ", ".join(counted(*one) for one in named)
        return f"{counts} at {self.score:.3f}"


UNBOUNDED = Engagement(sys.maxsize, sys.maxsize, sys.maxsize, math.inf)


def engagement(view: View, item: str) -> Engagement:
    """Count what is within the horizon.

    >>> from models.events import Like, View as Seen
    >>> from models.policy import Policy
    >>> from models.view import View
    >>> view = View(Policy(view_weight=1.0))
    >>> view.apply(Like(user="ann", item="song", at=1_000))
    >>> view.apply(Seen(user="ann", item="song", completion=1.0, at=1_000))
    >>> engagement(view, "song")
    Engagement(likes=1, shares=0, views=1, score=3601000.0)
    """
    acts, seen = view.acts_on(item).proofs, _recent_views(view, item)
    return _count(view, item, acts, seen, apart={one.author for one in view.origins(item)[:1]})


def engagement_at_least(view: View, item: str) -> Engagement:
    """Count what is within the horizon, but for all whom a store may take for the author."""
    origins, acts = view.origins(item), view.acts_on(item).proofs
    expired = sum(one.at <= view.horizon for one in origins)
    authors = {one.author for one in origins[: expired + 1]}
    return _count(view, item, acts, _recent_views(view, item), apart=authors)


def engagement_at_most(view: View, item: str) -> Engagement:
    """Count what is within the horizon, and what a store may not have forgotten yet.

    The author counts, too, where the post may be forgotten already.
    """
    acts, seen = view.acts_on(item), view.views_of(item)
    known = {one.author for one in view.origins(item)[:1] if one.at > view.horizon}
    return _count(view, item, acts.proofs + acts.expired, seen, apart=known)


def agrees(view: View, item: str, found: Engagement, *, whole_log: bool = True) -> bool:
    """Tell whether `found` is what a store may hold for `item`.

    Where the log is not whole, more may linger than `view` knows of.
    """
    least, most = engagement_at_least(view, item), engagement_at_most(view, item)
    lowest, highest = _bounds(view, item, least.score, most.score)
    if not whole_log and not view.is_down(item):
        most, highest = UNBOUNDED, math.inf
    return (
        least.likes <= found.likes <= most.likes
        and least.shares <= found.shares <= most.shares
        and least.views <= found.views <= most.views
        and lowest <= found.score <= highest
    )


def _peak(view: View, item: str) -> float:
    """Score all that was ever done with `item`, whoever did it."""
    ever = _alone(view, item, view.acts_ever_on(item)) + _strongest(view, view.views_of(item))
    return _merged(view, ever)


def _bounds(view: View, item: str, least: float, most: float) -> tuple[float, float]:
    """Widen two scores by the tolerance."""
    peak = _peak(view, item)
    if peak == -math.inf or view.is_down(item):
        return -math.inf, -math.inf
    half_life_ms = view.policy.trending_half_life_ms
    weakest = math.exp2((least - peak) / half_life_ms) - TOLERANCE
    strongest = math.exp2((most - peak) / half_life_ms) + TOLERANCE
    lowest = peak + half_life_ms * math.log2(weakest) if weakest > 0 else -math.inf
    return lowest, peak + half_life_ms * math.log2(strongest)


def _recent_views(view: View, item: str) -> list[Counted]:
    return [seen for seen in view.views_of(item) if seen.event.at > view.horizon]


def _count(
    view: View,
    item: str,
    acts: Sequence[Proof],
    seen: Sequence[Counted],
    *,
    apart: AbstractSet[str],
) -> Engagement:
    """Count what accounts did that are neither erased nor `apart`; nothing for what is down."""
    if view.is_down(item):
        return Engagement()
    uncounted = view.erased | apart
    acts = [act for act in acts if act.actor not in uncounted]
    views = _strongest(view, [one for one in seen if one.event.user not in uncounted])
    kinds = Counter(act.kind for act in acts)
    score = _merged(view, _alone(view, item, acts) + views)
    return Engagement(kinds["like"], kinds["share"], len(views), score)


def _merged(view: View, alone: Sequence[float]) -> float:
    return effective_time(alone, view.policy.trending_half_life_ms) if alone else -math.inf


def _alone(view: View, item: str, acts: Sequence[Proof]) -> list[float]:
    """Score each act on `item` as if it stood alone (Unix ms)."""
    policy = view.policy
    ages = [policy.young_weight if view.was_young(item, act) else 1.0 for act in acts]
    return [
        act.at + policy.trending_half_life_ms * math.log2(policy.weights[act.kind] * age)
        for act, age in zip(acts, ages, strict=True)
    ]


def _strongest(view: View, counted: Sequence[Counted]) -> list[float]:
    """Score views, of each account and half hour the one that counts most.

    One of a sample counts for all that it was drawn from.
    """
    policy, seen = view.policy, [one.event for one in counted]
    completion = np.array([one.completion for one in seen], dtype=np.float64)  # None is NaN
    dwell_ms = np.array([one.dwell_ms for one in seen], dtype=np.float64)
    age = np.array([policy.young_weight if view.is_young(one) else 1.0 for one in seen])
    weight = view_weight(completion, dwell_ms, policy) * age
    halvings = np.array([one.halvings for one in counted], dtype=np.float64)
    bonus = policy.trending_half_life_ms * (np.log2(weight) + halvings)
    strongest: dict[tuple[str, int], float] = {}
    for one, added in zip(seen, bonus.tolist(), strict=True):
        slot = one.user, one.at // HALF_HOUR
        strongest[slot] = max(strongest.get(slot, -math.inf), one.at + added)
    return list(strongest.values())
