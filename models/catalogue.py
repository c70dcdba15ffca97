"""The items of a simulation: a few are very popular, and new ones take the places of old ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.draws import ints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

ITEMS = 10_000  # that are there at any time
ZIPF = 1.0  # the most popular item is seen ten times as often as the tenth
TOPICS = ("animals", "art", "food", "games", "music", "news", "science", "sport", "style", "travel")
OFF_TOPIC = 0.3  # of the posts are about something else, too


class Catalogue:
    """Items by rank, the most popular first; `rolls` are even, from 0 to 1."""

    def __init__(self, chance: Generator, rolls: Iterator[float]) -> None:
        self._ranks = ints(lambda count: _ranks(chance.random(count)))
        self._rolls = rolls
        self._items = list(range(ITEMS))
        self._newest = ITEMS - 1

    def any(self) -> str:
        """Name an item, by Zipf's law."""
        return str(self._items[next(self._ranks)])

    def renew(self) -> tuple[str, str]:
        """Put a new item in the place of any other; name the other and the new one."""
        place = int(next(self._rolls) * ITEMS)
        old, self._newest = self._items[place], self._newest + 1
        self._items[place] = self._newest
        return str(old), str(self._newest)

    def topics(self, author: int) -> list[str]:
        """Say what an author's next item is about: what it always is, and at times another."""
        about = [TOPICS[author % len(TOPICS)]]
        if (roll := next(self._rolls)) < OFF_TOPIC:
            about.append(TOPICS[int(roll / OFF_TOPIC * len(TOPICS))])
        return list(dict.fromkeys(about))


def _ranks(rolls: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turn even chance into ranks, the first the most frequent, by Zipf's law."""
    cumulated = np.cumsum(np.arange(1, ITEMS + 1) ** -ZIPF)
    return np.searchsorted(cumulated / cumulated[-1], rolls)
