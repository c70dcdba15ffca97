"""What a store holds at one moment, as an audit finds it: of a user, and of items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.candidate import Candidate, Viewer
    from models.engagement import Engagement
    from models.view import Proof

SHOWN, SHOWN_PROOFS = 20, 10  # entries of a feed as readers see it, and newest proofs of each
PROOFS = 3  # of each candidate
ALL = ""  # the list of what trends in all topics


class Shown(NamedTuple):
    """An entry of a feed as readers see it: its newest proofs, and how many there are."""

    item: str
    proofs: tuple[Proof, ...]
    proofs_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """All that is held of a user: the feed, and what their page is made of.

    Of the viewer everything but the taste is known among the candidates and the accounts that
    these name only.
    """

    feed: list[tuple[str, int]]  # item, effective time (Unix ms), best first
    floor: int | None  # score at or below which the feed may lack entries
    circle: frozenset[str]
    shown: list[Shown]  # the top of the feed
    viewer: Viewer
    candidates: list[Candidate]


class Tally(NamedTuple):
    """What is held of an item: its topics, and what counts for it."""

    topics: tuple[str, ...]
    engagement: Engagement


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What trends and what is fresh in a shard, and all that is held of these items and more."""

    trends: Mapping[str, list[tuple[str, float]]]  # topic, or ALL -> item, score, greatest first
    fresh: list[tuple[str, int]] = field(default_factory=list)  # item, moment, newest first
    items: Mapping[str, Tally] = field(default_factory=dict)
