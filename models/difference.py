"""Something that is not as the definition asks, in one line for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from models.view import Proof

# Of a user, then of an item.
ASPECTS = (
    *("circle", "favoured", "blocked", "feed", "proof", "seen", "acted", "hidden", "taste"),
    *("candidate", "page", "engagement", "trending", "fresh"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs: of whom (a user, an item, or a list), in which aspect, and in what exactly."""

    who: str
    aspect: str  # one of ASPECTS
    what: str
    expected: str
    found: str
    proofs: tuple[Proof, ...] | None = None  # where the acts behind it say more

    def __str__(self) -> str:
        """Say it in one line.

        >>> print(Difference("ann", "circle", "bob", "yes", "no"))
        ann: circle bob expected yes, found no
        >>> print(Difference("ann", "feed", "song", "2000", "nothing", proofs=()))
        ann: feed song expected 2000, found nothing; proofs: none
        """
        line = f"{self.who}: {self.aspect} {self.what} expected {self.expected}, found {self.found}"
        return line if self.proofs is None else f"{line}; proofs: {listed(self.proofs)}"


def listed(proofs: Iterable[Proof]) -> str:
    """Name acts in one line; times are Unix ms."""
    return ", ".join(f"{one.kind} by {one.actor} at {one.at}" for one in proofs) or "none"


def apart(
    who: str, aspect: str, expected: AbstractSet[str], found: AbstractSet[str]
) -> list[Difference]:
    """Name what is in one of two sets only.

    >>> [str(one) for one in apart("ann", "circle", {"bob"}, {"cat"})]
    ['ann: circle bob expected yes, found no', 'ann: circle cat expected no, found yes']
    """
    return [
        Difference(who, aspect, name, *(("yes", "no") if name in expected else ("no", "yes")))
        for name in sorted(expected ^ found)
    ]
