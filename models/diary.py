"""What came of a simulation: a diary of visits, and what it says of circles, creators, topics."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from models import events
from models.policy import HOUR
from models.spread import breadth, fans, gini, hops

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from models.people import People
    from models.viewers import Served

STARTED = 1 / 8  # views of a newcomer's items, of the number of people: a good start


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What came of a simulation. Only items that its people posted count."""

    pages: int
    posts: int
    views: int
    completion: float  # part of an item that is seen, in the mean
    likes_a_view: float
    out_of_circle: float  # part of the views: two hops from the author, or more
    reaching_two: float  # part of the posts: seen by somebody two hops away, or more
    reaching_three: float
    farthest: float  # hops to the farthest viewer of a post that is seen, in the mean
    gini: float  # of views over creators
    newcomers_seen: float  # part of the newcomers who posted: anybody sees an item of theirs
    newcomers_started: float  # part of them: an eighth as many views as there are people
    hours_to_start: float  # from the first post to that, in the median of those who got there
    topics_seen: float  # by a viewer: as many equally frequent ones, in the mean
    topics_wanted: float  # the same of their interests


class Diary:
    """Visits in the order of time, of people who know each other."""

    def __init__(self, visits: Sequence[Served], people: People) -> None:
        self._people = people
        self._visits = visits
        done = [event for visit in visits for event in visit.done]
        self.posts = {event.item: event for event in done if isinstance(event, events.Post)}
        self._looks = [event for event in done if isinstance(event, events.View)]
        self.views = [view for view in self._looks if view.item in self.posts]
        self.likes = sum(isinstance(event, events.Like) for event in done)

    def author(self, item: str) -> int:
        """Tell who posted an item."""
        return int(self.posts[item].user)

    def hops(self) -> list[int]:
        """Count the hops of each view from the author to the viewer."""
        reached = fans(self._people.network)
        authors = {self.author(view.item) for view in self.views}
        distances = {author: hops(reached, author) for author in authors}
        return [distances[self.author(view.item)][int(view.user)] for view in self.views]

    def farthest(self) -> dict[str, int]:
        """Give for each post that is seen the hops to its farthest viewer."""
        found: dict[str, int] = {}
        for view, distance in zip(self.views, self.hops(), strict=True):
            found[view.item] = max(distance, found.get(view.item, 0))
        return found

    def views_of_creators(self) -> dict[int, list[int]]:
        """Give for each who posted the moments (Unix ms) when something of theirs is seen."""
        moments: dict[int, list[int]] = {self.author(item): [] for item in self.posts}
        for view in self.views:
            moments[self.author(view.item)].append(view.at)
        return moments

    def hours_to_start(self) -> dict[int, float]:
        """Give for each newcomer who posted the hours from that to a good start; inf for never."""
        enough = max(1, round(STARTED * self._people.network.users))
        began: dict[int, int] = {}
        for item, post in self.posts.items():
            began.setdefault(self.author(item), post.at)
        return {
            creator: (seen[enough - 1] - began[creator]) / HOUR if len(seen) >= enough else math.inf
            for creator, seen in self.views_of_creators().items()
            if creator in self._people.newcomers
        }

    def breadths(self) -> list[tuple[float, float]]:
        """Give for each who has seen anything the breadth of that, and of their interests."""
        topics: defaultdict[int, Counter[str]] = defaultdict(Counter)
        for view in self.views:
            topics[int(view.user)].update(self.posts[view.item].topics or ())
        interests = self._people.interests
        return [
            (breadth(list(seen.values())), breadth(interests[user]))
            for user, seen in topics.items()
        ]

    def charged(self, account: str) -> list[int]:
        """Count for each page the items that are there on account of one account."""
        return [visit.accounts.count(account) for visit in self._visits]

    def part_of(self, account: str) -> float:
        """Give the part of all that was shown, seen or not, that was on account of one account."""
        return sum(self.charged(account)) / max(1, sum(len(one.accounts) for one in self._visits))

    def attention(self, items: Container[str]) -> float:
        """Give the part of all looks that went to some items, whoever posted them."""
        return mean(view.item in items for view in self._looks)

    def spread(self) -> Spread:
        """Measure it all."""
        distances, farthest = self.hops(), self.farthest()
        moments, starts = self.views_of_creators(), self.hours_to_start()
        started = [hours for hours in starts.values() if hours < math.inf]
        breadths = self.breadths()
        return Spread(
            pages=len(self._visits),
            posts=len(self.posts),
            views=len(self.views),
            completion=mean(view.completion or 0 for view in self.views),
            likes_a_view=self.likes / max(1, len(self.views)),
            out_of_circle=mean(distance >= 2 for distance in distances),
            reaching_two=sum(hop >= 2 for hop in farthest.values()) / max(1, len(self.posts)),
            reaching_three=sum(hop >= 3 for hop in farthest.values()) / max(1, len(self.posts)),
            farthest=mean(farthest.values()),
            gini=gini([len(seen) for seen in moments.values()]),
            newcomers_seen=mean(bool(moments[creator]) for creator in starts),
            newcomers_started=len(started) / max(1, len(starts)),
            hours_to_start=median(started) if started else math.inf,
            topics_seen=mean(seen for seen, _ in breadths),
            topics_wanted=mean(wanted for _, wanted in breadths),
        )


def mean(values: Iterable[float]) -> float:
    """Give the mean, 0 of nothing.

    >>> mean([1, 2]), mean([])
    (1.5, 0.0)
    """
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0
