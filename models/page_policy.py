"""The numbers of a page: what counts how much, what is held back, what has a place reserved.

Unlike the policy of feeds, none of them is part of a stored score: they may change at any moment,
and two sets of them may be in use side by side. So each has a version, which every explanation
names.

Author diversity is that of X's home timeline (https://github.com/xai-org/x-algorithm,
home-mixer/scorers): decay .5, floor .25. The weights were tuned with `likewave evaluate`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from models.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION_BYTES = 4
FAVOURITES = 5  # topics of a viewer
LEAST = 20  # items of a page, for what it is chosen from: a shorter one is chosen from as much


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePolicy:
    """How a page is made of what the circle did, what is trending, and what the viewer likes.

    Sizes are items, shares and factors are between 0 and 1.

    >>> PagePolicy().version, PagePolicy(per_actor=2).version
    ('dc4fe295', '53802c2f')
    >>> PagePolicy(author_floor=0)
    Traceback (most recent call last):
    ...
    models.errors.PolicyError: author_floor is 0: give a number from 0.01 to 1
    """

    RANGES: ClassVar[dict[str, tuple[float, float]]] = {
        "page_size": (1, 100),
        "social_weight": (0, 1_000),
        "trending_weight": (0, 1_000),
        "trending_most": (0.01, 1_000_000),
        "recent_weight": (0, 1_000),
        "taste_weight": (0, 1_000),
        "out_of_circle": (0.01, 1),
        "author_decay": (0, 1),
        "author_floor": (0.01, 1),
        "per_actor": (1, 100),
        "friends_threshold": (1, 5_000),
        "exploration": (0, 1),
        "few_views": (0, 1_000_000),
    }

    page_size: int = 20
    social_weight: float = 1.0  # of an act of the circle
    trending_weight: float = 0.1  # of an act of anybody …
    trending_most: float = 8.0  # … but what trends most counts at most as so many acts of friends
    recent_weight: float = 2.0  # of the circle's having acted just now
    taste_weight: float = 0.5  # of what the viewer likes
    out_of_circle: float = 0.9  # what an item keeps with which the circle has nothing to do
    author_decay: float = 0.5  # what each further item of an author keeps of the one before …
    author_floor: float = 0.25  # … but never less than this
    per_actor: int = 3  # items of a page that are there on account of one and the same account
    friends_threshold: int = 1  # accounts of the circle that must act before an item enters
    exploration: float = 0.1  # share of a page for new creators and for other topics
    few_views: int = 100  # with fewer, what a stranger made is that of a new creator

    def __post_init__(self) -> None:
        """Refuse numbers that make no page."""
        for field in dataclasses.fields(self):
            value, (least, most) = getattr(self, field.name), self.RANGES[field.name]
            kind = "a whole number" if field.type == "int" else "a number"
            fits = type(value) is int or (field.type == "float" and type(value) is float)
            if not fits or not least <= value <= most:
                raise PolicyError(f"{field.name} is {value!r}: give {kind} from {least} to {most}")

    @property
    def window(self) -> int:
        """Give how many of the feed, more than it shows, a page is chosen from."""
        return 2 * max(LEAST, self.page_size)

    @property
    def reach(self) -> dict[str, int]:
        """Give how many of what is on other lists a page is chosen from.

        Those that trend most, those that trend most in each of the viewer's favourite topics, and
        the newest; what the viewer has seen, acted on or hidden does not count.

        >>> PagePolicy().reach
        {'trending': 30, 'topics': 5, 'per_topic': 6, 'fresh': 20}
        """
        size = max(LEAST, self.page_size)
        return {
            "trending": 3 * size // 2,
            "topics": FAVOURITES,
            "per_topic": 3 * size // 10,
            "fresh": size,
        }

    @property
    def version(self) -> str:
        """Name these numbers: equal ones have equal versions, whoever computes them."""
        return _version(self)

    def author_factor(self, before: int) -> float:
        """Give what an item keeps that comes after `before` better ones of its author.

        >>> [PagePolicy().author_factor(before) for before in range(4)]
        [1.0, 0.625, 0.4375, 0.34375]
        """
        return (1 - self.author_floor) * self.author_decay**before + self.author_floor

    def explored_by(self, place: int) -> int:
        """Give how many of the first `place` items of a page explore, at least.

        >>> [PagePolicy(exploration=0.29).explored_by(place) for place in (3, 4, 20, 100)]
        [0, 1, 5, 29]
        """
        return math.floor(self.exploration * place + 1e-9)  # .29 * 100 is 28.999…

    @classmethod
    def from_table(cls, table: Mapping[str, object], base: PagePolicy | None = None) -> PagePolicy:
        """Build a page policy from named numbers; what the table leaves out is as in `base`.

        >>> PagePolicy.from_table({"page_size": 10}, PagePolicy(per_actor=2)).per_actor
        2
        """
        for name in table:
            if name not in cls.RANGES:
                raise PolicyError(f"{name} is no number of a page: one of {', '.join(cls.RANGES)}")
        return dataclasses.replace(base or cls(), **table)  # type: ignore[arg-type]  # checked above


@lru_cache  # few are in use at a time, and every page names its own
def _version(policy: PagePolicy) -> str:
    named = [f"{name}={float(value)}" for name, value in dataclasses.asdict(policy).items()]
    return hashlib.blake2b("\n".join(named).encode(), digest_size=VERSION_BYTES).hexdigest()
