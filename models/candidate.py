"""Who looks, what could be shown to them, and what must not be."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from models.taste import Taste

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from models.page_policy import PagePolicy
    from models.view import Proof

NOBODY: frozenset[str] = frozenset()


class Source(StrEnum):
    """What brought a candidate."""

    SOCIAL = "social"  # the viewer's circle acted on it
    TRENDING = "trending"  # everybody does
    TASTE = "taste"  # it trends in a topic that the viewer likes
    FRESH = "fresh"  # it was just posted, by whomever


ALONE = frozenset({Source.SOCIAL})  # sources of what is in the feed and on no other list
JOINED = [
    frozenset(source for place, source in enumerate(Source) if bits >> place & 1)
    for bits in range(1 << len(Source))
]
BITS = {sources: bits for bits, sources in enumerate(JOINED)}  # as cursors and the store have them


class Counters(NamedTuple):
    """How many accounts did what with an item, within the horizon."""

    views: int = 0
    likes: int = 0
    shares: int = 0


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One item that could be on a page, and all that is known of it; scores are effective times.

    `proofs` are the newest acts of the viewer's circle, newest first; `actors_total` counts the
    accounts behind all of them, where not all are listed. One without `sources` is on no page: it
    is there to be explained.
    """

    item: str
    sources: frozenset[Source] = frozenset({Source.SOCIAL})
    author: str | None = None
    topics: tuple[str, ...] = ()
    posted_at: int | None = None  # Unix ms
    social: float = -math.inf  # under the half-life of feeds
    proofs: tuple[Proof, ...] = ()
    actors_total: int = 0
    trending: float = -math.inf  # under the half-life of trending
    counters: Counters | None = None  # None where they are not known

    @property
    def actors(self) -> tuple[str, ...]:
        """Name the accounts behind the listed proofs, once each, newest first."""
        return tuple(dict.fromkeys([proof.actor for proof in self.proofs]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks: their circle, their taste, and what they want no more of."""

    user: str
    circle: Container[str] = NOBODY
    favoured: Container[str] = NOBODY
    taste: Taste = field(default_factory=Taste)
    seen: Container[str] = NOBODY  # items, as the next two
    acted: Container[str] = NOBODY
    hidden: Container[str] = NOBODY
    blocked: Container[str] = NOBODY  # accounts: blocked by either of the two, or muted


def is_too_lonely(candidate: Candidate, policy: PagePolicy) -> bool:
    """Tell whether only the circle brings an item, and too few of it."""
    if candidate.sources != ALONE:
        return False
    fewest = policy.friends_threshold
    return candidate.actors_total < fewest and len(candidate.actors) < fewest


# Why an item is not shown, under the name that explanations give it; what passes all may be shown.
REFUSALS: dict[str, Callable[[Candidate, Viewer, PagePolicy], bool]] = {
    "hidden": lambda candidate, viewer, _: candidate.item in viewer.hidden,
    "own": lambda candidate, viewer, _: candidate.author == viewer.user,
    "acted": lambda candidate, viewer, _: candidate.item in viewer.acted,
    "seen": lambda candidate, viewer, _: candidate.item in viewer.seen,
    "threshold": lambda candidate, _, policy: is_too_lonely(candidate, policy),
    "brought": lambda candidate, *_: not candidate.sources,
}
