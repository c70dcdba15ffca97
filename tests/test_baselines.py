"""Plain rankings say what their definitions say, at every moment and of the past alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.baselines import Acts, Crowd, Friends, baselines, best
from models.policy import DAY

USERS, ITEMS = 4, 5
CIRCLES = [[1, 2], [0], [], [0, 1, 2]]
NOON = 1_290_000_000_000
HALF_LIFE = 7 * DAY

histories = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, USERS - 1), st.integers(0, ITEMS - 1)),
    min_size=1,
    max_size=60,
).map(sorted)


def acts_of(history: list[tuple[int, int, int]]) -> Acts:
    """Lay out acts, each (day, user, item)."""
    day, user, item = np.array(history, dtype=np.int64).T
    return Acts(NOON + day * DAY, user, item, USERS, ITEMS)


def newest_before(
    history: list[tuple[int, int, int]], day: int, users: list[int]
) -> dict[tuple[int, int], int]:
    """Give the newest act of each of `users` on each item strictly before a day."""
    return {(user, item): at for at, user, item in history if at < day and user in users}


def summed(newest: dict[tuple[int, int], int], day: int) -> list[float]:
    """Add up decayed acts by item."""
    scores = [0.0] * ITEMS
    for (_, item), at in newest.items():
        scores[item] += 2 ** ((at - day) * DAY / HALF_LIFE)
    return scores


@given(histories)
def test_every_ranking_is_its_definition_at_every_moment(
    history: list[tuple[int, int, int]],
) -> None:
    """Kept up incrementally, popularity, recency and count equal a look at the whole past."""
    acts = acts_of(history)
    crowd = Crowd(acts, HALF_LIFE)
    friends = Friends(acts, CIRCLES, HALF_LIFE)

    for day in range(32):
        now = NOON + day * DAY
        everybody = newest_before(history, day, list(range(USERS)))
        assert crowd.popularity(0, now) == pytest.approx(summed(everybody, day))
        for viewer, circle in enumerate(CIRCLES):
            near = newest_before(history, day, circle)
            assert friends.count(viewer, now) == pytest.approx(summed(near, day))
            latest = friends.recency(viewer, now)
            for item in range(ITEMS):
                days = [at for (_, one), at in near.items() if one == item]
                assert latest[item] == (NOON + max(days) * DAY - acts.at[0] + 1 if days else 0)
            assert friends.acted_on(viewer, now) == {item for _, item in near}
            own = newest_before(history, day, [viewer])
            assert sorted(friends.own(viewer, now).tolist()) == sorted(item for _, item in own)


@given(histories, st.integers(0, 30))
def test_no_ranking_sees_the_moment_it_is_asked_at(
    history: list[tuple[int, int, int]], day: int
) -> None:
    """Whatever happens at the moment or later, every ranking says the same."""
    past = [act for act in history if act[0] < day]
    futures = (
        past + [(day, user, item) for user in range(USERS) for item in range(ITEMS)],
        history,
    )
    found = []
    for future in futures:
        acts = acts_of([*past, *(act for act in future if act[0] >= day), (31, 0, 0)])
        friends = Friends(acts, CIRCLES, HALF_LIFE)
        scorers = baselines(acts, friends, HALF_LIFE, np.random.default_rng(1))
        found.append({name: scorer(3, NOON + day * DAY) for name, scorer in scorers.items()})
    one, other = found

    for name in ("popularity", "friend-count", "friend+0.1pop", "random"):
        assert one[name] == pytest.approx(other[name]), name
    ranked = [best(scores["friend-recency"], np.array([], dtype=int), ITEMS) for scores in found]
    assert ranked[0] == ranked[1]


def test_a_tenth_of_popularity_decides_between_friends() -> None:
    """Where as many friends like one item as another, the crowd does; alone it counts a tenth."""
    history = [(0, 1, 0), (0, 2, 1), (0, 3, 1), (0, 3, 2)]
    acts = acts_of(history)
    friends = Friends(acts, CIRCLES, HALF_LIFE)
    scorers = baselines(acts, friends, HALF_LIFE, np.random.default_rng(1))
    scores = scorers["friend+0.1pop"](0, NOON + 7 * DAY)

    assert scores == pytest.approx([(1 + 0.1) / 2, (1 + 0.2) / 2, 0.1 / 2, 0, 0])
    assert best(scores, np.array([], dtype=int), 10) == [1, 0, 2]


def test_half_lives_without_number_do_no_harm() -> None:
    """A half-life of a second against years of acts: what is old is worth nothing, and no error."""
    history = [(0, 0, 0), (30, 1, 1)]
    crowd = Crowd(acts_of(history), 1_000)

    assert crowd.popularity(0, NOON + 30 * DAY + 1_000).tolist() == [0, 0.5, 0, 0, 0]


def test_a_target_is_the_first_act_of_a_user_on_an_item() -> None:
    """Repetitions are none, those of the same moment neither."""
    acts = acts_of([(0, 0, 0), (1, 0, 0), (1, 0, 1), (1, 0, 1), (1, 1, 0)])

    assert acts.firsts().tolist() == [0, 2, 4]
    assert acts.superseded().tolist() == [-1, 0, -1, 2, -1]


def test_best_leaves_out_what_is_excluded_and_what_nothing_speaks_for() -> None:
    """However many are asked for."""
    scores = np.array([0.5, 0.0, 0.9, 0.7, 0.1])

    assert best(scores, np.array([2]), 2) == [3, 0]
    assert best(scores, np.array([2, 3]), 50) == [0, 4]
    assert scores[2] == 0.9
