"""One number for what speaks for an item: the circle, everybody, and the viewer's taste.

    value = (social + trending + taste) * circle * author

    social    weight * log2(1 + strength)      strength: likes of this moment; 1 like now = 1
    trending  weight * log2(1 + strength)      under the half-life of trending
    taste     weight * affinity                -1 … 1, the mean over the item's topics
    circle    1, or a discount where neither an act nor the author is of the viewer's circle
    author    1 for an author's best item on a page, less for each further one

Logarithms make the sources comparable: a thousandfold crowd counts ten times a single like, so what
everybody likes does not drown what a friend likes.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Blend:
    """The parts of the values of candidates, in their order, before author diversity."""

    social: Numbers
    trending: Numbers
    taste: Numbers
    circle: Numbers

    @property
    def total(self) -> Numbers:
        """Add what speaks for each candidate."""
        return self.social + self.trending + self.taste

    @property
    def value(self) -> Numbers:
        """Give what is left out of circle."""
        return discounted(self.total, self.circle)

    def parts(self, index: int) -> dict[str, float]:
        """Name the parts of one candidate's value."""
        return {
            "social": float(self.social[index]),
            "trending": float(self.trending[index]),
            "taste": float(self.taste[index]),
            "circle": float(self.circle[index]),
        }


def blend(
    candidates: Sequence[Candidate],
    viewer: Viewer,
    policy: PagePolicy,
    present: Present,
    affinities: Mapping[str, float],
) -> Blend:
    """Find the parts of the value of each candidate."""
    stored = present.policy
    near = [bool(one.proofs) or one.author in viewer.circle for one in candidates]
    liking = np.array([taste.affinity(one.topics, affinities) for one in candidates])
    social = logarithmic([one.social for one in candidates], present.now, stored.half_life_ms)
    trending = logarithmic(
        [one.trending for one in candidates], present.now, stored.trending_half_life_ms
    )
    return Blend(
        social=policy.social_weight * social,
        trending=policy.trending_weight * trending,
        taste=policy.taste_weight * liking,
        circle=np.where(near, 1.0, policy.out_of_circle),
    )


def logarithmic(scores: Sequence[float], now: int, half_life_ms: int) -> Numbers:
    """Turn effective times (Unix ms, -inf for none) into log2(1 + strength).

    >>> logarithmic([1_000, 1_600, 2_200, float("-inf")], 1_000, 600).round(3)
    array([1.   , 1.585, 2.322, 0.   ])
    """
    doublings: Numbers = (np.array(scores, dtype=np.float64) - now) / half_life_ms
    return np.logaddexp2(0.0, doublings)


def discounted(value: Numbers, factor: Numbers) -> Numbers:
    """Take a discount, which lowers what is below zero, too.

    >>> discounted(np.array([3.0, -3.0]), np.array([0.5, 0.5]))
    array([ 1.5, -6. ])
    """
    return np.where(value > 0, value * factor, value / factor)
