"""Measures are what they are called, and their intervals as wide as the users differ."""

from __future__ import annotations

import numpy as np
import pytest

from models.baselines import Acts
from models.evaluation import (
    Bootstrap,
    Part,
    Question,
    Tally,
    at_half_life,
    compare,
    measures,
    questions,
    targets,
)
from models.policy import DAY, MINUTE, Policy

ACTS = Acts(
    at=np.array([10, 20, 20, 20, 30, 30]),
    user=np.array([0, 1, 0, 1, 0, 1]),
    item=np.array([5, 5, 3, 4, 5, 3]),
    users=2,
    items=6,
)


def tally(places: list[int]) -> Tally:
    """Make a tally of targets at `places`."""
    made = Tally()
    for place in places:
        made.add([0] * (place - 1) + [1] if place else [0], [1], {0, 1})
    return made


def test_a_ranking_is_measured_by_where_it_had_the_targets() -> None:
    """Of targets at places 1, 10, 11, 50 and none: 2 of 5 in ten, 4 of 5 in fifty."""
    made = tally([1, 10, 11, 50, 0])
    found = measures("a", made, Bootstrap(list(range(5)), np.random.default_rng(1)), 6)

    assert (found.hr_10, found.hr_50) == (0.4, 0.8)
    assert found.mrr == pytest.approx((1 + 1 / 10 + 1 / 11 + 1 / 50) / 5)
    assert found.hr_10_interval[0] < 0.4 < found.hr_10_interval[1]


def test_coverage_and_share_from_outside_are_of_the_first_ten() -> None:
    """Two answers show 12 of 48 items, and 4 of their 13 places are from outside the circle."""
    made = Tally()
    made.add(list(range(20)), [19], familiar={0, 1, 2, 3, 4, 5, 6})
    made.add([0, 10, 11], [0], familiar={0, 10})
    found = measures("a", made, Bootstrap([1, 2], np.random.default_rng(1)), 48)

    assert found.coverage == 12 / 48
    assert found.outside_circle == pytest.approx((3 + 1) / 13)


def test_targets_are_chosen_on_one_side_of_the_split() -> None:
    """Together both parts are all first acts, and a sample is of them, by time."""
    chance = np.random.default_rng(1)
    tune = targets(ACTS, Part.TUNE, 20, 99, chance)
    report = targets(ACTS, Part.REPORT, 20, 99, chance)

    assert tune.tolist() == [0]
    assert report.tolist() == [1, 2, 3, 5]
    assert set(targets(ACTS, Part.REPORT, 20, 2, chance).tolist()) < set(report.tolist())


def test_one_question_asks_for_all_a_viewer_does_at_a_moment() -> None:
    """What happens at the same moment is asked for together, and by time."""
    assert questions(ACTS, ACTS.firsts()) == [
        Question(0, 10, (5,)),
        Question(0, 20, (3,)),
        Question(1, 20, (4, 5)),
        Question(1, 30, (3,)),
    ]


def test_a_ranking_is_held_against_the_best_of_the_baselines() -> None:
    """What is better for every user is above, what is worse for every user below."""
    users = [k // 4 for k in range(80)]
    found = {
        "ours": tally([1, 1, 0, 0] * 20),
        "best": tally([1, 0, 0, 0] * 20),
        "other": tally([0] * 80),
        "not asked": tally([1] * 80),
    }
    bootstrap = Bootstrap(users, np.random.default_rng(1))
    won = compare("ours", found, ["other", "best"], bootstrap)
    lost = compare("other", found, ["ours", "best"], bootstrap)

    assert (won.baseline, won.difference, won.verdict) == ("best", 0.25, "above")
    assert (lost.baseline, lost.difference, lost.verdict) == ("ours", -0.5, "below")


def test_what_some_users_gain_and_others_lose_is_undecided() -> None:
    """A mean above zero is no verdict where it hangs on who was asked."""
    found = {"ours": tally([1, 0] * 10 + [1]), "best": tally([0, 1] * 10 + [0])}
    bootstrap = Bootstrap(list(range(21)), np.random.default_rng(1))

    assert compare("ours", found, ["best"], bootstrap).verdict == "undecided"
    assert compare("ours", found, ["ours"], bootstrap).interval == (0.0, 0.0)


def test_targets_of_few_users_are_less_sure_than_those_of_many() -> None:
    """A hundred targets of ten users, each all hits or none, tell hardly more than ten."""
    hits = np.repeat([1.0, 0.0], 50)
    chance = np.random.default_rng(1)
    few = Bootstrap([k // 10 for k in range(100)], chance).interval(hits)
    many = Bootstrap(list(range(100)), chance).interval(hits)

    assert few[1] - few[0] > 2 * (many[1] - many[0])


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 200 samples of 60 users, about 95 in 100 intervals hold what they were drawn with."""
    chance = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        bounds = Bootstrap(list(range(60)), chance).interval((chance.random(60) < 0.3) * 1.0)
        held += bounds[0] <= 0.3 <= bounds[1]

    assert 0.9 <= held / 200 <= 0.98


def test_a_half_life_moves_the_horizon_only_as_far_as_it_must() -> None:
    """At least ten half-lives, at most five hundred, else as it was."""
    horizons = [at_half_life(Policy(), pace).horizon_ms for pace in (30 * DAY, DAY // 2, MINUTE)]

    assert horizons == [300 * DAY, 7 * DAY, 500 * MINUTE]
