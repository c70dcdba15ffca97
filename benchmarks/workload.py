"""What is measured on: a circle where everybody has 20 fans, and likes by Zipf's law.

A feed is filled by its 20 friends, each with items nobody else likes: as many as it keeps and a
few more. So every feed is full before the first measured act.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from models.events import Befriend, Like, Post, encode
from streams.producer import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from models.events import Event

    Fans: TypeAlias = dict[str, list[str]]

FANS = 20
START = 1_700_000_000_000  # Unix ms of the first act; all are in the past
STEP_MS = 10  # between two acts
FILLING = 7  # likes of each friend: 140 for a feed of 120
ITEMS = 100_000  # with popularity by Zipf's law, exponent 1
REPEATS = 1 / 3  # of the likes: the same user likes the same item again, later
REMEMBERED = 5_000  # latest likes, of which any may be repeated
POSTED, AUTHOR, TOPICS = 500, "2", 20  # of the items, so many have an author and two topics
POISON = 100  # one record in so many
FIRST_USER, FIRST_ITEM, FIRST_FILLER = 10**6, 10**9, 10**8


@dataclass(frozen=True, slots=True)
class Circle:
    """A network in which everybody has `FANS` friends."""

    users: list[str]
    fans: Fans

    def friendships(self) -> list[Event]:
        """Give the events that make it."""
        return [
            Befriend(at=1, user=user, friend=friend)
            for user in self.users
            for friend in self.fans[user]
            if user < friend
        ]


def circle(users: int) -> Circle:
    """Lay `users` around a circle; all befriend those at the same ten distances."""
    names = [str(FIRST_USER + number) for number in range(users)]
    distances = random.Random(1).sample(range(1, users // 2), FANS // 2)
    steps = [step for distance in distances for step in (distance, -distance)]
    fans = {
        name: [names[(place + step) % users] for step in steps] for place, name in enumerate(names)
    }
    return Circle(names, fans)


def filling(users: list[str]) -> list[Event]:
    """Give the likes that fill every feed; they lie before `START`."""
    likers = users * FILLING
    first = START - STEP_MS * len(likers)
    return [
        Like(at=first + STEP_MS * number, user=user, item=str(FIRST_FILLER + number))
        for number, user in enumerate(likers)
    ]


def likes(users: list[str], *, seed: int = 1, at: int = START) -> Iterator[Like]:
    """Give likes without end, one every `STEP_MS` from `at` (Unix ms) on."""
    chance = random.Random(seed)
    items = zipf(np.random.default_rng(seed))
    done: list[tuple[str, str]] = []
    for moment in itertools.count(at, STEP_MS):
        if done and chance.random() < REPEATS:
            user, item = chance.choice(done[-REMEMBERED:])
        else:
            user, item = chance.choice(users), str(FIRST_ITEM + next(items))
            done.append((user, item))
        yield Like(at=moment, user=user, item=item)


def zipf(chance: np.random.Generator) -> Iterator[int]:
    """Give ranks of items without end, 0 for the most popular."""
    cumulated = np.cumsum(1 / np.arange(1, ITEMS + 1))
    while True:
        yield from np.searchsorted(cumulated / cumulated[-1], chance.random(4_096)).tolist()


def posts() -> list[Event]:
    """Give the posts of the most popular items, by an author in nobody's circle; before `START`."""
    return [
        Post(
            at=START - STEP_MS * (POSTED - rank),
            user=AUTHOR,
            item=str(FIRST_ITEM + rank),
            topics=[f"topic-{rank % TOPICS}", f"topic-{(rank + 1) % TOPICS}"],
        )
        for rank in range(POSTED)
    ]


def records(events: Iterable[Event]) -> Iterator[Record]:
    """Give events as they are published."""
    return (Record(event.topic, event.key.encode(), encode(event)) for event in events)


def poisoned(events: Iterable[Event]) -> Iterator[Record]:
    """Give the records of `events`, with every hundredth in a shape that no event may have."""
    for number, event in enumerate(events):
        value = encode(event)
        if number % POISON == 0:
            value = (value[:-1], b"{}", value.replace(b'"at":', b'"at":-'))[number // POISON % 3]
        yield Record(event.topic, event.key.encode(), value)
