"""Random and hostile histories: few accounts and items, so that everything meets everything."""

from __future__ import annotations

from hypothesis import strategies as st

from models import events
from models.policy import HOUR

NOON = 1_790_000_000_000
KINDS = list(events.KINDS.values())
FINAL = [events.Takedown, events.Erase]  # rare, or there were nothing left to compare
COMMON = [kind for kind in KINDS if kind not in FINAL]

users = st.sampled_from(["ann", "bob", "cat", "dan"])
items = st.sampled_from(["a", "b", "c", "d", "e"])
ages = st.sampled_from([None, 0, 100 * HOUR])  # of the account that acts, where an event says so


def moments(span_ms: int = 48 * HOUR) -> st.SearchStrategy[int]:
    """Draw from a few moments within `span_ms`, so that equal ones are common."""
    return st.integers(0, 12).map(lambda step: NOON + step * span_ms // 12)


@st.composite
def an_event(draw: st.DrawFn, span_ms: int) -> events.Event:
    """Draw one valid event of any kind."""
    kind = draw(st.sampled_from(COMMON * 4 + FINAL))
    user, at = draw(users), draw(moments(span_ms))
    others = users.filter(lambda other: other != user)
    fields: dict[str, object] = {"at": at}
    for name in kind.__struct_fields__:
        match name:
            case "user":
                fields[name] = user
            case "item":
                fields[name] = draw(items)
            case "friend" | "other":
                fields[name] = draw(others)
            case "to":
                fields[name] = draw(
                    st.none() | st.lists(others, min_size=1, max_size=2, unique=True)
                )
            case "topics":
                fields[name] = draw(st.none() | st.lists(st.sampled_from("xyz"), max_size=2))
            case "since":
                age = draw(ages)
                fields[name] = None if age is None else at - age
    return kind(**fields)


def histories(span_ms: int = 48 * HOUR, most: int = 60) -> st.SearchStrategy[list[events.Event]]:
    """Draw up to `most` events in any order; a `span_ms` beyond the horizon lets acts expire."""
    return st.lists(an_event(span_ms), max_size=most)
