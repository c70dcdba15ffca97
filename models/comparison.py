"""When a feed that was found is the one the definition asks for, and what to say when not.

A store may hold what has left the horizon until it next looks at the pair, so a score may lie
anywhere between that of the proofs and that of proofs and expired acts together. Scores are whole
milliseconds merged one signal at a time: one of slack for each act, and one more. Of a full feed
the first half is compared, of a feed with a floor what lies above it, of any other all of it.
Wherever it stands, nothing may be in a feed without an act behind it, nor be there at all where it
was taken down or hidden.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.decay import effective_time
from models.difference import Difference
from models.view import Pair

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.view import View


@dataclass(frozen=True, slots=True)
class Range:
    """The scores a pair may have (Unix ms); `least` is -inf where it may be absent.

    >>> print(Range(1_000.4, 1_000.4, slack=2), Range(1_000, 1_600, slack=3), sep=", ")
    1000, 1000 to 1600
    """

    least: float
    greatest: float
    slack: int

    @property
    def is_empty(self) -> bool:
        """Tell whether no score is right: nothing was ever done that could bring the item."""
        return self.greatest == -math.inf

    def holds(self, score: float) -> bool:
        """Tell whether `score` is right."""
        return self.least - self.slack <= score <= self.greatest + self.slack

    def lies_above(self, cut: float) -> bool:
        """Tell whether every right score is above `cut`."""
        return self.least - self.slack > cut

    def __str__(self) -> str:
        """Say it in a few words."""
        if self.is_empty:
            return "nothing"
        if self.least == -math.inf:
            return f"nothing, or at most {self.greatest:.0f}"
        span = f"{self.least:.0f}", f"{self.greatest:.0f}"
        return " to ".join(dict.fromkeys(span))


def differences(  # noqa: PLR0913 - what is known of a feed, and of the log
    view: View,
    user: str,
    found: Mapping[str, int],
    *,
    pairs: Mapping[str, Pair] | None = None,
    floor: int | None = None,
    whole_log: bool = True,
) -> list[Difference]:
    """Compare the feed `found` for `user` (item -> score, Unix ms) with the definition.

    `pairs` are those of the user, where somebody has them already. `floor` is the score down to
    which the store vouches for the feed, where it has one. Where the log is not whole, its
    beginning having expired, acts beyond the horizon may be unknown to `view`: then a score may be
    as much greater as all of the circle could have made it.
    """
    pairs, gone = view.pairs(user) if pairs is None else pairs, view.gone(user)
    forgotten = -math.inf if whole_log else _forgotten(view, user)
    cut = _cut(list(found.values()), floor, view.policy.feed_size)
    proven = {item for item, pair in pairs.items() if pair.proofs}
    differing = []
    for item in sorted(proven | found.keys()):
        pair = pairs.get(item, Pair())
        expected = range_of(view, user, pair, -math.inf if item in gone else forgotten)
        if not agree(found.get(item), expected, cut):
            score, proofs = str(found.get(item, "nothing")), tuple(sorted(pair.proofs))
            differing.append(Difference(user, "feed", item, str(expected), score, proofs))
    return differing


def agree(score: float | None, expected: Range, cut: float = -math.inf) -> bool:
    """Tell whether `score`, or its absence, is right; what is at or below `cut` is not compared."""
    if score is None:
        return not expected.lies_above(cut)
    return expected.holds(score) if score > cut else not expected.is_empty


def _cut(scores: list[int], floor: int | None, feed_size: int) -> float:
    """Give the score above which a feed is compared."""
    vouched = -math.inf if floor is None else floor
    if len(scores) < feed_size:
        return vouched
    return max(vouched, sorted(scores, reverse=True)[feed_size // 2])


def range_of(view: View, user: str, pair: Pair, forgotten: float = -math.inf) -> Range:
    """Give the scores that a pair may have; `forgotten` is what acts unknown may add."""
    live = [view.contribution(user, proof) for proof in pair.proofs]
    expired = [view.contribution(user, proof) for proof in pair.expired]
    least = greatest = _merged(view, live)
    if expired or forgotten > -math.inf:
        greatest = _merged(view, [*live, *expired, forgotten])
    return Range(least, greatest, slack=len(live) + len(expired) + 1)


def _merged(view: View, contributions: list[float]) -> float:
    known = [one for one in contributions if one > -math.inf]
    return effective_time(known, view.policy.half_life_ms) if known else -math.inf


def _forgotten(view: View, user: str) -> float:
    """Score the most that acts beyond the horizon could add: one of each kind by each account."""
    ties = sum(view.tie(user, actor) for actor in view.circle(user))
    most = ties * sum(view.policy.weights.values())
    return view.horizon + view.policy.half_life_ms * math.log2(most) if most else -math.inf
