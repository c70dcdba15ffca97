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
from models.paging import turn
from models.ranking import pages, tabulated
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
    table = tabulated(found, viewer, policy, NOW)
    turned = [turn(table, None, NOON)]
    while turned[-1].cursor is not None:
        turned.append(turn(table, decode(encode(turned[-1].cursor)), NOON))

    made = [[one.item for one in page] for page in pages(table)]
    assert [[one.item for one in step.page] for step in turned] == (made or [[]])
    assert {step.new_count for step in turned} == {0}


@given(candidates(), candidates(), viewers, policies)
def test_further_pages_are_of_what_was_there_at_the_first(
    first: list[Candidate], later: list[Candidate], viewer: Viewer, policy: PagePolicy
) -> None:
    """What is still there is shown, what came since is counted, and what is gone is not missed."""
    before, after = (tabulated(found, viewer, policy, NOW) for found in (first, later))
    begun = turn(before, None, NOON)
    turned, cursor = [], begun.cursor
    while cursor is not None:
        turned.append(turn(after, cursor, NOON))
        cursor = turned[-1].cursor

    there, still = ({one.item for page in pages(one) for one in page} for one in (before, after))
    left = (there & still) - {one.item for one in begun.page} if turned else set()
    assert sorted(one.item for step in turned for one in step.page) == sorted(left)
    assert {step.new_count for step in turned} <= {len(still - there)}


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
