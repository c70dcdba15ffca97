"""Load shedding: while too many events wait, one view in 2^halvings is counted for its item.

Views are most of what comes, and each of them says little. What a viewer saw is always remembered;
a view outside the sample only counts nothing, and one inside counts for those outside: every
halving doubles its weight, so the expected strength of an item is that of all its views. Drawn is
the key under which views count once (account, item, half hour): so repeats are decided alike, and
whoever is in a sample is in every larger one. Nothing but views is ever shed.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from models.policy import HALF_HOUR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.columns import Rows

MOST_HALVINGS = 4  # one view in 16: what fewer would spare is next to nothing


class Stretch(NamedTuple):
    """Offsets `begin` to `next` - 1 of a partition, of whose views a sample was counted."""

    begin: int
    next: int
    halvings: int


def halvings(waiting: int, limit: int, before: int) -> int:
    """Decide how far to shed where `waiting` events wait; `limit` 0 is never.

    One halving at the limit, and one more each time it is doubled; each is given up at half of what
    it began with, so that it does not come and go.

    >>> [halvings(waiting, 100, before=0) for waiting in (99, 100, 200, 400, 10_000)]
    [0, 1, 2, 3, 4]
    >>> [halvings(waiting, 100, before=2) for waiting in (400, 100, 99, 50, 49)]
    [3, 2, 1, 1, 0]
    """
    if not limit:
        return 0
    least = min((waiting // limit).bit_length(), MOST_HALVINGS)
    most = min((2 * waiting // limit).bit_length(), MOST_HALVINGS)
    return min(max(before, least), most)


def is_counted(user: str, item: str, at: int, halved: int) -> bool:
    """Tell whether a view made `at` (Unix ms) is in a sample of one in 2^halved."""
    if not halved:
        return True
    key = f"{user}|{item}|{at // HALF_HOUR}".encode()
    return int.from_bytes(blake2b(key, digest_size=8).digest()) % (1 << halved) == 0


def sampled(rows: Rows, halved: int, trending_half_life_ms: int) -> Rows:
    """Let views in a sample of one in 2^halved count for all, and turn the others into `seen`."""
    kinds, scores = list(rows.kind), list(rows.score)
    for place, kind in enumerate(rows.kind):
        if kind != "view":
            continue
        at = rows.register[place] // 2
        if is_counted(rows.who[place], rows.item[place], at, halved):
            scores[place] = repr(float(scores[place]) + halved * trending_half_life_ms)
        else:
            kinds[place], scores[place] = "seen", ""
    return replace(rows, kind=kinds, score=scores)


def halvings_at(stretches: Sequence[Stretch], offset: int) -> int:
    """Tell how far was shed at an offset, by stretches in their order.

    >>> [halvings_at([Stretch(5, 7, 1), Stretch(7, 9, 2)], offset) for offset in range(4, 10)]
    [0, 1, 1, 2, 2, 0]
    """
    place = bisect_right(stretches, offset, key=lambda one: one.begin)
    if not place or offset >= stretches[place - 1].next:
        return 0
    return stretches[place - 1].halvings
