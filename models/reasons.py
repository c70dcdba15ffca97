"""Why an item is on a page, in words that a viewer understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.candidate import Source
from models.composition import exploration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from models.candidate import Candidate, Viewer
    from models.page_policy import PagePolicy

VERBS = {  # the most telling first
    "direct": "shared with you by",
    "share": "shared by",
    "post": "posted by",
    "like": "liked by",
}
TELLING = {kind: place for place, kind in enumerate(VERBS)}


def reasons(
    candidate: Candidate, viewer: Viewer, policy: PagePolicy, affinities: Mapping[str, float]
) -> tuple[str, ...]:
    """Say why, the most telling reason first; there is always one.

    >>> from models.candidate import Candidate, Viewer
    >>> from models.page_policy import PagePolicy
    >>> from models.view import Proof
    >>> liked = (Proof("like", "ann", 2), Proof("like", "bob", 1))
    >>> song = Candidate(item="song", topics=("music",), proofs=liked, actors_total=4)
    >>> reasons(song, Viewer(user="cat"), PagePolicy(), {"music": 0.5})
    ('liked by ann and 3 friends', 'because of music')
    """
    found = tuple(_reasons(candidate, viewer, policy, affinities))
    return found or ("new",)


def _reasons(
    candidate: Candidate, viewer: Viewer, policy: PagePolicy, affinities: Mapping[str, float]
) -> Iterator[str]:
    if candidate.proofs:
        yield _social(candidate)
    if Source.TRENDING in candidate.sources:
        yield "trending"
    favourite = max(candidate.topics, key=lambda topic: affinities.get(topic, 0.0), default="")
    if affinities.get(favourite, 0.0) > 0:
        yield f"because of {favourite}"
    new = exploration(candidate, viewer, policy)
    if new is not None:
        yield new


def _social(candidate: Candidate) -> str:
    """Name what the circle did, and who did it last."""
    telling = min(candidate.proofs, key=lambda proof: TELLING[proof.kind])
    others = max(candidate.actors_total, len(candidate.actors)) - 1
    company = f" and {others} friend{'s' * (others > 1)}" if others else ""
    return f"{VERBS[telling.kind]} {telling.actor}{company}"
