"""The definition of who looks: what a page is made with, beside what it is made of.

    events  ->  registers, views  ->  circle, favoured, cut off; hidden, seen, acted on; taste

A view is remembered by its mark, 2 * at + completed: of an item the newest counts, and at one
moment the completed one. Of marks, as of acts, the newest `acts_kept` exist, and none that has left
the horizon. What just was posted is shown to strangers, too: the newest posts of a shard.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.candidate import Viewer
from models.decay import COMPLETED, seen_share
from models.taste import LIKINGS_KEPT, Liking, taste
from models.view import SPREADING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from models.taste import Taste
    from models.view import View


class Sign(NamedTuple):
    """One act that tells a taste: its kind (`models.taste`), when (Unix ms), with which item."""

    kind: str
    at: int
    item: str


def viewer(view: View, user: str) -> Viewer:
    """Give all that is known of `user` when they come to look.

    >>> from models.events import Like, Post, View as Seen
    >>> from models.policy import Policy
    >>> from models.view import View
    >>> view = View(Policy())
    >>> view.apply(Post(user="bob", item="song", topics=["music"], at=1_000))
    >>> view.apply(Like(user="ann", item="song", at=2_000))
    >>> view.apply(Seen(user="ann", item="film", at=2_000))
    >>> ann = viewer(view, "ann")
    >>> ann.acted, ann.seen, ann.taste.liked
    ({'song'}, {'film'}, {'music': 2000.0})
    """
    if user in view.erased:
        return Viewer(user=user)
    return Viewer(
        user=user,
        circle=view.circle(user),
        favoured=view.favoured(user),
        taste=taste_of(view, user),
        seen=set(_marks(view, user)),
        acted=_acted(view, user),
        hidden=view.hidden(user),
        blocked=view.cut_off(user),
    )


def taste_of(view: View, user: str) -> Taste:
    """Give the taste of `user`, items being about what their first posts say."""
    likings = []
    for kind, at, item in signs(view, user):
        origin = None if view.is_down(item) else next(iter(view.origins(item)), None)
        likings.append(Liking(kind, at, origin.topics if origin else ()))
    return taste(likings, view.policy)


def signs(view: View, user: str) -> list[Sign]:
    """Give what tells the taste of `user`: of each kind what is on among the newest."""
    if user in view.erased:
        return []
    registers = {
        kind: {item: 2 * one.at + (not one.is_on) for item, one in view.kept(kind, user).items()}
        for kind in ("like", "share", "hide")
    }
    switched = [one for kind, marks in registers.items() for one in _newest(view, kind, marks)]
    completed = _newest(view, "completed", _marks(view, user))
    return [
        *(Sign(kind, mark // 2, item) for kind, mark, item in switched if mark % 2 == 0),
        *(Sign(kind, mark // 2, item) for kind, mark, item in completed if mark % 2 == 1),
    ]


def fresh(view: View, items: Iterable[str], count: int) -> list[tuple[int, str]]:
    """Give moment and name of the `count` newest of `items`, by their first posts, newest first."""
    first = (
        (origins[0].at, item)
        for item in items
        if not view.is_down(item) and (origins := view.origins(item))
    )
    return heapq.nlargest(count, first)


def _acted(view: View, user: str) -> set[str]:
    return {
        item
        for kind in SPREADING
        for item, one in view.kept(kind, user).items()
        if one.is_on and one.at > view.horizon
    }


def _newest(view: View, kind: str, marks: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Give kind, mark and item of the newest marks, with those of what was switched off."""
    recent = [(mark, item) for item, mark in marks.items() if mark // 2 > view.horizon]
    return [(kind, mark, item) for mark, item in heapq.nlargest(LIKINGS_KEPT, recent)]


def _marks(view: View, user: str) -> dict[str, int]:
    """Give the marks of the views of `user`, by item."""
    seen = view.views_by(user)
    completion = np.array([one.completion for one in seen], dtype=np.float64)  # None is NaN
    dwell_ms = np.array([one.dwell_ms for one in seen], dtype=np.float64)
    completed = seen_share(completion, dwell_ms, view.policy.full_view_ms) >= COMPLETED
    marks: dict[str, int] = {}
    for one, is_completed in zip(seen, completed.tolist(), strict=True):
        marks[one.item] = max(marks.get(one.item, 0), 2 * one.at + is_completed)
    recent = ((mark // 2, item) for item, mark in marks.items() if mark // 2 > view.horizon)
    return {item: marks[item] for _, item in heapq.nlargest(view.policy.acts_kept, recent)}
