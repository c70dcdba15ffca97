"""How far something spreads, how evenly, how broadly: three measures.

hops      from an author to everybody: 1 are the author's fans, 2 are fans of a fan …
gini      0 where all have the same, near 1 where one has all
breadth   as many equally frequent things as are as uncertain: small in a cocoon
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from models.network import Network

Fans = list[list[int]]


def fans(network: Network) -> Fans:
    """List for each user whom their acts reach: friends and followers.

    >>> from models.network import Network
    >>> fans(Network(3, np.array([[0, 1]]), np.array([[2, 0]])))
    [[1, 2], [0], []]
    """
    followers: defaultdict[int, list[int]] = defaultdict(list)
    for follower, followed in network.follows.tolist():
        followers[followed].append(follower)
    return [friends + followers[user] for user, friends in enumerate(network.friends)]


def hops(reached: Fans, author: int) -> list[int]:
    """Count the hops from an author to everybody; where no way leads, as many as there are users.

    >>> hops([[1], [0, 2], [1], []], 0)
    [0, 1, 2, 4]
    """
    far = len(reached)
    distances = [far] * far
    distances[author], ring, distance = 0, [author], 0
    while ring:
        distance += 1
        outer = []
        for user in ring:
            for fan in reached[user]:
                if distances[fan] == far:
                    distances[fan] = distance
                    outer.append(fan)
        ring = outer
    return distances


def gini(shares: Sequence[float]) -> float:
    """Give Gini's coefficient of what each has; 0 for nobody, or where nobody has anything.

    >>> gini([1, 1, 1, 1]), gini([0, 0, 0, 1])
    (0.0, 0.75)
    """
    ranked = np.sort(np.asarray(shares, dtype=np.float64))
    count, whole = len(ranked), ranked.sum()
    if not whole:
        return 0.0
    return float((2 * np.arange(1, count + 1) - count - 1) @ ranked / (count * whole))


def breadth(weights: ArrayLike) -> float:
    """Give the number of equally frequent things that are as uncertain: the exponential of entropy.

    It is Hill's number of order 1 (Ecology 54, 1973); `weights` need not add up to 1.

    >>> breadth([5, 5, 0]), breadth([7])
    (2.0, 1.0)
    """
    known = np.asarray(weights, dtype=np.float64)
    parts = known[known > 0] / known.sum()
    return float(np.exp(-(parts @ np.log(parts))))
