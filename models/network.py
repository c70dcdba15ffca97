"""A social network to simulate: few have very many friends, and most friends live close by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.random import Generator

Pairs: TypeAlias = NDArray[np.int64]  # (n, 2) users, counted from 0

LEAST_FRIENDS = 6
MOST_FRIENDS = 5_000
TAIL = 1.5  # exponent of the number of friends: a mean of three times the least, a heavy tail
REACH = 0.02  # how far away friends live, as a share of all users
FOLLOWS = 0.5  # followed accounts a user, in the mean


@dataclass(frozen=True)
class Network:
    """Friendships and follows among `users` accounts.

    >>> pair = make_network(2, np.random.default_rng(1))
    >>> pair.friendships.tolist(), pair.friends
    ([[0, 1]], [[1], [0]])
    """

    users: int
    friendships: Pairs  # each pair once, the lower first
    follows: Pairs  # follower, followed

    @cached_property
    def friends(self) -> list[list[int]]:
        """List the friends of every user."""
        both = np.concatenate([self.friendships, self.friendships[:, ::-1]])
        both = both[np.argsort(both[:, 0], kind="stable")]
        ends = np.cumsum(np.bincount(both[:, 0], minlength=self.users))
        return [friends.tolist() for friends in np.split(both[:, 1], ends[:-1])]

    @property
    def busiest(self) -> str:
        """Name the user with the most friends."""
        return str(np.bincount(self.friendships.ravel(), minlength=self.users).argmax())


def make_network(users: int, chance: Generator) -> Network:
    """Draw a network of `users` accounts, at least 2; the same chance gives the same network.

    Every user holds out as many hands as they want friends (Pareto), and hands that are close to
    each other meet: the configuration model, laid out on a line so that circles overlap.
    """
    most = min(MOST_FRIENDS, max(1, users // 3))
    wanted = np.minimum(LEAST_FRIENDS * (1 + chance.pareto(TAIL, users)), most).astype(np.int64)
    hands = np.repeat(np.arange(users), wanted)
    places = hands + users * REACH * chance.standard_cauchy(len(hands))
    hands = hands[np.argsort(places, kind="stable")]
    met = np.sort(hands[: len(hands) // 2 * 2].reshape(-1, 2), axis=1)
    followers = chance.integers(0, users, int(users * FOLLOWS))
    followed = chance.choice(hands, len(followers))  # whoever has many friends has many followers
    follows = np.stack([followers, followed], axis=1)
    return Network(users, _distinct(met), _distinct(follows))


def _distinct(pairs: Pairs) -> Pairs:
    """Keep each pair once, and none of a user with themselves."""
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
