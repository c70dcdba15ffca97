"""Events as columns of rows, the shape in which they reach a shard.

A row is one write of one register: a share with three friends by name is three rows, a friendship
is two, one from either end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.decay import COMPLETED, contribution, seen_share, view_weight
from models.events import (
    Befriend,
    Block,
    Hide,
    Post,
    Unblock,
    Unfriend,
    Unhide,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.events import Event, OnItem, Share, View
    from models.policy import Policy


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of equal length; `register` is 2 * at + off, `score` the contribution in digits.

    Of a view, which nothing takes back, `register` is 2 * at + 1 where it was completed.
    """

    kind: list[str]  # like, share, post, direct, view, seen, hide, takedown, erase, an edge's kind
    who: list[str]  # actor, sender, viewer; the end whose circle changes; "" for a takedown
    item: list[str]  # "" for an edge and an erasure
    other: list[str]  # recipient, friend, other; the topics of a post; "" for all else
    register: list[int]
    score: list[str]  # effective time of the one act, ms; "" for what is none
    young: list[bool]  # the account was young: the act weighs little for the item
    offset: list[int]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.kind)


def rows(topic: str, events: Sequence[Event], offsets: Sequence[int], policy: Policy) -> Rows:
    """Lay the events of one topic out as rows; `offsets` are those of their records."""
    return _LAYOUTS[topic](events, list(offsets), policy)


def _registers(events: Sequence[Event]) -> list[int]:
    return [2 * event.at + event.off for event in events]


def _is_young(event: OnItem, policy: Policy) -> bool:
    return event.since is not None and event.at - event.since < policy.young_ms


def _likes(events: Sequence[OnItem], offsets: list[int], policy: Policy) -> Rows:
    at = np.array([event.at for event in events], dtype=np.int64)
    score = contribution(at, policy.like_weight, policy.half_life_ms)
    return Rows(
        kind=["like"] * len(events),
        who=[event.user for event in events],
        item=[event.item for event in events],
        other=[""] * len(events),
        register=_registers(events),
        score=list(map(str, score.tolist())),
        young=[_is_young(event, policy) for event in events],
        offset=offsets,
    )


def _views(events: Sequence[View], offsets: list[int], policy: Policy) -> Rows:
    at = np.array([event.at for event in events], dtype=np.float64)
    completion = np.array([event.completion for event in events], dtype=np.float64)  # None is NaN
    dwell_ms = np.array([event.dwell_ms for event in events], dtype=np.float64)
    young = np.array([_is_young(event, policy) for event in events], dtype=np.bool_)
    weight = view_weight(completion, dwell_ms, policy) * np.where(young, policy.young_weight, 1.0)
    score = at + policy.trending_half_life_ms * np.log2(weight)
    completed = seen_share(completion, dwell_ms, policy.full_view_ms) >= COMPLETED
    return Rows(
        kind=["view"] * len(events),
        who=[event.user for event in events],
        item=[event.item for event in events],
        other=[""] * len(events),
        register=(2 * at + completed).astype(np.int64).tolist(),
        score=list(map(repr, score.tolist())),
        young=young.tolist(),
        offset=offsets,
    )


def _shares(events: Sequence[Share], offsets: list[int], policy: Policy) -> Rows:
    flat = [
        (event, offset, recipient)
        for event, offset in zip(events, offsets, strict=True)
        for recipient in event.to or ("",)
    ]
    at = np.array([event.at for event, _, _ in flat], dtype=np.int64)
    weight = np.array(
        [policy.direct_weight if to else policy.share_weight for _, _, to in flat], dtype=np.float64
    )
    score = contribution(at, weight, policy.half_life_ms)
    return Rows(
        kind=["direct" if recipient else "share" for _, _, recipient in flat],
        who=[event.user for event, _, _ in flat],
        item=[event.item for event, _, _ in flat],
        other=[recipient for _, _, recipient in flat],
        register=_registers([event for event, _, _ in flat]),
        score=list(map(str, score.tolist())),
        young=[_is_young(event, policy) for event, _, _ in flat],
        offset=[offset for _, offset, _ in flat],
    )


def _posts(events: Sequence[OnItem], offsets: list[int], policy: Policy) -> Rows:
    at = np.array([event.at for event in events], dtype=np.int64)
    score = contribution(at, policy.post_weight, policy.half_life_ms)
    return Rows(
        kind=[event.kind for event in events],
        who=[event.user if isinstance(event, Post) else "" for event in events],
        item=[event.item for event in events],
        other=[",".join(event.topics or ()) if isinstance(event, Post) else "" for event in events],
        register=_registers(events),
        score=list(map(str, score.tolist())),
        young=[False] * len(events),
        offset=offsets,
    )


def _registered(events: Sequence[Event], offsets: list[int], policy: Policy) -> Rows:
    """Lay out what has no weight: edges, hides, erasures."""
    del policy
    flat = [
        (event, offset, end)
        for event, offset in zip(events, offsets, strict=True)
        for end in _ends(event)
    ]
    nothing = [""] * len(flat)
    return Rows(
        kind=[end[0] for _, _, end in flat],
        who=[end[1] for _, _, end in flat],
        item=[event.item if isinstance(event, Hide | Unhide) else "" for event, _, _ in flat],
        other=[end[2] for _, _, end in flat],
        register=_registers([event for event, _, _ in flat]),
        score=nothing,
        young=[False] * len(flat),
        offset=[offset for _, offset, _ in flat],
    )


def _ends(event: Event) -> list[tuple[str, str, str]]:
    """Give kind, owner and other end of the registers that `event` writes."""
    match event:
        case Befriend(user=user, friend=friend) | Unfriend(user=user, friend=friend):
            return [("friend", user, friend), ("friend", friend, user)]
        case Block(user=user, other=other) | Unblock(user=user, other=other):
            return [("block", user, other), ("blocked", other, user)]
        case _:
            user, other = (*event.accounts, "")[:2]
            return [(event.register, user, other)]


_LAYOUTS: dict[str, Callable[..., Rows]] = {
    "likes": _likes,
    "views": _views,
    "shares": _shares,
    "friendships": _registered,
    "posts": _posts,
    "preferences": _registered,
}
