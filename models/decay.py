"""Scores are times: the arithmetic of effective time.

An act of weight w made at `at` is worth `w * 2^(at / H)`, H being the half-life: that number grows
with the clock instead of decaying, so an order once found stays true. Scores are its logarithm,
`H * log2(…)`, a moment in Unix milliseconds: the moment at which one like alone would count as
much. No decay job, no overflow. This is forward decay with an exponential and no landmark
(Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay, ICDE 2009).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from models.policy import Policy

    Moments: TypeAlias = NDArray[np.int64]
    Numbers: TypeAlias = NDArray[np.float64]

LEAST_VIEW = 0.05  # of a full view: what an impression without dwell or completion is worth
COMPLETED = 0.9  # of an item: who saw that much saw it to the end


def contribution(at: Moments, weight: Numbers | float, half_life_ms: int) -> Moments:
    """Score acts of `weight` made `at` (Unix ms) as if each stood alone, to the millisecond.

    A weight of 2 is worth one half-life of freshness, a weight of 1 nothing but its time.

    >>> contribution(np.array([1_000, 1_000, 1_000]), np.array([1.0, 2.0, 0.1]), 600)
    array([1000, 1600, -993])
    """
    alone: Numbers = at + half_life_ms * np.log2(weight)
    return np.rint(alone).astype(np.int64)


def effective_time(contributions: Iterable[float], half_life_ms: int) -> float:
    """Merge at least one contribution (Unix ms) into one score.

    Two acts at once are worth one half-life of freshness; what is ten half-lives older hardly
    counts.

    >>> effective_time([1_000], 600)
    1000.0
    >>> effective_time([1_000, 1_000], 600)
    1600.0
    >>> round(effective_time([7_000, 1_000], 600), 3)
    7000.845
    """
    merged = list(contributions)
    latest = max(merged)
    if len(merged) == 1:
        return float(latest)
    strength = math.fsum(math.exp2((one - latest) / half_life_ms) for one in merged)
    return latest + half_life_ms * math.log2(strength)


def seen_share(completion: Numbers, dwell_ms: Numbers, full_view_ms: int) -> Numbers:
    """Tell how much of an item was seen, 0 to 1; NaN where `completion` or `dwell_ms` is absent.

    Completion is trusted before dwell time; where both are absent, nothing is known (NaN).

    >>> seen_share(np.array([0.5, np.nan, np.nan]), np.array([9e9, 2_500, np.nan]), 10_000)
    array([0.5 , 0.25,  nan])
    """
    dwelt = np.minimum(dwell_ms / full_view_ms, 1.0)
    return np.where(np.isnan(completion), dwelt, completion)


def view_weight(completion: Numbers, dwell_ms: Numbers, policy: Policy) -> Numbers:
    """Weigh views by how much was seen; the least is worth something, or it had no score.

    >>> from models.policy import Policy
    >>> absent = np.nan
    >>> view_weight(np.array([0.5, absent, absent]), np.array([9e9, 2_500, absent]), Policy())
    array([0.05 , 0.025, 0.005])
    """
    seen = seen_share(completion, dwell_ms, policy.full_view_ms)
    return policy.view_weight * np.fmax(seen, LEAST_VIEW)  # fmax: a number beats NaN
