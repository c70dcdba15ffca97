"""What is studied: a history whose users and items are numbers, its circles, its acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.baselines import Acts
from models.errors import InputError
from models.events import Befriend, Follow, Like, OnItem, Share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from models.events import Event


@dataclass(frozen=True, slots=True)
class Study:
    """A history by time, as baselines know it; `circles[u]` are the accounts that reach user u."""

    acts: Acts
    circles: list[list[int]]
    users: list[str]  # by number
    items: dict[str, int]  # their numbers


def study_of(events: Sequence[Event]) -> Study:
    """Number the users and items of a history by time; its likes and shares are the acts.

    Edges count from the beginning, whenever they were made. Raises InputError where nobody acts.
    """
    acts = [event for event in events if isinstance(event, Like | Share) and not event.off]
    if not acts:
        raise InputError("nothing to foretell: --map a kind of the data set to like or share")
    users = _numbers(account for event in events for account in event.accounts)
    items = _numbers(event.item for event in events if isinstance(event, OnItem))
    columns = [(one.at, users[one.user], items[one.item]) for one in acts]
    at, user, item = np.array(columns, dtype=np.int64).T
    circles = _circles(events, users)
    return Study(Acts(at, user, item, len(users), len(items)), circles, list(users), items)


def _numbers(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def _circles(events: Iterable[Event], users: Mapping[str, int]) -> list[list[int]]:
    circles: list[set[int]] = [set() for _ in users]
    for edge in events:
        if isinstance(edge, Befriend | Follow):
            circles[users[edge.user]].add(users[edge.friend])
        if isinstance(edge, Befriend):
            circles[users[edge.friend]].add(users[edge.user])
    return [sorted(circle) for circle in circles]
