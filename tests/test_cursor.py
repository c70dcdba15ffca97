"""Paging over a feed that changes: nothing twice, nothing skipped, and what is new is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.candidate import Candidate, Source, Viewer
from models.cursor import Cursor, decode, encode
from models.errors import CursorError
from models.ranking import pages, rank, tabulated
from tests.candidates import ITEMS, NOON, NOW, candidates, policies, viewers

if TYPE_CHECKING:
    from models.page_policy import PagePolicy

some_items = st.lists(st.sampled_from(ITEMS), unique=True)


@st.composite
def cursors(draw: st.DrawFn) -> Cursor:
    """Draw a cursor that has turned a page or none."""
    cursor = Cursor.begin(draw(some_items), draw(st.integers(0, NOON)))
    return cursor.turned(draw(some_items))


@given(candidates(), viewers, policies)
def test_a_feed_that_stands_still_is_paged_as_it_is_ranked(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy
) -> None:
    """With the cursor alone between two requests, pages are those that ranking makes at once."""
    by_item = {one.item: one for one in found}
    cursor = Cursor.begin(by_item, NOON)
    turned = []
    while page := rank([by_item[item] for item in cursor.waiting_of(by_item)], viewer, policy, NOW):
        turned.append([one.item for one in page])
        cursor = decode(encode(cursor.turned(turned[-1])))

    made = pages(tabulated(found, viewer, policy, NOW))
    assert turned == [[one.item for one in page] for page in made]
    assert cursor.count_new(by_item) == 0


@given(some_items, some_items, st.data())
def test_pages_of_a_live_feed_repeat_and_skip_nothing(
    first: list[str], later: list[str], data: st.DataObject
) -> None:
    """Items come and move before every page: what was there first is shown once, if it stayed."""
    cursor, shown = Cursor.begin(first, NOON), []
    while waiting := cursor.waiting_of(data.draw(st.permutations([*first, *later]))):
        shown += list(dict.fromkeys(waiting))[:3]
        cursor = decode(encode(cursor.turned(shown[-3:])))
        assert cursor.count_new(later) == len(set(later) - set(first))

    assert sorted(shown) == sorted(first)


def test_what_is_gone_since_is_not_shown() -> None:
    """An item taken back, hidden or taken down between two pages is on neither."""
    cursor = Cursor.begin(["a", "b", "c"], NOON).turned(["a"])

    assert cursor.waiting_of(["c", "a"]) == ["c"]


def test_a_shown_item_that_friends_act_on_again_is_not_new() -> None:
    """It had its place; what nobody had seen coming is counted."""
    cursor = Cursor.begin(["a", "b"], NOON).turned(["a"])
    again = Candidate(item="a", sources=frozenset({Source.TRENDING}), trending=NOON)
    others = [replace(again, item=item) for item in ("b", "c", "d")]

    assert cursor.count_new(one.item for one in [again, *others]) == 2


@given(cursors())
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    """Text and back is the same cursor, and fit for a URL."""
    text = encode(cursor)

    assert decode(text) == cursor
    assert text.isascii()
    assert text.replace("-", "").replace("_", "").isalnum()


def test_a_cursor_of_200_items_fits_into_a_url() -> None:
    """It takes less than 1.7 KB."""
    assert len(encode(Cursor.begin(map(str, range(200)), NOON))) < 1_700


@given(cursors(), st.data())
def test_a_cursor_that_was_changed_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    """One character more, less or other, and the message says what to do."""
    text = encode(cursor)
    place = data.draw(st.integers(0, len(text) - 2))  # the last one may have bits to spare
    other = data.draw(st.sampled_from("Aa0-_.é "))
    changed = data.draw(
        st.sampled_from(
            [
                text[:place] + other + text[place + 1 :],
                text[:place] + text[place + 1 :],
                text + other,
            ]
        )
    )

    if changed != text:
        with pytest.raises(CursorError, match="start again at the first page"):
            decode(changed)
