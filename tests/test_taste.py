"""What a viewer likes: merged in any order, bounded, and hidden topics below zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.policy import DAY, HOUR, Policy
from models.taste import TOPICS_KEPT, Liking, Taste, affinity, half_life_ms, taste
from tests.candidates import NOON, TOPICS, moments, tastes

if TYPE_CHECKING:
    from random import Random

POLICY = Policy()
HALF_LIFE = half_life_ms(POLICY)
KINDS = ["like", "share", "completed", "hide"]

likings = st.builds(
    Liking,
    st.sampled_from(KINDS),
    moments,
    st.lists(st.sampled_from(TOPICS), max_size=3, unique=True).map(tuple),
)


def of(*acts: Liking) -> dict[str, float]:
    """Give the affinities at noon of who did `acts`."""
    return taste(acts, POLICY).affinities(NOON, HALF_LIFE)


@given(st.lists(likings), st.randoms(use_true_random=False))
def test_the_order_of_acts_does_not_matter(acts: list[Liking], chance: Random) -> None:
    """The same acts in any order make the same taste."""
    shuffled = chance.sample(acts, len(acts))

    assert taste(shuffled, POLICY).liked == pytest.approx(taste(acts, POLICY).liked)
    assert taste(shuffled, POLICY).disliked == pytest.approx(taste(acts, POLICY).disliked)


@given(tastes, st.integers(NOON - DAY, NOON + 9_000 * DAY))
def test_affinities_are_bounded(known: Taste, now: int) -> None:
    """Between -1 and 1, whenever somebody looks."""
    assert all(-1 <= one <= 1 for one in known.affinities(now, HALF_LIFE).values())


def test_the_clock_does_not_reorder_topics() -> None:
    """What was liked most stays so, until the viewer acts."""
    known = taste([Liking("share", NOON, ("cats",)), Liking("like", NOON, ("art",))], POLICY)
    soon, late = (known.affinities(at, HALF_LIFE) for at in (NOON, NOON + 7 * DAY))

    assert soon == pytest.approx({"cats": 2 / 3, "art": 1 / 3})
    assert late["cats"] == pytest.approx(2 * late["art"], rel=1e-6)


def test_a_taste_outlasts_a_feed() -> None:
    """A like is worth half a day later, when it is worth a sixteenth in a feed of six hours."""
    assert half_life_ms(POLICY) == 24 * HOUR
    assert taste([Liking("like", NOON, ("art",))], POLICY).liked == {"art": NOON}


def test_a_hide_outweighs_four_likes() -> None:
    """Then the topic counts for nothing; with one like less it counts against."""
    likes = [Liking("like", NOON, ("war",))] * 4
    hide = Liking("hide", NOON, ("war",))

    assert of(*likes)["war"] == pytest.approx(0.8)
    assert of(*likes, hide)["war"] == pytest.approx(0, abs=1e-9)
    assert of(*likes[1:], hide)["war"] == pytest.approx(-0.25)
    assert of(hide)["war"] == -1.0


def test_kinds_weigh_as_acts_do_and_a_view_to_the_end_half_a_like() -> None:
    """Sharing says more than liking, liking more than watching."""
    acts = [Liking(kind, NOON, (kind,)) for kind in KINDS[:-1]]

    assert of(*acts) == pytest.approx({"share": 2 / 3, "like": 1 / 3, "completed": 0.5 / 3})


def test_a_taste_keeps_the_strongest_topics() -> None:
    """However many topics there are, a taste is of bounded size."""
    acts = [Liking("like", NOON + k, (f"topic{k}",)) for k in range(2 * TOPICS_KEPT)]

    assert taste(acts, POLICY).liked.keys() == {
        f"topic{k}" for k in range(TOPICS_KEPT, 2 * TOPICS_KEPT)
    }


def test_to_name_many_topics_gains_nothing() -> None:
    """An item about everything is liked as much as the mean of it."""
    affinities = {"cats": 0.8, "war": -1.0}

    assert affinity(["cats"], affinities) == 0.8
    assert affinity(["cats", "war", "art", "tax"], affinities) == pytest.approx(-0.05)
    assert affinity([], affinities) == 0.0
