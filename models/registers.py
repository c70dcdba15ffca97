"""Registers: switches that events turn on and off, in any order and any number of times.

Of each register only two moments are kept, the newest it was turned on and the newest it was
turned off: what comes late or twice finds them as they are, so order cannot matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from models import events

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def registers_of(event: events.Event) -> Iterator[tuple[Owner, str]]:
    """Name the registers that `event` writes: whose, and the item or the other account."""
    match event:
        case events.Like() | events.Unlike():
            yield ("like", event.user), event.item
        case events.Share(to=None) | events.Unshare(to=None):
            yield ("share", event.user), event.item
        case events.Share(to=[*recipients]) | events.Unshare(to=[*recipients]):
            for recipient in recipients:
                yield ("direct", event.user, recipient), event.item
        case events.Befriend() | events.Unfriend():
            yield ("friend", event.user), event.friend
            yield ("friend", event.friend), event.user
        case events.Follow() | events.Unfollow():
            yield ("follow", event.user), event.friend
