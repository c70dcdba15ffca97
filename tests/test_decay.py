"""Scores are times: what the arithmetic of effective time promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decay import LEAST_VIEW, contribution, effective_time, view_weight
from models.policy import DAY, HOUR, Policy

if TYPE_CHECKING:
    from random import Random

HALF_LIFE = 6 * HOUR
NOON = 1_790_000_000_000

moments = st.integers(NOON - 30 * DAY, NOON)
weights = st.sampled_from([0.005, 0.1, 1.0, 2.0, 4.0])


def test_one_like_scores_its_own_time() -> None:
    """A single act of weight 1 has the score of the moment it was made."""
    assert effective_time([NOON], HALF_LIFE) == NOON
    assert contribution(np.array([NOON]), 1.0, HALF_LIFE).tolist() == [NOON]


def test_twice_the_weight_is_one_half_life_of_freshness() -> None:
    """A weight of 2, or two acts at once, count as one act a half-life later."""
    assert contribution(np.array([NOON]), 2.0, HALF_LIFE).tolist() == [NOON + HALF_LIFE]
    assert effective_time([NOON, NOON], HALF_LIFE) == NOON + HALF_LIFE


@given(st.lists(st.tuples(moments, weights), min_size=1, max_size=50), st.randoms())
def test_the_order_of_acts_does_not_matter(acts: list[tuple[int, float]], chance: Random) -> None:
    """The same acts in any order make the same score, to a thousandth of a millisecond."""
    alone = [float(contribution(np.array([at]), weight, HALF_LIFE)[0]) for at, weight in acts]
    shuffled = chance.sample(alone, len(alone))

    assert effective_time(shuffled, HALF_LIFE) == pytest.approx(
        effective_time(alone, HALF_LIFE), abs=1e-3, rel=0
    )


@given(st.lists(moments, min_size=2, max_size=20), st.integers(0, 400 * DAY))
def test_time_does_not_reorder(acts: list[int], later: int) -> None:
    """Acts moved together by any time keep their distance: nothing depends on a clock."""
    moved = [at + later for at in acts]

    assert effective_time(moved, HALF_LIFE) - effective_time(acts, HALF_LIFE) == pytest.approx(
        later, abs=1e-2, rel=0
    )


@given(st.lists(moments, min_size=1, max_size=50))
def test_another_act_never_lowers_a_score(acts: list[int]) -> None:
    """However old, one more act leaves a score as it was or raises it."""
    assert effective_time([*acts, min(acts)], HALF_LIFE) >= effective_time(acts, HALF_LIFE)


def test_ages_apart_neither_overflow_nor_vanish() -> None:
    """Acts decades apart merge into the newer one's time, without an infinity on the way."""
    assert effective_time([1, NOON], HALF_LIFE) == NOON


def test_a_view_weighs_what_was_seen_of_it() -> None:
    """Completion beats dwell time, dwelling longer than needed adds nothing, and none is zero."""
    policy = Policy(view_weight=1.0, full_view_ms=10_000)
    completion = np.array([0.25, np.nan, np.nan, np.nan, 0.0])
    dwell_ms = np.array([9_000.0, 5_000.0, 60_000.0, np.nan, 9_000.0])

    seen = view_weight(completion, dwell_ms, policy)

    assert seen.tolist() == [0.25, 0.5, 1.0, LEAST_VIEW, LEAST_VIEW]
