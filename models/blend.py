"""One number for what speaks for an item: the circle, everybody, and the viewer's taste.

    value = (social + trending + recent + taste) * circle * author

    social    log2(1 + friends)            friends: weight * strength of the circle's acts
    trending  log2(1 + friends + crowd)    less social: what everybody's acts add to it;
                                           crowd: weight * strength, at most `trending_most`
    recent    weight * 2^(-64 * age)       of the circle's newest act; age in half-lives of a feed
    taste     weight * affinity            -1 … 1, the mean over the item's topics
    circle    1, or a discount where neither an act nor the author is of the viewer's circle
    author    1 for an author's best item on a page, less for each further one

A strength counts likes of this moment, under the half-life of feeds or of trending. Friends and
crowd add up before the logarithm, each at its weight: so the best of both comes first, whether a
circle is lively or not. However large the crowd, what trends most counts as `trending_most` acts of
friends, and the rest in proportion: a viral item does not drown what friends like. And since a feed
forgets slowly, `recent` lets what a friend did a moment ago come up at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models import taste

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.candidate import Candidate, Viewer
    from models.decay import Numbers
    from models.page_policy import PagePolicy
    from models.present import Present

RECENT = 64  # half-lives of what is recent in one of a feed: of six hours, 6 minutes


@dataclass(frozen=True, slots=True)
class Blend:
    """The parts of the values of candidates, in their order, before author diversity."""

    social: Numbers
    trending: Numbers
    recent: Numbers
    taste: Numbers
    circle: Numbers

    @property
    def total(self) -> Numbers:
        """Add what speaks for each candidate."""
        return self.social + self.trending + self.recent + self.taste

    @property
    def value(self) -> Numbers:
        """Give what is left out of circle."""
        return discounted(self.total, self.circle)

    def parts(self, indexes: Sequence[int]) -> list[dict[str, float]]:
        """Name the parts of the values of some candidates."""
        named = {name: getattr(self, name)[indexes].tolist() for name in self.__slots__}
        return [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]


def blend(
    candidates: Sequence[Candidate],
    viewer: Viewer,
    policy: PagePolicy,
    present: Present,
    affinities: Mapping[str, float],
) -> Blend:
    """Find the parts of the value of each candidate."""
    near = [bool(one.proofs) or one.author in viewer.circle for one in candidates]
    liking = np.array([taste.affinity(one.topics, affinities) for one in candidates])
    friends = _doublings([one.social for one in candidates], present, present.policy.half_life_ms)
    social = np.logaddexp2(0.0, friends + _log2(policy.social_weight))
    trending = np.logaddexp2(social, _crowd(candidates, policy, present)) - social
    return Blend(
        social=social,
        trending=trending,
        recent=policy.recent_weight * recency(candidates, present),
        taste=policy.taste_weight * liking,
        circle=np.where(near, 1.0, policy.out_of_circle),
    )


def _crowd(candidates: Sequence[Candidate], policy: PagePolicy, present: Present) -> Numbers:
    """Find what everybody's acts are worth, as log2 of acts of friends."""
    scores = [one.trending for one in candidates]
    crowd = _doublings(scores, present, present.policy.trending_half_life_ms)
    most = crowd.max(initial=-np.inf)
    capped = _log2(policy.trending_most) - most if most > -np.inf else np.inf
    return crowd + min(_log2(policy.trending_weight), capped)


def recency(candidates: Sequence[Candidate], present: Present) -> Numbers:
    """Rate how new the newest act of the circle is: 1 for this moment, 0 for none.

    >>> from models.candidate import Candidate
    >>> from models.policy import HOUR, Policy
    >>> from models.present import Present
    >>> from models.view import Proof
    >>> now = 1_790_000_000_000
    >>> liked = [Candidate(item="song", proofs=(Proof("like", "bob", now - HOUR * k // 32),))
    ...          for k in (0, 3, 6)]
    >>> recency([*liked, Candidate(item="film")], Present(Policy(), now))
    array([1.  , 0.5 , 0.25, 0.  ])
    """
    newest = [float(one.proofs[0].at) if one.proofs else -np.inf for one in candidates]
    age = -_doublings(newest, present, present.policy.half_life_ms)
    recent: Numbers = np.exp2(-RECENT * np.maximum(age, 0.0))
    return recent


def _doublings(scores: Sequence[float], present: Present, half_life_ms: int) -> Numbers:
    """Take effective times (Unix ms, -inf for none) as log2 of strengths."""
    doublings: Numbers = (np.array(scores, dtype=np.float64) - present.now) / half_life_ms
    return doublings


def _log2(weight: float) -> float:
    return math.log2(weight) if weight else -math.inf


def discounted(value: Numbers, factor: Numbers) -> Numbers:
    """Take a discount, which lowers what is below zero, too.

    >>> discounted(np.array([3.0, -3.0]), np.array([0.5, 0.5]))
    array([ 1.5, -6. ])
    """
    return np.where(value > 0, value * factor, value / factor)
