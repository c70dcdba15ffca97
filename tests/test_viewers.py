"""Simulated viewers: who they are, what they do with their pages, and what is measured of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import events
from models.candidate import Candidate, Viewer
from models.catalogue import TOPICS
from models.diary import Diary
from models.errors import PolicyError
from models.network import Network, make_network
from models.page_policy import PagePolicy
from models.people import Behaviour, People
from models.policy import DAY, HOUR, Policy
from models.present import Present
from models.ranking import rank
from models.spread import breadth, fans, gini, hops
from models.view import Proof
from models.viewers import Served, Viewers, look

if TYPE_CHECKING:
    from models.ranking import Ranked

NOON = 1_790_000_000_000
BEHAVIOUR = Behaviour()
chances = st.floats(0, 1, exclude_max=True)
parts = st.floats(0, 1)


def chance(seed: int = 1) -> np.random.Generator:
    """Give seeded chance."""
    return np.random.default_rng(seed)


def people(users: int = 300, seed: int = 1) -> People:
    """Give the people of a network."""
    return People(make_network(users, chance(seed)), BEHAVIOUR, chance(seed))


def page(length: int) -> list[Ranked]:
    """Make a page of items about art that a friend likes."""
    liked = (Proof("like", "1", NOON),)
    shown = [
        Candidate(item=str(k), topics=("art",), social=NOON - k, proofs=liked)
        for k in range(length)
    ]
    policy = PagePolicy(page_size=max(1, length), per_actor=100)
    return rank(shown, Viewer(user="0"), policy, Present(Policy(), NOON))


def done(of: Viewers, count: int, shown: list[Ranked]) -> list[Served]:
    """Let `count` people come, and show each the same."""
    return [of.answer(of.visit(NOON + k), shown) for k in range(count)]


def test_the_same_seed_makes_the_same_people_who_do_the_same() -> None:
    """Interests, creators, visits and answers; another seed makes others."""
    shown = page(20)
    first, again = (done(Viewers(people(), chance(2)), 200, shown) for _ in range(2))
    other = done(Viewers(people(), chance(3)), 200, shown)

    assert again == first
    assert other != first
    assert people().newcomers == people().newcomers


def test_who_comes_and_what_they_post_does_not_depend_on_the_pages() -> None:
    """Under another page policy the same people come at the same time, and post the same."""

    def posts(shown: list[Ranked]) -> list[events.Event]:
        served = done(Viewers(people(), chance()), 500, shown)
        return [event for one in served for event in one.done if isinstance(event, events.Post)]

    assert posts(page(20)) == posts(page(0)) != []


def test_all_that_people_do_keeps_to_the_contract() -> None:
    """Every event is valid, views most often, and likes, shares and hides occur."""
    served = done(Viewers(people(), chance()), 2_000, page(20))
    acts = [event for one in served for event in one.done]
    for event in acts:
        events.check(event)
    kinds = Counter(event.kind for event in acts)

    assert set(kinds) == {"post", "view", "like", "share", "hide"}
    assert kinds.most_common(1)[0][0] == "view"


@given(parts, parts, st.integers(0, 50), st.lists(chances, min_size=5, max_size=5))
def test_interest_raises_completion_and_likes_and_lowers_hiding(
    one: float, other: float, friends: int, rolls: list[float]
) -> None:
    """With the same chance, what appeals more is seen longer, and liked whenever the other is."""
    less, more = (look(appeal, friends, rolls, BEHAVIOUR) for appeal in sorted((one, other)))

    assert more.completion >= less.completion
    assert more.liked >= less.liked
    assert more.shared >= less.shared
    assert more.hidden <= less.hidden


@given(parts, st.integers(0, 50), st.lists(chances, min_size=5, max_size=5))
def test_friends_raise_likes_and_shares_alone(
    appeal: float, friends: int, rolls: list[float]
) -> None:
    """One friend more makes liking likelier; how long an item is seen depends on the item."""
    without, with_one = (look(appeal, many, rolls, BEHAVIOUR) for many in (friends, friends + 1))

    assert with_one.liked >= without.liked
    assert with_one.shared >= without.shared
    assert with_one.completion == without.completion


def test_one_friend_is_worth_the_influence() -> None:
    """Of very many looks with a friend a third more end in a like, as in the experiment cited."""
    rolls = chance().random((200_000, 5)).tolist()
    alone, beside = (
        sum(look(0.5, many, roll, BEHAVIOUR).liked for roll in rolls) for many in (0, 1)
    )

    assert beside / alone == pytest.approx(1 + BEHAVIOUR.influence, rel=0.05)


def test_people_look_from_the_top_and_leave() -> None:
    """Nobody skips an item, and the mean of items looked at is what persistence says."""
    shown = page(100)
    order = [ranked.item for ranked in shown]
    depths = []
    for served in done(Viewers(people(), chance()), 2_000, shown):
        seen = [event.item for event in served.done if isinstance(event, events.View)]
        assert seen == order[: len(seen)]
        depths.append(len(seen))

    assert np.mean(depths) == pytest.approx(1 / (1 - BEHAVIOUR.persistence), rel=0.1)


def test_friends_are_alike() -> None:
    """Interests of friends are nearer to each other than those of any two."""
    everybody = people(1_000)
    pairs = everybody.network.friendships
    anybody = chance().integers(0, 1_000, pairs.shape)
    near, far = (
        np.abs(everybody.interests[some[:, 0]] - everybody.interests[some[:, 1]]).sum(axis=1).mean()
        for some in (pairs, anybody)
    )

    assert near < 0.9 * far


def test_creators_are_a_few_with_many_fans_and_many_others() -> None:
    """Most only look; nobody is both; the established have the most fans."""
    everybody = people(1_000)
    reached = [len(some) for some in fans(everybody.network)]
    fewest = min(reached[user] for user in everybody.established)

    assert len(everybody.established) < len(everybody.newcomers) < 500
    assert not everybody.established & everybody.newcomers
    assert all(reached[user] <= fewest for user in everybody.newcomers)


def test_creators_post_about_what_they_like() -> None:
    """The first topic of what is posted is of the author's interests, and mostly a strong one."""
    everybody = people()
    served = done(Viewers(everybody, chance()), 3_000, [])
    posts = [event for one in served for event in one.done if isinstance(event, events.Post)]
    liking = [everybody.interests[int(post.user), TOPICS.index(post.topics[0])] for post in posts]

    assert min(liking) > 0
    assert np.mean(liking) > 2 / len(TOPICS)


