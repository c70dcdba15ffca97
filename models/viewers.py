"""What people do with their pages: a model of viewers, to close the loop.

    a visit -> posts, whatever the page
            -> looks: from the top, on to the next item or away
            -> of each look a view, and perhaps a like, a share, a hide

How much of an item is seen, and whether it is liked, depends on its appeal: the viewer's interest
in its topics times the quality of the item. Friends who acted on it, and whom the page shows, make
a like more likely. Each visit has chance of its own, so under another page policy the same people
come at the same time, and post the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models import events
from models.catalogue import OFF_TOPIC, TOPICS
from models.draws import ints
from models.policy import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator

    from models.candidate import Candidate
    from models.people import Behaviour, People
    from models.ranking import Ranked

ROLLS = 5  # of one look: seen, liked, shared, hidden, gone


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody comes, at a moment (Unix ms)."""

    user: int
    at: int
    chance: Generator = field(compare=False)


class Served(NamedTuple):
    """One visit: on whose account each item of the page was there, and what was done."""

    accounts: tuple[str | None, ...]
    done: tuple[events.Event, ...]


class Look(NamedTuple):
    """What somebody makes of one item: how much of it they see (0..1), and what they do."""

    completion: float
    liked: bool
    shared: bool
    hidden: bool
    last: bool


class Viewers:
    """People who come and answer; all chance comes from `chance`, visit by visit."""

    def __init__(self, people: People, chance: Generator) -> None:
        self._people = people
        self._chance = chance
        self._comers = ints(
            lambda count: chance.choice(len(people.activity), count, p=people.activity)
        )
        self._newest = 0

    def visit(self, at: int) -> Visit:
        """Let somebody come `at` (Unix ms): whoever is more active comes more often."""
        return Visit(next(self._comers), at, self._chance.spawn(1)[0])

    def visits(self, begin: int, end: int) -> Iterator[Visit]:
        """Let people come from `begin` to `end` (Unix ms), independent of each other (Poisson)."""
        people = self._people
        rate = people.network.users * people.behaviour.visits_a_day / DAY
        at = begin + self._chance.exponential(1 / rate)
        while at < end:
            yield self.visit(round(at))
            at += self._chance.exponential(1 / rate)

    def answer(self, visit: Visit, page: Sequence[Ranked]) -> Served:
        """Give what the visitor does: post, perhaps, and look at a page."""
        accounts = tuple(ranked.account for ranked in page)
        return Served(accounts, (*self._posts(visit), *self._looks(visit, page)))

    def _posts(self, visit: Visit) -> list[events.Event]:
        posting, leaning, straying, astray = visit.chance.random(4).tolist()
        if posting >= self._people.posts_a_visit(visit.user):
            return []
        own = np.cumsum(self._people.interests[visit.user])
        about = [TOPICS[min(int(np.searchsorted(own, leaning)), len(TOPICS) - 1)]]
        if straying < OFF_TOPIC:
            about.append(TOPICS[int(astray * len(TOPICS))])
        self._newest = max(self._newest + 1, visit.at)  # an item is named by its moment
        topics = list(dict.fromkeys(about))
        user, item = str(visit.user), str(self._newest)
        return [events.Post(at=visit.at, user=user, item=item, topics=topics)]

    def _looks(self, visit: Visit, page: Sequence[Ranked]) -> list[events.Event]:
        done: list[events.Event] = []
        chance = visit.chance.random((len(page), ROLLS)).tolist()
        for ranked, rolls in zip(page, chance, strict=True):
            appeal = self._people.appeal(visit.user, ranked.candidate)
            taken = look(appeal, _friends(ranked.candidate), rolls, self._people.behaviour)
            done += _answers(visit, ranked.item, taken)
            if taken.last:
                break
        return done


def look(appeal: float, friends: int, rolls: Sequence[float], behaviour: Behaviour) -> Look:
    """Decide about one item of `appeal` (0..1) on which `friends` acted; rolls are even, below 1.

    >>> from models.people import Behaviour
    >>> never = 0.999
    >>> look(0.5, 0, [0.9, 0.09, never, never, never], Behaviour())
    Look(completion=1.0, liked=True, shared=False, hidden=False, last=True)
    """
    seen, liked, shared, hidden, gone = rolls
    scale = behaviour.least_seen + behaviour.appeal_seen * appeal
    drawn_in = appeal * (1 + behaviour.influence * math.log2(1 + friends))
    return Look(
        completion=min(1.0, scale * (-math.log1p(-seen)) ** (1 / behaviour.dwell_shape)),
        liked=liked < behaviour.like * drawn_in,
        shared=shared < behaviour.share * drawn_in,
        hidden=hidden < behaviour.hide * (1 - appeal),
        last=gone >= behaviour.persistence,
    )


def _friends(candidate: Candidate) -> int:
    """Count the friends whom the viewer is told of."""
    return max(candidate.actors_total, len(candidate.actors))


def _answers(visit: Visit, item: str, taken: Look) -> list[events.Event]:
    user, at = str(visit.user), visit.at
    seen = events.View(at=at, user=user, item=item, completion=taken.completion)
    done: list[events.Event] = [seen]
    kinds = {events.Like: taken.liked, events.Share: taken.shared, events.Hide: taken.hidden}
    done += [kind(at=at, user=user, item=item) for kind, happened in kinds.items() if happened]
    return done
