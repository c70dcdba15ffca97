"""Random and hostile histories: few accounts and items, so that everything meets everything."""

from __future__ import annotations

from hypothesis import strategies as st

from models import events
from models.policy import HOUR

NOON = 1_790_000_000_000

users = st.sampled_from(["ann", "bob", "cat", "dan"])
items = st.sampled_from(["a", "b", "c", "d", "e"])


def moments(span_ms: int = 48 * HOUR) -> st.SearchStrategy[int]:
    """Draw from a few moments within `span_ms`, so that equal ones are common."""
    return st.integers(0, 12).map(lambda step: NOON + step * span_ms // 12)


@st.composite
def an_event(draw: st.DrawFn, span_ms: int) -> events.Event:
    """Draw one valid event of any kind."""
    kind = draw(st.sampled_from(list(events.KINDS.values())))
    user, at = draw(users), draw(moments(span_ms))
    others = users.filter(lambda other: other != user)
    if issubclass(kind, events.Share | events.Unshare):
        to = draw(st.none() | st.lists(others, min_size=1, max_size=2, unique=True))
        return kind(user=user, item=draw(items), to=to, at=at)
    if issubclass(kind, events.Befriend | events.Unfriend | events.Follow | events.Unfollow):
        return kind(user=user, friend=draw(others), at=at)
    return kind(user=user, item=draw(items), at=at)


def histories(span_ms: int = 48 * HOUR, most: int = 60) -> st.SearchStrategy[list[events.Event]]:
    """Draw up to `most` events in any order; a `span_ms` beyond the horizon lets acts expire."""
    return st.lists(an_event(span_ms), max_size=most)
