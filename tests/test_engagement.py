"""How much attention an item has, and how near to it a store has to be."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.engagement import (
    Engagement,
    agrees,
    engagement,
    engagement_at_least,
    engagement_at_most,
)
from models.events import Erase, Event, Like, Post, Share, Takedown, Unlike, View
from models.policy import DAY, HALF_HOUR, HOUR, Policy
from tests.cases import view_of
from tests.histories import NOON, histories, items

if TYPE_CHECKING:
    from random import Random

POLICY = Policy(view_weight=1.0, half_life_ms=HOUR, horizon_ms=DAY, acts_kept=3)
HALF_HOUR_BEGUN = NOON // HALF_HOUR * HALF_HOUR


def of(history: list[Event], item: str = "a") -> Engagement:
    """Give the engagement of an item after a history."""
    return engagement(view_of(history, POLICY), item)


@given(histories(span_ms=3 * DAY), items, st.randoms(use_true_random=False))
def test_order_and_repetition_change_no_engagement(
    history: list[Event], item: str, chance: Random
) -> None:
    """Any shuffle with repeats gives the same counters, and the same score but for rounding."""
    shuffled = history + chance.choices(history, k=len(history)) if history else []
    chance.shuffle(shuffled)
    expected, actual = of(history, item), of(shuffled, item)

    assert replace(actual, score=0) == replace(expected, score=0)
    assert actual.score == pytest.approx(expected.score, abs=0.01, rel=0)


@given(histories(span_ms=3 * DAY), items)
def test_what_counts_and_what_may_linger_both_agree(history: list[Event], item: str) -> None:
    """A store that has forgotten all beyond the horizon is right, and so is one that has not."""
    view = view_of(history, POLICY)

    assert agrees(view, item, engagement_at_least(view, item))
    assert agrees(view, item, engagement(view, item))
    assert agrees(view, item, engagement_at_most(view, item))


def test_an_account_likes_and_shares_once() -> None:
    """Repeats move an act forward and count once; a share by name and an unlike count nothing."""
    history = [
        Like(user="ann", item="a", at=NOON),
        Like(user="ann", item="a", at=NOON + HOUR),
        Share(user="ann", item="a", at=NOON),
        Share(user="ann", item="a", to=["bob"], at=NOON),
        Like(user="bob", item="a", at=NOON),
        Unlike(user="bob", item="a", at=NOON),
    ]

    assert of(history) == Engagement(likes=1, shares=1, score=NOON + 2 * HOUR)


def test_what_authors_do_with_their_own_counts_nothing_even_if_the_post_comes_late() -> None:
    """Neither like, share nor view; and who posts what another made is not its author."""
    acts = [
        kind(user=user, item="a", at=NOON)
        for user in ("ann", "bob")
        for kind in (Like, Share, View)
    ]
    posts = [Post(user="ann", item="a", at=NOON), Post(user="bob", item="a", at=NOON + 1)]

    assert of([*acts, *posts]) == of(acts[3:])
    assert of([*posts, *acts]) == of(acts[3:])
    assert of(posts) == Engagement()


def test_where_a_post_has_left_the_horizon_its_author_may_be_forgotten() -> None:
    """Then own acts may count, and those of the next who posted may not."""
    view = view_of(
        [
            Post(user="ann", item="a", at=NOON),
            Post(user="bob", item="a", at=NOON + 1),
            *(Like(user=user, item="a", at=NOON + DAY) for user in ("ann", "bob", "cat")),
        ],
        POLICY,
    )

    def liked(times: int) -> Engagement:
        return Engagement(likes=times, score=NOON + DAY + HOUR * math.log2(times))

    assert engagement(view, "a") == liked(2)
    assert agrees(view, "a", liked(1))
    assert agrees(view, "a", liked(3))
    view.apply(Post(user="dan", item="a", at=NOON + DAY - 1))
    assert agrees(view, "a", liked(1))


def test_what_a_young_account_does_weighs_a_tenth() -> None:
    """A day after it was made it is as any other; counters count it from the first."""
    young = {"since": NOON - DAY + 1, "at": NOON}
    grown = {"since": NOON - DAY, "at": NOON}
    tenth = Policy().young_weight

    def strength(*history: Event) -> float:
        return math.exp2((of(list(history)).score - NOON) / HOUR)

    assert strength(Like(user="ann", item="a", **young)) == pytest.approx(tenth)
    assert strength(Share(user="ann", item="a", **young)) == pytest.approx(2 * tenth)
    assert strength(View(user="ann", item="a", completion=1, **young)) == pytest.approx(tenth)
    assert strength(Like(user="ann", item="a", **grown)) == pytest.approx(1)
    assert of([Like(user="ann", item="a", **young)]).likes == 1


def test_a_thousand_young_accounts_weigh_as_a_hundred() -> None:
    """Whoever makes accounts to push an item needs them to be a day old."""
    young = [Like(user=f"u{k}", item="a", at=NOON, since=NOON) for k in range(1_000)]
    established = [Like(user=f"v{k}", item="b", at=NOON) for k in range(100)]

    assert of(young).score == pytest.approx(of(established, "b").score, abs=0.01, rel=0)


def test_an_act_told_in_two_ways_is_that_of_a_young_account() -> None:
    """Whichever of the two comes first, at one moment; and a newer like says anew."""
    both = [Like(user="ann", item="a", at=NOON, since=since) for since in (None, NOON)]
    newer = Like(user="ann", item="a", at=NOON + 1)

    assert of(both) == of(both[::-1]) == of(both[1:])
    assert of([*both, newer]).score == NOON + 1


def test_what_is_gone_has_no_engagement() -> None:
    """Erased accounts count for no item, and for an item taken down nobody counts."""
    acts = [kind(user="ann", item="a", at=NOON) for kind in (Like, Share, View)]
    down = view_of([*acts, Takedown(item="a", at=NOON)], POLICY)

    assert of([*acts, Erase(user="ann", at=NOON)]) == Engagement()
    assert agrees(down, "a", Engagement())
    assert not agrees(down, "a", Engagement(score=NOON - 40 * HOUR))


def test_one_view_counts_for_an_account_and_half_hour_the_strongest() -> None:
    """Half hours are those of the clock, and the view that counts most is the one that counts."""
    history = [
        View(user="ann", item="a", completion=completion, at=HALF_HOUR_BEGUN + at)
        for completion, at in [(0.5, 0), (1.0, 1), (0.25, HALF_HOUR - 1)]
    ]
    next_half_hour = View(user="ann", item="a", completion=1.0, at=HALF_HOUR_BEGUN + HALF_HOUR)

    assert of(history) == Engagement(views=1, score=HALF_HOUR_BEGUN + 1)
    assert of([*history, next_half_hour]).views == 2


def test_what_leaves_the_horizon_or_is_displaced_counts_no_more() -> None:
    """Counters cover the horizon, and of each account the newest acts."""
    old = [Like(user="ann", item="a", at=NOON), View(user="ann", item="a", at=NOON)]
    many = [Like(user="ann", item=item, at=NOON + 1) for item in "bcd"]

    assert of([*old, Like(user="bob", item="z", at=NOON + DAY)]) == Engagement()
    assert of([*old, *many]).likes == 0


def test_a_score_may_be_off_by_a_millionth_of_its_peak() -> None:
    """Taking back is subtraction, so what is left of a strong item may be a little wrong."""
    crowd: list[Event] = [Like(user=f"u{k}", item="a", at=NOON) for k in range(64)]
    gone = [Unlike(user=f"u{k}", item="a", at=NOON + 1) for k in range(63)]
    view = view_of(crowd + gone, POLICY)
    right = engagement(view, "a")
    strength = 64e-6  # a millionth of the peak, in likes: 1 is left

    assert agrees(view, "a", replace(right, score=NOON + HOUR * math.log2(1 + 0.9 * strength)))
    assert agrees(view, "a", replace(right, score=NOON + HOUR * math.log2(1 - 0.9 * strength)))
    assert not agrees(view, "a", replace(right, score=NOON + HOUR * math.log2(1 + 1.1 * strength)))
    assert not agrees(view, "a", replace(right, score=NOON + HOUR * math.log2(1 - 1.1 * strength)))


def test_counters_are_exact() -> None:
    """One like, share or view more or less than there are is wrong."""
    view = view_of([Like(user="ann", item="a", at=NOON)], POLICY)
    right = engagement(view, "a")

    assert not agrees(view, "a", replace(right, likes=2))
    assert not agrees(view, "a", replace(right, shares=1))
    assert not agrees(view, "a", replace(right, views=1))
    assert not agrees(view, "a", Engagement())
    assert not agrees(view, "nothing", right)
    assert agrees(view, "nothing", Engagement())
