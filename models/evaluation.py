"""How well rankings foretell what people go on to do: hits, coverage, and how sure that is.

A target is a user's first act on an item. Each ranking is asked at the moment of the target, from
what happened strictly before; it hits where the item is among its first ten, or fifty.

Intervals are those of a bootstrap over users, not over targets: the targets of one user resemble
each other, and taken for independent they would feign certainty. Two rankings are compared by the
differences of each user, resampled together. Efron, Tibshirani: An Introduction to the Bootstrap,
1993.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec
import numpy as np

from models.policy import LEAST_HALF_LIVES, MOST_HALF_LIVES

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from numpy.random import Generator

    from models.baselines import Acts, Indexes
    from models.decay import Numbers
    from models.policy import Policy

    Interval: TypeAlias = tuple[float, float]

TOP, DEPTH = 10, 50  # places of a hit, and places asked for
ROUNDS = 2_000  # of the bootstrap
TAILS = (2.5, 97.5)  # percentiles: an interval holds 95 of 100


class Part(StrEnum):
    """Which targets are asked for: those to choose numbers with, or those to report."""

    TUNE = "tune"  # before the split
    REPORT = "report"  # from it on


class Question(NamedTuple):
    """What will this viewer do at this moment? Its answers are the targets, items."""

    viewer: int
    now: int  # Unix ms
    targets: tuple[int, ...]


class Measures(msgspec.Struct, frozen=True, rename=lambda name: name.replace("hr_", "hr@")):
    """How one ranking did; shares are between 0 and 1."""

    ranking: str
    hr_10: float  # targets among the first ten
    hr_10_interval: Interval
    hr_50: float
    hr_50_interval: Interval
    mrr: float  # mean of 1 / place, within the first fifty
    mrr_interval: Interval
    coverage: float  # of all items: those ever among somebody's first ten
    outside_circle: float  # of the first tens: items on which nobody of the circle has acted


class Comparison(msgspec.Struct, frozen=True):
    """How a ranking did against the best of some baselines, by hr@10."""

    ranking: str
    baseline: str
    difference: float
    interval: Interval
    verdict: str  # above or below where the interval says so, else undecided


@dataclass(slots=True)
class Tally:
    """At which places a ranking had the targets, 0 for none, and what it showed."""

    places: list[int] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)
    tops: int = 0  # items in first tens
    outside: int = 0  # of these

    def add(self, ranked: Sequence[int], targets: Sequence[int], familiar: Container[int]) -> None:
        """Count one answer; `familiar` items are those on which the circle has acted."""
        self.places += [ranked.index(one) + 1 if one in ranked else 0 for one in targets]
        top = ranked[:TOP]
        self.shown.update(top)
        self.tops += len(top)
        self.outside += sum(item not in familiar for item in top)

    def hits(self, depth: int) -> Numbers:
        """Give 1 for each target within the first `depth` places, 0 for each other."""
        places = np.array(self.places)
        return ((places > 0) & (places <= depth)).astype(np.float64)

    def reciprocals(self) -> Numbers:
        """Give 1 / place for each target, 0 where it has none."""
        places = np.array(self.places, dtype=np.float64)
        return np.divide(1.0, places, out=np.zeros_like(places), where=places > 0)


class Bootstrap:
    """Users drawn again and again, with all their targets; the same draws for every question."""

    def __init__(self, users: Sequence[int], chance: Generator) -> None:
        """`users` are those of the targets, in the order of the values asked for."""
        names, self._user = np.unique(users, return_inverse=True)
        self._targets = np.bincount(self._user).astype(np.float32)
        even = np.full(len(names), 1 / len(names))
        self._draws = chance.multinomial(len(names), even, ROUNDS).astype(np.float32)

    def interval(self, values: Numbers) -> Interval:
        """Bound the mean of `values`, one of each target.

        >>> alike = Bootstrap([1, 1, 2, 2], np.random.default_rng(1))
        >>> alike.interval(np.array([1.0, 0.0, 0.0, 1.0]))
        (0.5, 0.5)
        """
        sums = np.bincount(self._user, values).astype(np.float32)
        low, high = np.percentile(self._draws @ sums / (self._draws @ self._targets), TAILS)
        return float(low), float(high)


def at_half_life(policy: Policy, half_life_ms: int) -> Policy:
    """Let feeds and trending forget at one pace; the horizon is kept, or as near as it may be.

    >>> from models.policy import DAY, HOUR, Policy
    >>> [at_half_life(Policy(), pace).horizon_ms // DAY for pace in (30 * DAY, 6 * HOUR)]
    [300, 7]
    """
    least, most = LEAST_HALF_LIVES * half_life_ms, MOST_HALF_LIVES * half_life_ms
    return replace(
        policy,
        half_life_ms=half_life_ms,
        trending_half_life_ms=half_life_ms,
        horizon_ms=min(max(policy.horizon_ms, least), most),
    )


def targets(acts: Acts, part: Part, split: int, most: int, chance: Generator) -> Indexes:
    """Choose at most `most` first acts before or from `split` (Unix ms) on, by time."""
    firsts = acts.firsts()
    reported = acts.at[firsts] >= split
    among = firsts[reported if part is Part.REPORT else ~reported]
    return np.sort(chance.choice(among, min(most, len(among)), replace=False))


def questions(acts: Acts, chosen: Indexes) -> list[Question]:
    """Ask once for all the targets of a viewer at one moment; questions come by time."""
    columns = (acts.at[chosen].tolist(), acts.user[chosen].tolist(), acts.item[chosen].tolist())
    ordered = sorted(zip(*columns, strict=True))
    return [
        Question(viewer, now, tuple(item for _, _, item in some))
        for (now, viewer), some in groupby(ordered, key=lambda target: target[:2])
    ]


def measures(ranking: str, tally: Tally, bootstrap: Bootstrap, items: int) -> Measures:
    """Measure a ranking; `items` is the size of the catalogue."""
    ten, fifty, reciprocal = tally.hits(TOP), tally.hits(DEPTH), tally.reciprocals()
    return Measures(
        ranking=ranking,
        hr_10=float(ten.mean()),
        hr_10_interval=bootstrap.interval(ten),
        hr_50=float(fifty.mean()),
        hr_50_interval=bootstrap.interval(fifty),
        mrr=float(reciprocal.mean()),
        mrr_interval=bootstrap.interval(reciprocal),
        coverage=len(tally.shown) / items,
        outside_circle=tally.outside / max(1, tally.tops),
    )


def compare(
    ranking: str, tallies: Mapping[str, Tally], baselines: Sequence[str], bootstrap: Bootstrap
) -> Comparison:
    """Hold a ranking against whichever of `baselines` has most hits among the first ten."""
    strongest = max(baselines, key=lambda name: tallies[name].hits(TOP).sum())
    differences = tallies[ranking].hits(TOP) - tallies[strongest].hits(TOP)
    low, high = bootstrap.interval(differences)
    verdict = "above" if low > 0 else "below" if high < 0 else "undecided"
    return Comparison(ranking, strongest, float(differences.mean()), (low, high), verdict)
