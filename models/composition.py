"""A page is more than the best items: nobody fills it alone, and some of it is new to the viewer.

Every item is on the page on account of somebody: of one of those in the circle who acted on it, or,
where none did, of its author. It is charged to whichever of them has the fewest so far, and waits
for a later page when all have `per_actor`. What more accounts brought than are listed is nobody's
marketing. So further acts of friends never keep an item out, and one account never fills a page.

A share of the places explores: by place p at least `explored_by(p)` items are of new creators or of
topics outside the viewer's usual. What gets there on its merit counts; where too little does, the
best of the waiting comes forward.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from models.candidate import Candidate, Viewer
    from models.page_policy import PagePolicy


class Placement(NamedTuple):
    """One place of a page: which candidate has it, on whose account, and if it came forward."""

    which: int  # index
    account: str | None
    reserved: bool  # for exploration


class Page:
    """A page in the making."""

    def __init__(self, candidates: Sequence[Candidate], per_actor: int) -> None:
        self._candidates = candidates
        self._per_actor = per_actor
        self._charged: defaultdict[str, int] = defaultdict(int)
        self._placed: set[int] = set()
        self.placements: list[Placement] = []

    def place_first(self, waiting: Iterator[int], *, reserved: bool) -> bool:
        """Place the first that is free to come; those before it are not for this page."""
        for index in waiting:
            if index not in self._placed and self._place(index, reserved=reserved):
                return True
        return False

    def _place(self, index: int, *, reserved: bool) -> bool:
        answering = answering_for(self._candidates[index])
        account = min(answering, key=lambda one: (self._charged[one], one), default=None)
        if account is not None:
            if self._charged[account] >= self._per_actor:
                return False
            self._charged[account] += 1
        self._placed.add(index)
        self.placements.append(Placement(index, account, reserved))
        return True


def compose(
    candidates: Sequence[Candidate],
    best_first: Sequence[int],
    explores: Callable[[Candidate], bool],
    policy: PagePolicy,
) -> list[Placement]:
    """Fill a page from candidates, given by index; not empty where there is any."""
    page = Page(candidates, policy.per_actor)
    waiting = iter(best_first)
    exploring = (index for index in best_first if explores(candidates[index]))
    explored = 0
    for place in range(1, policy.page_size + 1):
        due = explored < policy.explored_by(place)
        came_forward = due and page.place_first(exploring, reserved=True)
        if not came_forward and not page.place_first(waiting, reserved=False):
            break
        explored += explores(candidates[page.placements[-1].which])
    return page.placements


def answering_for(candidate: Candidate) -> tuple[str, ...]:
    """Name the accounts on one of whose account an item is shown; none where the crowd brings it.

    >>> from models.candidate import Candidate
    >>> from models.view import Proof
    >>> by_ann = Candidate(item="song", author="bob", proofs=(Proof("like", "ann", 1),))
    >>> answering_for(by_ann), answering_for(Candidate(item="song", author="bob"))
    (('ann',), ('bob',))
    """
    actors = candidate.actors
    if actors:
        return actors if candidate.actors_total <= len(actors) else ()
    return () if candidate.author is None else (candidate.author,)


def exploration(candidate: Candidate, viewer: Viewer, policy: PagePolicy) -> str | None:
    """Say what is new in a candidate: its creator, its topics, or nothing."""
    author, counters, known = candidate.author, candidate.counters, viewer.taste
    few = counters is not None and counters.views < policy.few_views
    if few and author is not None and author not in viewer.circle:
        return "new creator"
    if not (candidate.topics and known.liked):
        return None
    familiar = any(topic in known.liked or topic in known.disliked for topic in candidate.topics)
    return None if familiar else "outside your usual topics"
