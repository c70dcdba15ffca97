"""The numbers a product owner may turn: weights, half-lives, sizes, windows."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping

SECOND = 1_000
MINUTE = 60 * SECOND
HALF_HOUR = 30 * MINUTE
HOUR = 60 * MINUTE
DAY = 24 * HOUR

FEED_SIZE_LIMIT = 127  # the 129th entry would cost a sorted set its compact encoding for good
UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
LEAST_HALF_LIVES = 10  # an act is worth a thousandth when it is forgotten
MOST_HALF_LIVES = 500  # strengths 2^500 apart still add up in a double


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How fast a feed forgets, how much it keeps, what an act is worth.

    Durations are milliseconds, sizes are entries, weights are likes. All of these numbers are
    part of stored scores: to change one, rebuild the shards.

    >>> Policy().weights["share"]
    2.0
    >>> Policy(half_life_ms=0)
    Traceback (most recent call last):
    ...
    models.errors.PolicyError: half_life_ms is 0: give a positive number
    """

    half_life_ms: int = 6 * HOUR
    horizon_ms: int = 7 * DAY
    trending_half_life_ms: int = HOUR
    feed_size: int = 120
    acts_kept: int = 1_000
    direct_kept: int = 100
    like_weight: float = 1.0
    share_weight: float = 2.0
    post_weight: float = 1.0
    direct_weight: float = 4.0
    favor: float = 2.0  # by which an act of a favoured account weighs more
    view_weight: float = 0.1
    full_view_ms: int = 10 * SECOND
    young_ms: int = DAY
    young_weight: float = 0.1  # of what an account younger than that does, in engagement

    def __post_init__(self) -> None:
        """Refuse numbers that make no feed."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if type(value) is not int and not (field.type == "float" and type(value) is float):
                raise PolicyError(f"{field.name} is {value!r}: give a number ({field.type})")
            if not math.isfinite(value) or value <= 0:
                raise PolicyError(f"{field.name} is {value}: give a positive number")
        if self.feed_size > FEED_SIZE_LIMIT:
            raise PolicyError(f"feed_size is {self.feed_size}: at most {FEED_SIZE_LIMIT}")
        if self.favor < 1:
            raise PolicyError(
                f"favor is {self.favor}: at least 1; whom nobody wants to see is muted"
            )
        if not LEAST_HALF_LIVES <= self.horizon_ms / self.half_life_ms <= MOST_HALF_LIVES:
            raise PolicyError(
                f"horizon_ms is {self.horizon_ms}: {LEAST_HALF_LIVES} to {MOST_HALF_LIVES} times "
                f"half_life_ms ({self.half_life_ms}); change one or the other"
            )

    @property
    def weights(self) -> dict[str, float]:
        """Give the weight of each kind of act that spreads."""
        return {
            "like": self.like_weight,
            "share": self.share_weight,
            "post": self.post_weight,
            "direct": self.direct_weight,
        }

    @classmethod
    def from_table(cls, table: Mapping[str, object]) -> Policy:
        """Build a policy from named numbers; durations read `half_life = "6h"`.

        >>> Policy.from_table({"half_life": "7d", "horizon": "90d"}).half_life_ms
        604800000
        """
        known = {field.name.removesuffix("_ms"): field.name for field in dataclasses.fields(cls)}
        numbers: dict[str, object] = {}
        for name, value in table.items():
            if name not in known:
                raise PolicyError(f"{name} is not a policy number: one of {', '.join(known)}")
            field = known[name]
            numbers[field] = milliseconds(name, value) if field.endswith("_ms") else value
        return cls(**numbers)  # type: ignore[arg-type]  # __post_init__ checks them


def milliseconds(name: str, value: object) -> int:
    """Read a duration such as `90s`, `30m`, `6h` or `7d`; `name` is for the complaint."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise PolicyError(f"{name} is {value!r}: give a duration such as '90s', '30m', '6h', '7d'")
    return int(match[1]) * UNITS[match[2]]
