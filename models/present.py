"""What stored scores are worth at the moment somebody looks.

Effective times never change by themselves; what they are worth does, all by the same factor. A like
made at this moment is worth 1, one made a half-life ago 1/2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.policy import Policy

MOST_DOUBLINGS = 1_000  # 2^1000 is a double, however far ahead of a clock a score may be


@dataclass(frozen=True, slots=True)
class Present:
    """The moment a page is made (Unix ms), and the policy that its scores are stored under."""

    policy: Policy
    now: int


def strength(score: float, now: int, half_life_ms: int) -> float:
    """Give what an effective time (Unix ms) is worth `now`, in likes.

    >>> strength(1_000, 1_000, 600), strength(400, 1_000, 600), strength(float("-inf"), 0, 600)
    (1.0, 0.5, 0.0)
    """
    return math.exp2(min((score - now) / half_life_ms, MOST_DOUBLINGS))
