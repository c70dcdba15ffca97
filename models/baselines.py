"""Plain rankings of the same acts, to hold pages against: the crowd, friends, chance.

    popularity       acts of everybody, decayed
    friend-recency   the latest act of the circle
    friend-count     acts of the circle, decayed
    friend+0.1pop    friend-count and a tenth of popularity
    random           any item that somebody has acted on

An account counts once for an item, with its newest act. Each ranking scores all items for one
viewer at one moment from the acts strictly before it, since acts of the same moment know nothing of
each other; an item for which nothing speaks scores 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from models.decay import Moments, Numbers

    Indexes: TypeAlias = NDArray[np.int64]
    Circles: TypeAlias = Sequence[Sequence[int]]  # user -> accounts whose acts reach them
    Scorer: TypeAlias = Callable[[int, int], Numbers]  # (viewer, now in Unix ms) -> one per item

CROWD = 0.1  # of a friend's act: what one of anybody is worth
NEVER = 2**62
SINGLES = ("popularity", "friend-recency", "friend-count")


@dataclass(frozen=True, slots=True)
class Acts:
    """What people did, by time, in columns of equal length; users and items count from 0."""

    at: Moments  # Unix ms
    user: Indexes
    item: Indexes
    users: int
    items: int

    @property
    def pair(self) -> Indexes:
        """Number the pairs of user and item."""
        return self.user * self.items + self.item

    def firsts(self) -> Indexes:
        """Point to the first act of each user on each item, by time."""
        return np.sort(np.unique(self.pair, return_index=True)[1])

    def superseded(self) -> Indexes:
        """Give for each act the one of the same user and item before it, or -1."""
        by_pair = np.argsort(self.pair, kind="stable")
        before = np.full(len(by_pair), -1)
        same = self.pair[by_pair][1:] == self.pair[by_pair][:-1]
        before[by_pair[1:][same]] = by_pair[:-1][same]
        return before


class Crowd:
    """Everybody's acts, decayed to the moment asked for; moments must not go back."""

    def __init__(self, acts: Acts, half_life_ms: int) -> None:
        self._acts = acts
        self._half_life_ms = half_life_ms
        before = acts.superseded()
        self._replaced_at = np.where(before < 0, -NEVER, acts.at[before])
        self._counted = 0  # acts
        self._now = 0
        self._strengths = np.zeros(acts.items)

    def popularity(self, viewer: int, now: int) -> Numbers:
        """Score items by the acts on them, whoever asks."""
        del viewer
        new = slice(self._counted, int(np.searchsorted(self._acts.at, now)))
        gained = self._decayed(self._acts.at[new], now) - self._decayed(self._replaced_at[new], now)
        self._strengths *= self._decayed(self._now, now)
        self._strengths += np.bincount(self._acts.item[new], gained, self._acts.items)
        self._counted, self._now = new.stop, now
        return self._strengths.copy()

    def _decayed(self, at: Moments | int, now: int) -> Numbers:
        decayed: Numbers = np.exp2((at - now) / self._half_life_ms)
        return decayed


class Friends:
    """What each user's circle did, and they themselves."""

    def __init__(self, acts: Acts, circles: Circles, half_life_ms: int) -> None:
        self._circles = circles
        self._half_life_ms = half_life_ms
        self._items = acts.items
        self._first = int(acts.at.min())
        replaced_at = np.full(len(acts.at), NEVER)
        before = acts.superseded()
        replaced_at[before[before >= 0]] = acts.at[before >= 0]
        by_user = np.argsort(acts.user, kind="stable")
        ends = np.cumsum(np.bincount(acts.user, minlength=acts.users))[:-1]
        columns = (acts.at, acts.item, replaced_at)
        split = [np.split(column[by_user], ends) for column in columns]
        self._of_user = list(zip(*split, strict=True))

    def recency(self, viewer: int, now: int) -> Numbers:
        """Score items by the latest act of the circle."""
        at, item = self._of_circle(viewer, now)
        latest = np.zeros(self._items)
        np.maximum.at(latest, item, 1.0 + at - self._first)
        return latest

    def count(self, viewer: int, now: int) -> Numbers:
        """Score items by the acts of the circle, each decayed."""
        at, item = self._of_circle(viewer, now)
        counted: Numbers = np.bincount(
            item, np.exp2((at - now) / self._half_life_ms), self._items
        ).astype(np.float64)
        return counted

    def acted_on(self, viewer: int, now: int) -> set[int]:
        """Name the items on which the circle has acted."""
        return set(self._of_circle(viewer, now)[1].tolist())

    def own(self, user: int, now: int) -> Indexes:
        """Name the items on which the user has acted."""
        return self._before(user, now)[1]

    def _of_circle(self, viewer: int, now: int) -> tuple[Moments, Indexes]:
        acts = [self._before(one, now) for one in self._circles[viewer]]
        nothing = np.empty(0, dtype=np.int64)
        at = np.concatenate([nothing, *(one[0] for one in acts)])
        return at, np.concatenate([nothing, *(one[1] for one in acts)])

    def _before(self, user: int, now: int) -> tuple[Moments, Indexes]:
        """Give a user's newest act on each item, of those before `now`."""
        at, item, replaced_at = self._of_user[user]
        end = int(np.searchsorted(at, now))
        newest = replaced_at[:end] >= now
        return at[:end][newest], item[:end][newest]


def baselines(
    acts: Acts, friends: Friends, half_life_ms: int, chance: Generator
) -> dict[str, Scorer]:
    """Make the plain rankings of `acts`, by name; they must be asked in the order of time."""
    crowd = Crowd(acts, half_life_ms)
    appeared = np.full(acts.items, NEVER)
    items, first = np.unique(acts.item, return_index=True)
    appeared[items] = acts.at[first]
    return {
        "popularity": crowd.popularity,
        "friend-recency": friends.recency,
        "friend-count": friends.count,
        "friend+0.1pop": lambda viewer, now: (
            friends.count(viewer, now) + CROWD * crowd.popularity(viewer, now)
        ),
        "random": lambda _, now: chance.random(acts.items) * (appeared < now),
    }


def best(scores: Numbers, excluded: Indexes, most: int) -> list[int]:
    """Rank the items of greatest score, at most `most`, without those `excluded`.

    >>> best(np.array([0.0, 2.0, 3.0, 1.0]), np.array([2]), 10)
    [1, 3]
    """
    left = scores.copy()
    left[excluded] = 0.0
    kept = np.argpartition(left, -most)[-most:] if len(left) > most else np.arange(len(left))
    ranked = kept[np.argsort(-left[kept], kind="stable")]
    found: list[int] = ranked[left[ranked] > 0].tolist()
    return found
