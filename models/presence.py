"""A worker as the store knows it: whether it still says something, and whether it has just come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SILENT_S = 5  # a worker asks the store for something once a second
QUIET_S = 2  # who does so is at 0 or 1: the store counts whole seconds
NEW_S = 10  # a start takes 4 to 7 s until events are applied


@dataclass(frozen=True, slots=True)
class Presence:
    """One worker that is connected to the store."""

    name: str  # `host:pid`
    silent_s: int  # since it last asked for anything
    there_s: int  # since it connected

    @property
    def is_silent(self) -> bool:
        """Tell whether it is frozen, as far as the store can tell.

        >>> Presence("east:41", silent_s=5, there_s=60).is_silent
        True
        """
        return self.silent_s >= SILENT_S and not self.is_new

    @property
    def is_new(self) -> bool:
        """Tell whether it may still be about to begin."""
        return self.there_s < NEW_S


def suspects(workers: Iterable[Presence]) -> list[str]:
    """Name those to look at where events wait: the silent, before there are any the quiet, or all.

    >>> east, west = Presence("east:41", silent_s=3, there_s=60), Presence("west:7", 0, 60)
    >>> suspects([east, west]), suspects([west])
    (['east:41'], ['west:7'])
    """
    there = list(workers)
    silent = [one for one in there if one.is_silent]
    quiet = [one for one in there if one.silent_s >= QUIET_S and not one.is_new]
    return [one.name for one in silent or quiet or there]