def test_people_come_as_often_as_they_are_said_to() -> None:
    """In a day each comes six times in the mean, some much more often, in the order of time."""
    everybody = people()
    visits = list(Viewers(everybody, chance()).visits(NOON, NOON + DAY))
    counts = Counter(visit.user for visit in visits)
    moments = [visit.at for visit in visits]

    assert len(visits) / 300 == pytest.approx(BEHAVIOUR.visits_a_day, rel=0.1)
    assert moments == sorted(moments)
    assert counts.most_common(1)[0][1] > 3 * BEHAVIOUR.visits_a_day


def test_nobody_is_what_cannot_be() -> None:
    """Parts of a whole lie between 0 and 1, and nothing is negative."""
    with pytest.raises(PolicyError, match=r"like is 1\.5"):
        Behaviour(like=1.5)
    with pytest.raises(PolicyError, match="visits_a_day is -1"):
        Behaviour(visits_a_day=-1)


def row(length: int) -> Network:
    """Lay people in a row: each a friend of the next."""
    pairs = np.array([[k, k + 1] for k in range(length - 1)])
    return Network(length, pairs, np.empty((0, 2), dtype=np.int64))


@given(st.integers(2, 60), st.integers(0, 1_000))
def test_hops_of_fans_differ_by_one_at_most(users: int, seed: int) -> None:
    """A fan of anybody is at most one hop farther from an author, and the author is at 0."""
    reached = fans(make_network(users, chance(seed)))
    author = seed % users
    distances = hops(reached, author)

    assert [user for user, distance in enumerate(distances) if distance == 0] == [author]
    for user, some in enumerate(reached):
        assert all(distances[fan] <= distances[user] + 1 for fan in some)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20), st.integers(1, 10))
def test_gini_is_a_part_and_forgets_scale(shares: list[int], factor: int) -> None:
    """It lies in [0, 1), grows by giving the richest more, and counts no unit."""
    richer = sorted(shares)
    richer[-1] += 10

    assert 0 <= gini(shares) < 1
    assert gini([factor * share for share in shares]) == pytest.approx(gini(shares))
    assert gini(richer) >= gini(shares) - 1e-9


@given(st.lists(st.integers(0, 100), min_size=1, max_size=10).filter(any))
def test_breadth_is_at_most_the_number_of_things(weights: list[int]) -> None:
    """It is 1 for a single thing, and largest where all are equally frequent."""
    present = sum(weight > 0 for weight in weights)

    assert breadth(weights) + 1e-9 >= 1
    assert breadth(weights) <= present + 1e-9
    assert breadth([1] * len(weights)) == pytest.approx(len(weights))


def test_a_diary_measures_hops_creators_and_topics() -> None:
    """In a row of nine, where 0 and 1 post, every number can be counted by hand."""
    nine = People(row(9), replace(BEHAVIOUR, established=0.0), chance())
    nine.newcomers = frozenset({0, 1})

    def post(user: int, item: str, topic: str) -> Served:
        made = events.Post(at=NOON, user=str(user), item=item, topics=[topic])
        return Served((), (made,))

    def view(user: int, item: str, hours: int = 1) -> Served:
        seen = events.View(at=NOON + hours * HOUR, user=str(user), item=item, completion=0.5)
        return Served(("8",), (seen,))

    visits = [
        *(post(0, "a", "art"), post(1, "b", "food"), post(1, "c", "food")),
        *(view(1, "a"), view(2, "a"), view(3, "a", 2), view(3, "b"), view(3, "elsewhere")),
    ]
    diary = Diary(visits, nine)
    spread = diary.spread()

    assert diary.hops() == [1, 2, 3, 2]
    assert (spread.pages, spread.posts, spread.views) == (8, 3, 4)
    assert spread.completion == 0.5
    assert spread.out_of_circle == 3 / 4
    assert (spread.reaching_two, spread.reaching_three) == (2 / 3, 1 / 3)
    assert spread.farthest == 2.5
    assert spread.gini == 0.25
    assert (spread.newcomers_seen, spread.newcomers_started, spread.hours_to_start) == (1, 1, 1)
    assert spread.topics_seen == pytest.approx((1 + 1 + 2) / 3)
    assert diary.charged("8") == [0, 0, 0, 1, 1, 1, 1, 1]


def test_a_diary_of_nothing_is_measured() -> None:
    """No visits give no numbers to divide by."""
    spread = Diary([], people(10)).spread()

    assert (spread.pages, spread.views, spread.gini, spread.topics_seen) == (0, 0, 0, 0)
