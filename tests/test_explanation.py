"""An explanation has every number behind a place, and tells nothing that a viewer may not know."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from models.candidate import REFUSALS, Candidate, Counters, Source, Viewer
from models.explanation import Contribution, explain
from models.page_policy import PagePolicy
from models.policy import HOUR
from models.present import strength
from models.ranking import pages, tabulated
from models.taste import Taste
from models.view import Proof
from tests.candidates import ITEMS, NOON, NOW, candidates, policies, viewers

HALF_LIFE = NOW.policy.half_life_ms
POLICY = PagePolicy()
ANN = Viewer(user="ann", circle={"bob", "cat"}, favoured={"cat"}, taste=Taste({"cats": NOON}))
SONG = Candidate(
    item="song",
    sources=frozenset({Source.SOCIAL, Source.TRENDING}),
    author="eve",
    topics=("cats", "art"),
    social=NOON + HALF_LIFE,
    proofs=(Proof("like", "bob", NOON), Proof("share", "cat", NOON - 2 * HALF_LIFE)),
    actors_total=2,
    trending=NOON - HOUR,
    counters=Counters(views=900, likes=40, shares=2),
)


@given(candidates(), viewers, policies, st.sampled_from(ITEMS))
def test_an_item_is_explained_as_it_is_ranked(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy, item: str
) -> None:
    """Place, parts, value and filters are those of the pages; whatever is on none was refused."""
    explained = explain(item, found, viewer, policy, NOW)
    shown = {
        one.item: (number, one)
        for number, page in enumerate(pages(tabulated(found, viewer, policy, NOW)), 1)
        for one in page
    }

    assert explained.version == policy.version
    if item in shown:
        page, ranked = shown[item]
        assert (explained.page, explained.parts) == (page, ranked.parts)
        assert explained.value == ranked.value
        assert explained.places == ranked.places
        assert set(explained.filters.values()) == {True}
    else:
        assert explained.page is None
        assert explained.verdict.startswith("not shown: ")
        assert explained.evidence is None or not all(explained.filters.values())


def test_what_is_left_of_each_act_adds_up() -> None:
    """A like of now is worth 1; a favoured friend's share of two half-lives ago 4 / 4 = 1."""
    evidence = explain("song", [SONG], ANN, POLICY, NOW).evidence

    assert evidence is not None
    assert evidence.contributions == (
        Contribution("bob", "like", NOON, 1.0, 1.0),
        Contribution("cat", "share", NOON - 2 * HALF_LIFE, 4.0, 1.0),
    )
    assert strength(SONG.social, NOON, HALF_LIFE) == 2.0
    assert (evidence.trending, evidence.counters) == (0.5, Counters(900, 40, 2))
    assert evidence.affinities == {"cats": 0.5, "art": 0.0}


def test_acts_that_are_not_listed_are_told_together() -> None:
    """What the listed acts leave of a score is others'; a rounding is nobody's."""
    stronger = structs.replace(SONG, social=NOON + 2 * HALF_LIFE, actors_total=9)
    rounded = structs.replace(SONG, social=NOON + HALF_LIFE + 2)

    def strengths(candidate: Candidate) -> dict[str, float]:
        evidence = explain("song", [candidate], ANN, POLICY, NOW).evidence
        assert evidence is not None
        return {one.who: one.strength for one in evidence.contributions}

    assert strengths(stronger) == pytest.approx({"bob": 1.0, "cat": 1.0, "others": 2.0})
    assert strengths(rounded) == {"bob": 1.0, "cat": 1.0}


def test_a_place_is_told_after_every_step() -> None:
    """Fifth in the feed, first once trending counts, second after its author's better item."""
    friends = [
        Candidate(item=f"item{k}", social=NOON - k, proofs=(Proof("like", "bob", NOON),))
        for k in range(4)
    ]
    old = structs.replace(SONG, social=NOON - HOUR, trending=NOON + 9 * HOUR)
    explained = explain("song", [*friends, old], ANN, POLICY, NOW)

    assert explained.verdict == (
        "page 1, place 1: shared by cat and 1 friend, trending, because of cats"
    )
    assert explained.places == {
        "feed": 5,
        "blend": 1,
        "filters": 1,
        "circle": 1,
        "author": 1,
        "page": 1,
    }
    assert explained.parts == pytest.approx(
        {
            "social": math.log2(1 + 2 ** (-1 / 6)),
            "trending": math.log2(9 + 2 ** (-1 / 6)) - math.log2(1 + 2 ** (-1 / 6)),
            "recent": 2.0,
            "taste": 0.5 * 0.25,
            "circle": 1.0,
            "author": 1.0,
        }
    )


def test_what_is_not_shown_is_explained_too() -> None:
    """The first filter it fails is told, all are named, and where it would have stood."""
    viewer = replace(ANN, seen={"song"}, hidden={"song"})
    explained = explain("song", [SONG], viewer, POLICY, NOW)

    assert explained.verdict == "not shown: ann hid it"
    assert explained.filters == {**dict.fromkeys(REFUSALS, True), "hidden": False, "seen": False}
    assert explained.places == {
        "feed": 1,
        "blend": 1,
        "filters": None,
        "circle": None,
        "author": None,
        "page": None,
    }


def test_nobody_learns_from_an_explanation_who_blocked_them() -> None:
    """An item of an author who is cut off is explained as one that nobody ever heard of."""
    viewer = replace(ANN, blocked={"eve"})

    assert explain("song", [SONG], viewer, POLICY, NOW) == explain("song", [], ANN, POLICY, NOW)


def test_what_nothing_brings_is_explained_as_what_does_not_exist() -> None:
    """A stranger's item that is neither new nor trending: there is nothing to tell about it."""
    strange = Candidate(item="song", sources=frozenset(), author="eve", trending=NOON)

    assert explain("song", [strange], ANN, POLICY, NOW) == explain("song", [], ANN, POLICY, NOW)


def test_what_stronger_items_keep_out_of_the_feed_is_explained() -> None:
    """Its acts are told, and it is on no page, however much speaks for it."""
    explained = explain("song", [structs.replace(SONG, sources=frozenset())], ANN, POLICY, NOW)

    assert explained.verdict == "not shown: ann has a feed of stronger items"
    assert explained.filters == {**dict.fromkeys(REFUSALS, True), "brought": False}
    assert explained.evidence is not None
    assert len(explained.evidence.contributions) == 2


def test_what_a_viewer_did_is_told_before_what_others_did_not() -> None:
    """An item that was seen, and that nothing brings any more, was seen."""
    old = structs.replace(SONG, sources=frozenset(), proofs=(), social=-math.inf)
    explained = explain("song", [old], replace(ANN, seen={"song"}), POLICY, NOW)

    assert explained.verdict == "not shown: ann saw it already"


@given(candidates(), viewers, policies, st.sampled_from(ITEMS), st.integers(0, 3))
def test_all_acts_are_told_of_an_item_whose_page_lists_a_few(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy, item: str, listed: int
) -> None:
    """It is where the page with few proofs has it, and has the contributions of all."""
    paged = [structs.replace(one, proofs=one.proofs[:listed]) for one in found]
    explained = explain(item, found, viewer, policy, NOW, listed=listed)
    all_told = explain(item, found, viewer, policy, NOW)

    assert replace(explained, evidence=None) == replace(
        explain(item, paged, viewer, policy, NOW), evidence=None
    )
    if explained.evidence is not None and all_told.evidence is not None:
        assert explained.evidence.contributions == all_told.evidence.contributions
