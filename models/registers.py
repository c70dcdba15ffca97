"""Registers: switches that events turn on and off, in any order and any number of times.

Of each register only two moments are kept, the newest it was turned on and the newest it was
turned off: what comes late or twice finds them as they are, so order cannot matter.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from models import events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Owner: TypeAlias = tuple[str, ...]  # whose registers: a kind, and one account or two


@dataclass(slots=True)
class Register:
    """A switch whose last writer wins: when last turned on and off (Unix ms, 0 = never)."""

    on: int = 0
    off: int = 0

    @property
    def at(self) -> int:
        """Give the moment of the last word."""
        return max(self.on, self.off)

    @property
    def is_on(self) -> bool:
        """Tell whether the last word is on; at equal moments off wins."""
        return self.on > self.off

    def write(self, event: events.Event) -> None:
        """Take in an event that switches this register, early or late, once or many times."""
        if event.off:
            self.off = max(self.off, event.at)
        else:
            self.on = max(self.on, event.at)


class Registers:
    """All registers, by owner and by name: that of the item, or of the other account.

    >>> registers = Registers()
    >>> registers.write(events.Befriend(user="ann", friend="bob", at=1))
    >>> registers.write(events.Block(user="bob", other="ann", at=2))
    >>> registers.on("friend", "ann"), registers.on("block", "ann")
    (['bob'], [])
    """

    def __init__(self) -> None:
        self._owned: defaultdict[Owner, dict[str, Register]] = defaultdict(dict)
        self._owners: defaultdict[str, list[Owner]] = defaultdict(list)  # by name
        self._least: dict[tuple[Owner, int], tuple[int, str]] = {}  # of the newest so many

    def write(self, event: events.Event) -> None:
        """Write the registers that `event` is about."""
        for owner, name in registers_of(event):
            owned = self._owned[owner]
            if name not in owned:
                owned[name] = Register()
                self._owners[name].append(owner)
            owned[name].write(event)
        self._least.clear()

    def of(self, *owner: str) -> Mapping[str, Register]:
        """Give the registers of an owner, by name."""
        return self._owned.get(owner, {})

    def on(self, *owner: str) -> list[str]:
        """Name the registers of an owner that are on."""
        return [name for name, one in self.of(*owner).items() if one.is_on]

    def is_on(self, name: str, *owner: str) -> bool:
        """Tell whether a register is on; what was never written is not."""
        return name in (owned := self.of(*owner)) and owned[name].is_on

    def owners(self, kinds: tuple[str, ...], name: str) -> list[Owner]:
        """Give the owners of a register of one of `kinds` that has this name."""
        return [owner for owner in self._owners.get(name, ()) if owner[0] in kinds]

    def is_kept(self, name: str, kept: int, *owner: str) -> bool:
        """Tell whether a register is among the newest `kept` of its owner, on or off."""
        owned = self.of(*owner)
        if len(owned) <= kept:
            return name in owned
        if (owner, kept) not in self._least:
            self._least[owner, kept] = min(newest(owned, kept))
        return name in owned and (owned[name].at, name) >= self._least[owner, kept]


def newest(
    registers: Mapping[str, Register], kept: int, *, beyond: int = 0
) -> list[tuple[int, str]]:
    """Give moment and name of the `kept` newest registers after `beyond` (Unix ms), on or off."""
    young = [(one.at, name) for name, one in registers.items() if one.at > beyond]
    return young if len(young) <= kept else heapq.nlargest(kept, young)


def registers_of(event: events.Event) -> Iterator[tuple[Owner, str]]:
    """Name the registers that `event` writes: whose, and the item or the other account."""
    match event:
        case events.View():
            pass
        case events.Share(to=[*recipients]) | events.Unshare(to=[*recipients]):
            for recipient in recipients:
                yield ("direct", event.user, recipient), event.item
        case events.OnItem():
            yield (event.register, event.user), event.item
        case events.Befriend() | events.Unfriend():
            yield ("friend", event.user), event.friend
            yield ("friend", event.friend), event.user
        case events.Follow() | events.Unfollow():
            yield ("follow", event.user), event.friend
        case events.Stance():
            yield (event.register, event.user), event.other
