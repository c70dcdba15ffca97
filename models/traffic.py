"""What people do: an endless, seeded stream of events in a simulated network.

People come for a session, look at one item after another, and like or share what they see; some
post, and a third of the likes or more repeat. Now and then somebody hides an item, favours, mutes
or blocks a friend. Hardly ever an item is taken down, or an account erased; then a new one takes
its place.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from models import events
from models.catalogue import Catalogue
from models.draws import Memory, floats, ints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator

    from models.network import Network

    Doings: TypeAlias = dict[Callable[[int], events.Event], float]  # and how often

REPEATS = 0.08  # of the likes by intent; with those by accident more than a third
RECONCILED = 1 / 2  # of the new friendships are between people who were friends before
SESSION = 12  # views, in the mean
USERS_PER_SESSION = 10
MOST_NAMED = 3  # recipients of a share by name
DWELL_MS = 4_000  # in the median
STANCES = (  # what somebody makes of a friend, how often, and how often it is taken back
    (events.Block, 0.001, events.Unblock, 0.0005),
    (events.Mute, 0.002, events.Unmute, 0.001),
    (events.Favor, 0.003, events.Unfavor, 0.001),
)


def founding(network: Network, at: int) -> Iterator[events.Event]:
    """Give the events that make the network what it is before anybody does anything."""
    for user, friend in network.friendships.tolist():
        yield events.Befriend(at=at, user=str(user), friend=str(friend))
    for user, friend in network.follows.tolist():
        yield events.Follow(at=at, user=str(user), friend=str(friend))


class Traffic:
    """The events of a network one after another; the same chance gives the same events."""

    def __init__(self, network: Network, chance: Generator) -> None:
        doings = self._acts() | self._edges() | self._preferences()
        odds, centre = np.array(list(doings.values())), np.log(DWELL_MS)
        self._network = network
        self._doings = list(doings)
        self._picks = ints(lambda count: chance.choice(len(odds), count, p=odds / odds.sum()))
        self._dwells = ints(lambda count: chance.lognormal(centre, size=count).astype(np.int64))
        self._rolls = floats(chance.random)
        self._catalogue = Catalogue(chance, self._rolls)
        self._newcomers: dict[int, str] = {}  # by the place they took
        self._since: dict[str, int] = {}  # of newcomers, Unix ms
        count = max(1, network.users // USERS_PER_SESSION)
        self._sessions = [self._session() for _ in range(count)]
        self._liked = Memory[tuple[str, str]](self._rolls)
        self._shared = Memory[tuple[str, str, list[str] | None]](self._rolls)
        self._hidden = Memory[tuple[str, str]](self._rolls)
        self._parted = Memory[tuple[str, str]](self._rolls)
        self._followed = Memory[tuple[str, str]](self._rolls)
        self._taken = {on.register: Memory[tuple[str, str]](self._rolls) for on, *_ in STANCES}

    def next(self, at: int) -> events.Event:
        """Give the next event, which happens `at` (Unix ms)."""
        return self._doings[next(self._picks)](at)

    def _acts(self) -> Doings:
        return {
            self._view: 0.54,
            self._like: 0.265,
            self._unlike: 0.03,
            self._share: 0.06,
            self._send: 0.04,
            self._unshare: 0.01,
            self._post: 0.012,
            self._takedown: 0.0003,
        }

    def _edges(self) -> Doings:
        return {
            self._befriend: 0.012,
            self._unfriend: 0.008,
            self._follow: 0.008,
            self._unfollow: 0.004,
        }

    def _preferences(self) -> Doings:
        doings: Doings = {self._hide: 0.004, self._unhide: 0.001, self._erase: 0.00005}
        for on, often, off, seldom in STANCES:
            doings[partial(self._take_stance, on)] = often
            doings[partial(self._drop_stance, off)] = seldom
        return doings

    def _view(self, at: int) -> events.Event:
        place = self._below(len(self._sessions))
        user, item = self._sessions[place][0], self._catalogue.any()
        ends = next(self._rolls) < 1 / SESSION
        self._sessions[place] = self._session() if ends else (user, item)
        name, dwell_ms = self._name(user), next(self._dwells)
        since = self._since.get(name)
        return events.View(at=at, user=name, item=item, dwell_ms=dwell_ms, since=since)

    def _like(self, at: int) -> events.Event:
        if self._liked and next(self._rolls) < REPEATS:
            user, item = self._liked.any()
        else:
            user, item = self._seen()
            self._liked.add((user, item))
        return events.Like(at=at, user=user, item=item, since=self._since.get(user))

    def _unlike(self, at: int) -> events.Event:
        user, item = self._liked.take() if self._liked else self._seen()
        return events.Unlike(at=at, user=user, item=item)

    def _share(self, at: int) -> events.Event:
        user, item = self._seen()
        self._shared.add((user, item, None))
        return events.Share(at=at, user=user, item=item, since=self._since.get(user))

    def _send(self, at: int) -> events.Event:
        place, item = self._present()
        user, friends = self._name(place), self._network.friends[place]
        first, many = self._below(len(friends) + 1), 1 + self._below(MOST_NAMED)
        to = list(map(self._name, friends[first : first + many])) or None
        self._shared.add((user, item, to))
        return events.Share(at=at, user=user, item=item, to=to, since=self._since.get(user))

    def _unshare(self, at: int) -> events.Event:
        user, item, to = self._shared.take() if self._shared else (*self._seen(), None)
        return events.Unshare(at=at, user=user, item=item, to=to)

    def _post(self, at: int) -> events.Event:
        place, _ = self._present()
        user, topics = self._name(place), self._catalogue.topics(place)
        _, item = self._catalogue.renew()
        since = self._since.get(user)
        return events.Post(at=at, user=user, item=item, topics=topics, since=since)

    def _takedown(self, at: int) -> events.Event:
        item, _ = self._catalogue.renew()
        return events.Takedown(at=at, item=item)

    def _befriend(self, at: int) -> events.Event:
        if self._parted and next(self._rolls) < RECONCILED:
            user, friend = self._parted.take()
        else:
            user, friend = self._strangers()
        return events.Befriend(at=at, user=user, friend=friend)

    def _unfriend(self, at: int) -> events.Event:
        user, friend = self._friends()
        self._parted.add((user, friend))
        return events.Unfriend(at=at, user=user, friend=friend)

    def _follow(self, at: int) -> events.Event:
        user, friend = self._strangers()
        self._followed.add((user, friend))
        return events.Follow(at=at, user=user, friend=friend)

    def _unfollow(self, at: int) -> events.Event:
        user, friend = self._followed.take() if self._followed else self._strangers()
        return events.Unfollow(at=at, user=user, friend=friend)

    def _hide(self, at: int) -> events.Event:
        user, item = self._seen()
        self._hidden.add((user, item))
        return events.Hide(at=at, user=user, item=item)

    def _unhide(self, at: int) -> events.Event:
        user, item = self._hidden.take() if self._hidden else self._seen()
        return events.Unhide(at=at, user=user, item=item)

    def _take_stance(self, kind: type[events.Stance], at: int) -> events.Event:
        user, other = self._friends()
        self._taken[kind.register].add((user, other))
        return kind(at=at, user=user, other=other)

    def _drop_stance(self, undoing: type[events.Stance], at: int) -> events.Event:
        taken = self._taken[undoing.register]
        user, other = taken.take() if taken else self._friends()
        return undoing(at=at, user=user, other=other)

    def _erase(self, at: int) -> events.Event:
        place = self._below(self._network.users)
        user, newcomer = self._name(place), str(self._network.users + len(self._since))
        self._newcomers[place], self._since[newcomer] = newcomer, at
        return events.Erase(at=at, user=user)

    def _name(self, place: int) -> str:
        """Name the account that has a place in the network."""
        return self._newcomers.get(place) or str(place)

    def _session(self) -> tuple[int, str]:
        """Let anybody come, and look at an item."""
        return self._below(self._network.users), self._catalogue.any()

    def _present(self) -> tuple[int, str]:
        """Give the place of someone who is there, and the item before their eyes."""
        return self._sessions[self._below(len(self._sessions))]

    def _seen(self) -> tuple[str, str]:
        """Name someone who is there, and the item before their eyes."""
        place, item = self._present()
        return self._name(place), item

    def _friends(self) -> tuple[str, str]:
        """Name two who are friends, in either order."""
        pair = self._network.friendships[self._below(len(self._network.friendships))]
        user, friend = map(self._name, pair.tolist())
        return (user, friend) if next(self._rolls) < 1 / 2 else (friend, user)

    def _strangers(self) -> tuple[str, str]:
        """Name two who meet: anybody, and one who is the more likely the more friends they have."""
        user, (friend, other) = self._name(self._below(self._network.users)), self._friends()
        return user, friend if friend != user else other

    def _below(self, end: int) -> int:
        return int(next(self._rolls) * end)
