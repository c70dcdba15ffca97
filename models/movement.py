"""What became of a live feed: entries that are gone, moved, new or changed.

    old feed ──> difference ──> movement ──> applied to the old feed ──> new feed

As few entries move as can be: those that keep their order among each other stay. Whoever has the
old feed takes out what is gone or moves, puts in what moved or is new, each at its place in the new
feed, the first place first, and puts changed entries where they were.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class Shown(Protocol):
    """What a feed is a list of: an item, at most once, with all that is shown of it."""

    @property
    def item(self) -> str:
        """Name the item."""


E = TypeVar("E", bound=Shown)


class Placed(NamedTuple, Generic[E]):
    """An entry, and its place in the new feed; the first is 0."""

    place: int
    entry: E


@dataclass(frozen=True, slots=True)
class Movement(Generic[E]):
    """What became of a feed; each item in at most one of these, in the order of the new feed."""

    gone: list[str]  # items, in the order of the old feed
    moved: list[Placed[E]]  # past entries that stay
    new: list[Placed[E]]
    changed: list[E]  # they stay, and show something else

    def __bool__(self) -> bool:
        """Tell whether anything became of it."""
        return bool(self.gone or self.moved or self.new or self.changed)


def difference(old: Sequence[E], new: Sequence[E]) -> Movement[E]:
    """Tell what became of the feed `old`, which is now `new`."""
    before = {entry.item: (place, entry) for place, entry in enumerate(old)}
    after = {entry.item for entry in new}
    kept = [entry for entry in new if entry.item in before]
    staying = {kept[k].item for k in _rising([before[entry.item][0] for entry in kept])}
    moving = before.keys() - staying
    placed = [Placed(place, entry) for place, entry in enumerate(new)]
    return Movement(
        gone=[entry.item for entry in old if entry.item not in after],
        moved=[one for one in placed if one.entry.item in moving],
        new=[one for one in placed if one.entry.item not in before],
        changed=[one for one in kept if one.item in staying and one != before[one.item][1]],
    )


def applied(old: Sequence[E], movement: Movement[E]) -> list[E]:
    """Give the new feed, as whoever has the old one makes it.

    >>> from typing import NamedTuple
    >>> Entry = NamedTuple("Entry", [("item", str)])
    >>> song, film, book = Entry("song"), Entry("film"), Entry("book")
    >>> became = difference([song, film], [book, song])
    >>> became.gone, became.new
    (['film'], [Placed(place=0, entry=Entry(item='book'))])
    >>> applied([song, film], became) == [book, song]
    True
    """
    out = {*movement.gone, *(one.entry.item for one in movement.moved)}
    changed = {entry.item: entry for entry in movement.changed}
    feed = [changed.get(entry.item, entry) for entry in old if entry.item not in out]
    for place, entry in sorted([*movement.moved, *movement.new], key=lambda one: one.place):
        feed.insert(place, entry)
    return feed


def _rising(places: Sequence[int]) -> list[int]:
    """Give the indexes of a longest rising run of different `places`, which need not be adjacent.

    Patience sorting: https://en.wikipedia.org/wiki/Longest_increasing_subsequence

    >>> _rising([3, 0, 1, 2, 4])
    [1, 2, 3, 4]
    """
    tails: list[int] = []  # of the runs of each length, the index of the lowest last place
    lowest: list[int] = []  # those places
    previous = [-1] * len(places)
    for index, place in enumerate(places):
        length = bisect_left(lowest, place)
        previous[index] = tails[length - 1] if length else -1
        tails[length:] = [index, *tails[length + 1 :]]
        lowest[length:] = [place, *lowest[length + 1 :]]
    run = []
    index = tails[-1] if tails else -1
    while index >= 0:
        run.append(index)
        index = previous[index]
    return run[::-1]
