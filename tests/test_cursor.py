"""Paging over a feed that changes: nothing twice, nothing skipped, and what is new is counted."""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models.candidate import Candidate, Source
from models.cursor import Cursor, decode, encode
from models.errors import CursorError
from models.paging import recalled, turn
from models.ranking import pages, tabulated
from models.view import Proof
from tests.candidates import ITEMS, NOON, NOW, candidates, policies, viewers

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.candidate import Viewer
    from models.page_policy import PagePolicy

CHANCE = random.Random(1)
some_items = st.lists(st.sampled_from(ITEMS), unique=True)


def new_uuid() -> str:
    """Draw a UUID."""
    return str(uuid.UUID(int=CHANCE.getrandbits(128)))


@st.composite
def cursors(draw: st.DrawFn) -> Cursor:
    """Draw a cursor that has turned a page or none."""
    return Cursor.begin(draw(candidates())).turned(draw(some_items))


@given(candidates(), viewers, policies)
def test_a_feed_that_stands_still_is_paged_as_it_is_ranked(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy
) -> None:
    """With the cursor alone between two requests, pages are those that ranking makes at once."""
    table = tabulated(found, viewer, policy, NOW)
    turned = [turn(table, None)]
    while turned[-1].cursor is not None:
        turned.append(turn(table, decode(encode(turned[-1].cursor, "ann"), "ann")))

    made = [[one.item for one in page] for page in pages(table)]
    assert [[one.item for one in step.page] for step in turned] == (made or [[]])
    assert {step.new_count for step in turned} == {0}


@given(candidates(), candidates(), viewers, policies)
def test_further_pages_are_of_what_was_there_at_the_first(
    first: list[Candidate], later: list[Candidate], viewer: Viewer, policy: PagePolicy
) -> None:
    """What is still there is shown, what came since is counted, and what is gone is not missed."""
    before, after = (tabulated(found, viewer, policy, NOW) for found in (first, later))
    begun = turn(before, None)
    turned, cursor = [], begun.cursor
    while cursor is not None:
        turned.append(turn(after, cursor))
        cursor = turned[-1].cursor

    there, still = ({one.item for page in pages(one) for one in page} for one in (before, after))
    left = (there & still) - {one.item for one in begun.page} if turned else set()
    assert sorted(one.item for step in turned for one in step.page) == sorted(left)
    assert {step.new_count for step in turned} <= {len(still - there)}


def test_a_shown_item_that_friends_act_on_again_is_not_new() -> None:
    """It had its place; what nobody had seen coming is counted."""
    cursor = Cursor.begin([Candidate(item="a"), Candidate(item="b")]).turned(["a"])

    assert cursor.count_new(["a", "b", "c", "d"]) == 2


@pytest.mark.parametrize("source", [Source.TRENDING, Source.TASTE, Source.FRESH])
def test_what_has_left_a_list_since_the_first_page_is_shown(source: Source) -> None:
    """Others have come before it, and it waits for its page all the same."""
    song = Candidate(item="song", sources=frozenset({source}), trending=NOON, posted_at=NOON)
    cursor = Cursor.begin([song])

    assert recalled(replace(song, sources=frozenset()), cursor) == song


def test_what_was_taken_back_since_the_first_page_is_not() -> None:
    """Friends liked it then, and none does now: that somebody posted it brought it to nobody."""
    song = Candidate(item="song", proofs=(Proof("like", "bob", NOON),), posted_at=NOON)
    gone = replace(song, sources=frozenset(), proofs=(), trending=NOON)

    assert recalled(gone, Cursor.begin([song])).sources == frozenset()


@given(cursors())
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    """Text and back is the same cursor, and fit for a URL."""
    text = encode(cursor, "ann")

    assert decode(text, "ann") == cursor
    assert text.isascii()
    assert text.replace("-", "").replace("_", "").isalnum()


@given(cursors())
def test_a_cursor_of_somebody_else_is_refused(cursor: Cursor) -> None:
    """What waits for one viewer is nothing to another."""
    with pytest.raises(CursorError, match="another's"):
        decode(encode(cursor, "ann"), "bob")


@pytest.mark.parametrize(
    ("new_id", "most"), [(lambda: str(CHANCE.getrandbits(64)), 3_500), (new_uuid, 7_100)]
)
def test_a_cursor_of_a_whole_page_fits_into_a_url(new_id: Callable[[], str], most: int) -> None:
    """As many candidates as a draw has at most, of numbers or of UUIDs: characters."""
    assert len(encode(Cursor.begin(Candidate(item=new_id()) for _ in range(240)), "ann")) < most


@given(cursors(), st.data())
def test_a_cursor_that_was_changed_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    """One character more, less or other, and the message says what to do."""
    text = encode(cursor, "ann")
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
        with pytest.raises(CursorError, match="start at the first page"):
            decode(changed, "ann")
