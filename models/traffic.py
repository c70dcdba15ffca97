"""What people do: an endless, seeded stream of events in a simulated network.

People come for a session, look at one item after another, and like or share what they see. Items
follow Zipf's law, new ones take the places of old ones, and a third of the likes or more repeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from models import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from models.network import Network

ITEMS = 10_000  # that are there at any time
ZIPF = 1.0  # the most popular item is seen ten times as often as the tenth
FRESH = 0.02  # of the views are of an item that was not there before
REPEATS = 0.08  # of the likes by intent; with those by accident more than a third
RECONCILED = 1 / 2  # of the new friendships are between people who were friends before
SESSION = 12  # views, in the mean
USERS_PER_SESSION = 10
REMEMBERED = 20_000  # latest acts of a kind, of which any may be repeated or taken back
MOST_NAMED = 3  # recipients of a share by name
DWELL_MS = 4_000  # in the median
BLOCK = 4_096  # numbers drawn at a time

T = TypeVar("T")


def founding(network: Network, at: int) -> Iterator[events.Event]:
    """Give the events that make the network what it is before anybody does anything."""
    for user, friend in network.friendships.tolist():
        yield events.Befriend(at=at, user=str(user), friend=str(friend))
    for user, friend in network.follows.tolist():
        yield events.Follow(at=at, user=str(user), friend=str(friend))


class Traffic:
    """The events of a network one after another; the same chance gives the same events."""

    def __init__(self, network: Network, chance: Generator) -> None:
        doings: dict[Callable[[int], events.Event], float] = {
            self._view: 0.55,
            self._like: 0.27,
            self._unlike: 0.03,
            self._share: 0.06,
            self._send: 0.04,
            self._unshare: 0.01,
            self._befriend: 0.015,
            self._unfriend: 0.01,
            self._follow: 0.01,
            self._unfollow: 0.005,
        }
        self._network = network
        self._doings = list(doings)
        odds, centre = list(doings.values()), np.log(DWELL_MS)
        self._picks = _ints(lambda: chance.choice(len(odds), BLOCK, p=odds))
        self._ranks = _ints(lambda: _ranks(chance.random(BLOCK)))
        self._dwells = _ints(lambda: chance.lognormal(centre, size=BLOCK).astype(np.int64))
        self._rolls = _floats(lambda: chance.random(BLOCK))
        self._items = list(range(ITEMS))  # by rank
        self._newest = ITEMS - 1
        count = max(1, network.users // USERS_PER_SESSION)
        self._sessions = [(self._below(network.users), self._item()) for _ in range(count)]
        self._liked = _Memory[tuple[str, str]](self._rolls)
        self._shared = _Memory[tuple[str, str, list[str] | None]](self._rolls)
        self._parted = _Memory[tuple[str, str]](self._rolls)
        self._followed = _Memory[tuple[str, str]](self._rolls)

    def next(self, at: int) -> events.Event:
        """Give the next event, which happens `at` (Unix ms)."""
        return self._doings[next(self._picks)](at)

    def _view(self, at: int) -> events.Event:
        place = self._below(len(self._sessions))
        user, item = self._sessions[place][0], self._item()
        ends = next(self._rolls) < 1 / SESSION
        self._sessions[place] = self._below(self._network.users) if ends else user, item
        return events.View(at=at, user=str(user), item=str(item), dwell_ms=next(self._dwells))

    def _like(self, at: int) -> events.Event:
        if self._liked and next(self._rolls) < REPEATS:
            user, item = self._liked.any()
        else:
            user, item = self._present()
            self._liked.add((user, item))
        return events.Like(at=at, user=user, item=item)

    def _unlike(self, at: int) -> events.Event:
        user, item = self._liked.take() if self._liked else self._present()
        return events.Unlike(at=at, user=user, item=item)

    def _share(self, at: int) -> events.Event:
        user, item = self._present()
        self._shared.add((user, item, None))
        return events.Share(at=at, user=user, item=item)

    def _send(self, at: int) -> events.Event:
        user, item = self._present()
        friends = self._network.friends[int(user)]
        first, many = self._below(len(friends) + 1), 1 + self._below(MOST_NAMED)
        to = list(map(str, friends[first : first + many])) or None
        self._shared.add((user, item, to))
        return events.Share(at=at, user=user, item=item, to=to)

    def _unshare(self, at: int) -> events.Event:
        user, item, to = self._shared.take() if self._shared else (*self._present(), None)
        return events.Unshare(at=at, user=user, item=item, to=to)

    def _befriend(self, at: int) -> events.Event:
        if self._parted and next(self._rolls) < RECONCILED:
            user, friend = self._parted.take()
        else:
            user, friend = self._stranger()
        return events.Befriend(at=at, user=user, friend=friend)

    def _unfriend(self, at: int) -> events.Event:
        user, friend = self._friendship()
        self._parted.add((user, friend))
        return events.Unfriend(at=at, user=user, friend=friend)

    def _follow(self, at: int) -> events.Event:
        user, friend = self._stranger()
        self._followed.add((user, friend))
        return events.Follow(at=at, user=user, friend=friend)

    def _unfollow(self, at: int) -> events.Event:
        user, friend = self._followed.take() if self._followed else self._stranger()
        return events.Unfollow(at=at, user=user, friend=friend)

    def _present(self) -> tuple[str, str]:
        """Name someone who is there, and the item before their eyes."""
        user, item = self._sessions[self._below(len(self._sessions))]
        return str(user), str(item)

    def _friendship(self) -> tuple[str, str]:
        user, friend = self._network.friendships[self._below(len(self._network.friendships))]
        return str(user), str(friend)

    def _stranger(self) -> tuple[str, str]:
        """Name two who meet: anybody, and one who is the more likely the more friends they have."""
        user, (friend, other) = self._below(self._network.users), self._friendship()
        return str(user), friend if friend != str(user) else other

    def _item(self) -> int:
        if next(self._rolls) >= FRESH:
            return self._items[next(self._ranks)]
        self._newest += 1
        self._items[self._below(ITEMS)] = self._newest
        return self._newest

    def _below(self, end: int) -> int:
        return int(next(self._rolls) * end)


class _Memory(Generic[T]):
    """The latest of what was done, up to `REMEMBERED`."""

    def __init__(self, rolls: Iterator[float]) -> None:
        self._things: list[T] = []
        self._rolls = rolls

    def __len__(self) -> int:
        return len(self._things)

    def add(self, thing: T) -> None:
        """Remember `thing`, in the place of any other where the memory is full."""
        if len(self._things) < REMEMBERED:
            self._things.append(thing)
        else:
            self._things[self._place()] = thing

    def any(self) -> T:
        """Recall any thing."""
        return self._things[self._place()]

    def take(self) -> T:
        """Recall any thing, and forget it."""
        place = self._place()
        self._things[place], self._things[-1] = self._things[-1], self._things[place]
        return self._things.pop()

    def _place(self) -> int:
        return int(next(self._rolls) * len(self._things))


def _ranks(rolls: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turn even chance into ranks, the first the most frequent, by Zipf's law."""
    cumulated = np.cumsum(np.arange(1, ITEMS + 1) ** -ZIPF)
    return np.searchsorted(cumulated / cumulated[-1], rolls)


# Numbers are drawn in blocks and given one by one, so that they do not depend on who asks when.


def _ints(draw: Callable[[], NDArray[np.int64]]) -> Iterator[int]:
    while True:
        yield from draw().tolist()


def _floats(draw: Callable[[], NDArray[np.float64]]) -> Iterator[float]:
    while True:
        yield from draw().tolist()
