"""Who the people of a simulation are: hidden interests, how often they come, what they make.

Friends are alike, since they live close by and a district has a taste of its own; nobody shares it
whole. A few who have many friends make a lot, many others try now and then, most only look. All of
it is drawn once, and none of it depends on the pages that people are shown.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from models.catalogue import TOPICS
from models.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from models.candidate import Candidate
    from models.network import Network

    Shares: TypeAlias = NDArray[np.float64]

PARTS = ("homophily", "established", "newcomers", "persistence", "like", "share", "hide")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How people are. Numbers are assumptions, made to be seen and turned.

    The works named found the law that a number belongs to, and of `influence` the size, for one
    like that was there before; that each doubling of friends adds as much is assumed.

    >>> Behaviour(persistence=1.0)
    Traceback (most recent call last):
    ...
    models.errors.PolicyError: persistence is 1.0: give a number from 0 to less than 1
    """

    # Who they are.
    district: int = 40  # people with a taste in common: a circle and its neighbours
    homophily: float = 0.5  # part of an interest that is the district's (McPherson et al. 2001)
    concentration: float = 0.3  # of Dirichlet's law: of ten topics two or three matter to one
    visits_a_day: float = 6.0  # in the mean
    activity: float = 0.8  # sigma of the logarithm: some come ten times as often as others

    # What they make. One in a hundred makes most, nine some, ninety nothing (Nielsen 2006); there
    # are more here, so that a small simulation has enough of them.
    established: float = 0.02  # of the people: those with the most fans
    newcomers: float = 0.3  # of the people: anybody else
    established_posts: float = 1.0  # a visit
    newcomer_posts: float = 0.5
    poor: float = 0.4  # quality is even chance to this power: most is decent, some is poor

    # What they do with a page.
    persistence: float = 0.92  # goes on to the next item (Moffat, Zobel 2008); 12.5 in the mean
    least_seen: float = 0.1  # part of an item that is watched though it does not appeal at all
    appeal_seen: float = 1.5  # how much more of it where it appeals in full
    dwell_shape: float = 0.7  # Weibull's: who has stayed a while stays on (Liu, White, Dumais 2010)
    like: float = 0.2  # likes what appeals in full: one in fifteen looks, in all
    share: float = 0.05
    influence: float = 0.32  # a like more for each doubling of friends (Muchnik et al. 2013)
    hide: float = 0.01  # wants no more of what does not appeal at all

    def __post_init__(self) -> None:
        """Refuse what no people are like."""
        for name in PARTS:
            if not 0 <= getattr(self, name) < 1:
                value = getattr(self, name)
                raise PolicyError(f"{name} is {value}: give a number from 0 to less than 1")
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 0:
                value = getattr(self, field.name)
                raise PolicyError(f"{field.name} is {value}: give 0 or more")


class People:
    """Everybody of a network, counted from 0; the same chance makes the same people."""

    def __init__(self, network: Network, behaviour: Behaviour, chance: Generator) -> None:
        count = network.users
        self.network = network
        self.behaviour = behaviour
        self.interests = _interests(count, behaviour, chance)
        activity = chance.lognormal(sigma=behaviour.activity, size=count)
        self.activity: Shares = activity / activity.sum()
        by_fans = np.argsort(-_fans(network), kind="stable")
        famous = round(count * behaviour.established)
        self.established = frozenset(by_fans[:famous].tolist())
        trying = chance.permutation(by_fans[famous:])[: math.ceil(count * behaviour.newcomers)]
        self.newcomers = frozenset(trying.tolist())

    def posts_a_visit(self, user: int) -> float:
        """Give how often somebody posts when they come."""
        if user in self.established:
            return self.behaviour.established_posts
        return self.behaviour.newcomer_posts if user in self.newcomers else 0.0

    def interest(self, user: int, topics: Sequence[str]) -> float:
        """Give the interest of somebody in an item, from 0 to 1: nothing interests them more.

        It is the mean over the topics of the item, 0 for one without.
        """
        own = self.interests[user]
        known = [own[TOPICS.index(topic)] for topic in topics if topic in TOPICS]
        return float(sum(known) / len(topics) / own.max()) if known else 0.0

    def quality(self, item: str) -> float:
        """Give how good an item is, from 0 to 1: it lies in its id, and nobody knows it."""
        return float((zlib.crc32(item.encode()) / 2**32) ** self.behaviour.poor)

    def appeal(self, user: int, candidate: Candidate) -> float:
        """Give how much somebody likes an item, from 0 to 1: their interest times its quality."""
        return self.quality(candidate.item) * self.interest(user, candidate.topics)


def _interests(count: int, behaviour: Behaviour, chance: Generator) -> Shares:
    """Draw mixtures over the topics: (people, topics), rows add up to 1."""
    law = np.full(len(TOPICS), behaviour.concentration)
    districts = chance.dirichlet(law, size=1 + count // behaviour.district)
    shared = districts[np.arange(count) // behaviour.district]
    own = chance.dirichlet(law, size=count)
    mixed: Shares = behaviour.homophily * shared + (1 - behaviour.homophily) * own
    return mixed


def _fans(network: Network) -> NDArray[np.int64]:
    """Count whom the acts of each reach."""
    reached = np.concatenate([network.friendships.ravel(), network.follows[:, 1]])
    return np.bincount(reached, minlength=network.users)
