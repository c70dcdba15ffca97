"""How much attention an item has: exact counters, and a score under the trending half-life.

One like and one share count for each account, one view, the strongest, for each account and half
hour; shares by name count nothing. The score is an effective time as those of feeds are.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.decay import effective_time, view_weight
from models.policy import MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models import events
    from models.policy import Policy
    from models.view import Proof, View

HALF_HOUR = 30 * MINUTE
TOLERANCE = 1e-6  # of the strength an item had at its peak: acts are taken back by subtraction


@dataclass(frozen=True, slots=True)
class Engagement:
    """What counts for one item; `score` is an effective time (Unix ms), -inf where nothing does."""

    likes: int = 0
    shares: int = 0
    views: int = 0
    score: float = -math.inf


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
    young = [seen for seen in view.views_of(item) if seen.at > view.horizon]
    return _count(view.policy, view.acts_on(item).proofs, young)


def engagement_at_most(view: View, item: str) -> Engagement:
    """Count what is within the horizon, and what a store may not have forgotten yet."""
    acts = view.acts_on(item)
    return _count(view.policy, acts.proofs + acts.expired, view.views_of(item))


def agrees(view: View, item: str, found: Engagement) -> bool:
    """Tell whether `found` is what a store may hold for `item`."""
    least, most = engagement(view, item), engagement_at_most(view, item)
    lowest, highest = _bounds(view, item, least.score, most.score)
    return (
        least.likes <= found.likes <= most.likes
        and least.shares <= found.shares <= most.shares
        and least.views <= found.views <= most.views
        and lowest <= found.score <= highest
    )


def _bounds(view: View, item: str, least: float, most: float) -> tuple[float, float]:
    """Widen two scores by the tolerance."""
    peak = _count(view.policy, view.acts_ever_on(item), view.views_of(item)).score
    if peak == -math.inf:
        return peak, peak
    half_life_ms = view.policy.trending_half_life_ms
    weakest = math.exp2((least - peak) / half_life_ms) - TOLERANCE
    strongest = math.exp2((most - peak) / half_life_ms) + TOLERANCE
    lowest = peak + half_life_ms * math.log2(weakest) if weakest > 0 else -math.inf
    return lowest, peak + half_life_ms * math.log2(strongest)


def _count(policy: Policy, acts: Sequence[Proof], seen: Sequence[events.View]) -> Engagement:
    half_life_ms = policy.trending_half_life_ms
    views = _strongest(policy, seen)
    alone = [act.at + half_life_ms * math.log2(policy.weights[act.kind]) for act in acts] + views
    if not alone:
        return Engagement()
    kinds = Counter(act.kind for act in acts)
    score = effective_time(alone, half_life_ms)
    return Engagement(kinds["like"], kinds["share"], len(views), score)


def _strongest(policy: Policy, seen: Sequence[events.View]) -> list[float]:
    """Score views, of each account and half hour the one that counts most."""
    completion = np.array([one.completion for one in seen], dtype=np.float64)  # None is NaN
    dwell_ms = np.array([one.dwell_ms for one in seen], dtype=np.float64)
    bonus = policy.trending_half_life_ms * np.log2(view_weight(completion, dwell_ms, policy))
    strongest: dict[tuple[str, int], float] = {}
    for one, added in zip(seen, bonus.tolist(), strict=True):
        slot = one.user, one.at // HALF_HOUR
        strongest[slot] = max(strongest.get(slot, -math.inf), one.at + added)
    return list(strongest.values())
