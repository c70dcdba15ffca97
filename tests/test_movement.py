"""What became of a live feed: told in few entries, it makes the new feed of the old one."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from models.movement import Placed, applied, difference


class Entry(NamedTuple):
    """An item, and something shown of it."""

    item: str
    proofs: int = 1


def feed(items: str) -> list[Entry]:
    """Give a feed whose items have one letter each."""
    return [Entry(item) for item in items]


feeds = st.lists(
    st.builds(Entry, st.sampled_from("abcdefghijklmnop"), st.integers(1, 2)),
    unique_by=lambda entry: entry.item,
)


@given(feeds, feeds)
def test_what_became_of_a_feed_makes_the_new_one(old: list[Entry], new: list[Entry]) -> None:
    """A movement, applied to the old feed, gives the new one, whatever the two are."""
    assert applied(old, difference(old, new)) == new


@given(feeds, feeds)
def test_each_item_is_told_of_once_and_only_where_something_became_of_it(
    old: list[Entry], new: list[Entry]
) -> None:
    """No item is in two lists, and the feed that stayed as it was has none."""
    became = difference(old, new)
    told = [*became.gone, *(entry.item for entry in became.changed)]
    told += [one.entry.item for one in [*became.moved, *became.new]]

    assert len(told) == len(set(told))
    assert bool(became) == (old != new)


def test_an_entry_that_rises_moves_alone() -> None:
    """What it passes is not told of: it stays in its order."""
    became = difference(feed("abcdef"), feed("fabcde"))

    assert became.moved == [Placed(0, Entry("f"))]
    assert (became.gone, became.new, became.changed) == ([], [], [])


def test_a_new_entry_pushes_the_last_one_out() -> None:
    """Of a feed that is full, one entry is new and one gone."""
    became = difference(feed("abc"), feed("xab"))

    assert became.new == [Placed(0, Entry("x"))]
    assert became.gone == ["c"]
    assert became.moved == []


def test_one_more_proof_changes_an_entry_in_its_place() -> None:
    """An entry that shows something else and stays is changed, not moved."""
    became = difference(feed("abc"), [Entry("a"), Entry("b", 2), Entry("c")])

    assert became.changed == [Entry("b", 2)]
    assert (became.gone, became.moved, became.new) == ([], [], [])
