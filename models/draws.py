"""Seeded chance, one number at a time, and a memory of which any thing may be recalled.

Numbers are drawn in blocks and given one by one, so that they do not depend on who asks when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

BLOCK = 4_096  # numbers drawn at a time
REMEMBERED = 20_000  # latest things in a memory

T = TypeVar("T")


def ints(draw: Callable[[int], NDArray[np.int64]]) -> Iterator[int]:
    """Give the numbers that `draw` draws, so many at a time."""
    while True:
        yield from draw(BLOCK).tolist()


def floats(draw: Callable[[int], NDArray[np.float64]]) -> Iterator[float]:
    """Give the numbers that `draw` draws, so many at a time."""
    while True:
        yield from draw(BLOCK).tolist()


class Memory(Generic[T]):
    """The latest of what was done, up to `REMEMBERED`; `rolls` are even, from 0 to 1.

    >>> memory = Memory[str](iter([0.6, 0.1]))
    >>> memory.add("a"), memory.add("b")
    (None, None)
    >>> memory.take(), memory.any(), len(memory)
    ('b', 'a', 1)
    """

    def __init__(self, rolls: Iterator[float]) -> None:
        self._things: list[T] = []
        self._rolls = rolls

    def __len__(self) -> int:
        return len(self._things)

    def add(self, thing: T) -> None:
        """Remember `thing`, in the place of any other where the memory is full."""
        if len(self._things) < REMEMBERED:
            self._things.append(thing)
        else:
            self._things[self._place()] = thing

    def any(self) -> T:
        """Recall any thing."""
        return self._things[self._place()]

    def take(self) -> T:
        """Recall any thing, and forget it."""
        place = self._place()
        self._things[place], self._things[-1] = self._things[-1], self._things[place]
        return self._things.pop()

    def _place(self) -> int:
        return int(next(self._rolls) * len(self._things))
