"""What counts as the feed that was asked for, and what is said where it is not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from models.comparison import differences
from models.events import Befriend, Event, Favor, Hide, Like, Share, Takedown, Unlike
from models.policy import DAY, HOUR, Policy
from tests.cases import view_of
from tests.histories import NOON, histories

if TYPE_CHECKING:
    from models.view import View

POLICY = Policy(feed_size=4, half_life_ms=HOUR, horizon_ms=DAY)
FRIENDS: list[Event] = [
    Befriend(user="ann", friend="bob", at=NOON),
    Befriend(user="ann", friend="cat", at=NOON),
]


def like(user: str, item: str, *, at: int = 0) -> Like:
    """Make a like, `at` ms after noon."""
    return Like(user=user, item=item, at=NOON + at)


def liked(*items: str) -> View:
    """Let bob like items, a minute apart, for ann to see."""
    return view_of(
        [*FRIENDS, *(like("bob", item, at=60_000 * k) for k, item in enumerate(items))], POLICY
    )


def wrong(view: View, found: dict[str, int], **known: int | bool) -> list[str]:
    """Name the items of ann's feed that differ, scores being given in ms after noon."""
    moved = {item: NOON + score for item, score in found.items()}
    return [one.what for one in differences(view, "ann", moved, **known)]  # type: ignore[arg-type]


@given(histories(span_ms=3 * DAY))
def test_what_the_definition_says_counts_as_equal(history: list[Event]) -> None:
    """Every feed of a view passes its own comparison, full or not, whatever has expired."""
    view = view_of(history, POLICY)
    for user in ("ann", "bob", "cat", "dan"):
        found = {entry.item: entry.score for entry in view.feed(user)}

        assert differences(view, user, found) == []


@pytest.mark.parametrize("off", [-3, 3])
def test_a_score_may_be_off_by_one_for_each_act_and_one_more(off: int) -> None:
    """Whole milliseconds merged signal by signal round; what is beyond that is wrong."""
    view = view_of([*FRIENDS, like("bob", "a"), like("cat", "a")], POLICY)

    assert wrong(view, {"a": HOUR + off}) == []
    assert wrong(view, {"a": HOUR + off + off // 3}) == ["a"]


def test_a_feed_that_is_not_full_has_everything() -> None:
    """Where there is room, nothing may be missing, and nothing be there without an act."""
    assert wrong(liked("a", "b"), {"b": 60_000}) == ["a"]
    assert wrong(liked("a", "b"), {"a": 0, "b": 60_000, "ghost": 1}) == ["ghost"]


def test_of_a_full_feed_the_first_half_is_compared() -> None:
    """What may have been pushed out and come back differs unseen; the best entries do not."""
    view = liked("a", "b", "c", "d", "e")
    best = {"e": 240_000, "d": 180_000}

    assert wrong(view, {**best, "c": 120_000, "a": 0}) == []
    assert wrong(view, {**best, "c": 120_000, "b": 59_000}) == []
    assert wrong(view, {"e": 240_000, "c": 120_000, "b": 60_000, "a": 0}) == ["d"]
    assert wrong(view, {"e": 250_000, "d": 180_000, "c": 120_000, "b": 60_000}) == ["e"]


def test_nothing_stands_in_a_feed_without_an_act_not_even_at_its_end() -> None:
    """A ghost is a leak wherever it stands: an act taken back leaves no trace."""
    view = liked("a", "b", "c", "d")

    assert wrong(view, {"d": 180_000, "c": 120_000, "b": 60_000, "ghost": 0}) == ["ghost"]


def test_above_its_floor_a_feed_is_complete() -> None:
    """A feed that once was full may lack what lies at or below its floor, and no more."""
    view = liked("a", "b", "c")

    assert wrong(view, {"c": 120_000}, floor=NOON + 60_000) == []
    assert wrong(view, {"c": 120_000}, floor=NOON + 50_000) == ["b"]


def test_what_left_the_horizon_may_linger_or_be_gone() -> None:
    """An expired act may still be in a score, in part or in full, and alone it may be absent."""
    both = view_of([*FRIENDS, like("bob", "a"), like("cat", "a", at=DAY)], POLICY)
    alone = view_of([*FRIENDS, like("bob", "a"), like("cat", "z", at=DAY)], POLICY)

    assert wrong(both, {"a": DAY}) == []
    assert wrong(both, {}) == ["a"]
    assert wrong(alone, {"a": 0, "z": DAY}) == []
    assert wrong(alone, {"z": DAY}) == []
    assert wrong(alone, {"a": 10, "z": DAY}) == ["a"]


def test_where_the_log_has_lost_its_beginning_the_horizon_bounds_what_is_unknown() -> None:
    """Acts the log no longer has can be no younger than the horizon, nor more than one a kind."""
    view = view_of([*FRIENDS, like("cat", "z", at=DAY)], POLICY)
    most = 4 * HOUR  # two friends: a like, a post, a share and a share by name from each

    assert wrong(view, {"old": 0, "z": DAY}) == ["old"]
    assert wrong(view, {"old": 0, "z": DAY}, whole_log=False) == []
    assert wrong(view, {"old": most, "z": DAY}, whole_log=False) == []
    assert wrong(view, {"old": most + 3, "z": DAY}, whole_log=False) == ["old"]


def test_what_is_taken_down_or_hidden_is_wrong_whatever_the_log_has_lost() -> None:
    """Nothing unknown could bring it back, and no horizon lets it linger."""
    gone = [Takedown(item="down", at=NOON), Hide(user="ann", item="hidden", at=NOON)]
    old = [like("bob", item) for item in ("down", "hidden", "old")]
    view = view_of([*FRIENDS, *gone, *old, like("cat", "z", at=DAY)], POLICY)
    found = {"down": 0, "hidden": 0, "old": 0, "z": DAY}

    assert wrong(view, found) == ["down", "hidden"]
    assert wrong(view, found, whole_log=False) == ["down", "hidden"]


def test_of_a_favoured_account_more_may_be_unknown() -> None:
    """What the log has lost may have weighed as much as the tie makes it weigh."""
    favor = Favor(user="ann", other="bob", at=NOON)
    view = view_of([*FRIENDS, favor, like("cat", "z", at=DAY)], POLICY)
    most = round(HOUR * math.log2(3 * 8))

    assert wrong(view, {"old": most, "z": DAY}, whole_log=False) == []
    assert wrong(view, {"old": most + 3, "z": DAY}, whole_log=False) == ["old"]


def test_a_difference_says_whose_what_and_why_in_one_line() -> None:
    """The line names user, item, what was asked for, what was found, and the proofs."""
    view = view_of([*FRIENDS, like("bob", "a"), Share(user="cat", item="a", at=NOON)], POLICY)
    taken_back = view_of(
        [*FRIENDS, like("bob", "a"), Unlike(user="bob", item="a", at=NOON)], POLICY
    )

    (missing,) = differences(view, "ann", {})
    (ghost,) = differences(taken_back, "ann", {"a": NOON})

    assert str(missing) == (
        f"ann: feed a expected 1790005705865, found nothing; proofs: like by bob at {NOON}, "
        f"share by cat at {NOON}"
    )
    assert str(ghost) == f"ann: feed a expected nothing, found {NOON}; proofs: none"
