"""What a page promises: who may be on it, in which order, and how much of it belongs to whom."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from models.candidate import REFUSALS, Candidate, Counters, Source, Viewer
from models.composition import answering_for, exploration
from models.page_policy import PagePolicy
from models.policy import HOUR
from models.ranking import Ranked, pages, rank, tabulated
from models.taste import Taste
from models.view import Proof
from tests.candidates import NOON, NOW, candidates, policies, viewers

if TYPE_CHECKING:
    from random import Random

ANN = Viewer(user="ann", circle={"bob", "cat", "dan"})
TRENDING = frozenset({Source.TRENDING})


def liked(item: str, *actors: str, ago: int = 0, **known: object) -> Candidate:
    """Make a candidate that `actors` liked all at once."""
    at = NOON - ago
    social = at + NOW.policy.half_life_ms * math.log2(len(actors))
    proofs = tuple(Proof("like", actor, at) for actor in actors)
    return Candidate(item=item, social=social, proofs=proofs, **known)  # type: ignore[arg-type]


def trending(item: str, *, ago: int = 0, **known: object) -> Candidate:
    """Make a candidate that strangers like."""
    return Candidate(item=item, sources=TRENDING, trending=NOON - ago, **known)  # type: ignore[arg-type]


def all_pages(found: list[Candidate], viewer: Viewer, policy: PagePolicy) -> list[list[Ranked]]:
    """Make all pages."""
    return list(pages(tabulated(found, viewer, policy, NOW)))


def items(page: list[Ranked]) -> list[str]:
    """Name the items of a page."""
    return [one.item for one in page]


def is_shown(candidate: Candidate, viewer: Viewer, policy: PagePolicy) -> bool:
    """Tell whether a candidate is to be shown, sooner or later."""
    refused = any(refuses(candidate, viewer, policy) for refuses in REFUSALS.values())
    return not refused and candidate.author not in viewer.blocked


@given(candidates(), viewers, policies)
def test_all_that_passes_the_filters_is_shown_once_and_nothing_else(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy
) -> None:
    """No page is empty, and none has what was seen, acted on, hidden, own, cut off or lonely."""
    made = all_pages(found, viewer, policy)

    assert all(0 < len(page) <= policy.page_size for page in made)
    assert sorted(item for page in made for item in items(page)) == sorted(
        one.item for one in found if is_shown(one, viewer, policy)
    )
    assert rank(found, viewer, policy, NOW) == (made[0] if made else [])


@pytest.mark.parametrize(
    ("viewer", "policy"),
    [
        (replace(ANN, seen={"song"}), PagePolicy()),
        (replace(ANN, acted={"song"}), PagePolicy()),
        (replace(ANN, hidden={"song"}), PagePolicy()),
        (replace(ANN, blocked={"eve"}), PagePolicy()),
        (replace(ANN, user="eve"), PagePolicy()),
        (ANN, PagePolicy(friends_threshold=2)),
    ],
)
def test_each_filter_keeps_an_item_out(viewer: Viewer, policy: PagePolicy) -> None:
    """What was seen, acted on or hidden, is own or by a blocked author, or that too few liked."""
    song = liked("song", "bob", author="eve")

    assert items(rank([song], ANN, PagePolicy(), NOW)) == ["song"]
    assert rank([song], viewer, policy, NOW) == []


@given(candidates(), viewers, policies, st.randoms(use_true_random=False))
def test_the_order_in_which_candidates_are_found_does_not_matter(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy, chance: Random
) -> None:
    """The same candidates make the same pages."""
    shuffled = chance.sample(found, len(found))

    assert all_pages(shuffled, viewer, policy) == all_pages(found, viewer, policy)


@given(candidates(), viewers, policies)
def test_the_parts_make_the_value_and_the_value_the_order(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy
) -> None:
    """Whoever has the numbers of a page can find its order, but for what came forward."""
    for page in all_pages(found, viewer, policy):
        for one in page:
            speaks = sum(one.parts[part] for part in ("social", "trending", "recent", "taste"))
            factor = one.parts["circle"] * one.parts["author"]
            expected = speaks * factor if speaks > 0 else speaks / factor
            assert one.value == pytest.approx(expected)
        on_merit = [one for one in page if not one.reserved]
        key = [(one.value, one.candidate.social, one.item) for one in on_merit]
        assert key == sorted(key, reverse=True)
        assert [one.places["page"] for one in page] == list(range(1, len(page) + 1))


@given(candidates(), viewers, policies)
def test_what_waits_has_less_value_or_met_a_limit(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy
) -> None:
    """What waits, though it is worth more than what is on the page, is on account of the busy."""
    page, *later = all_pages(found, viewer, policy) or [[]]
    least = min((one.value for one in page if not one.reserved), default=math.inf)
    charged = Counter(one.account for one in page)
    table = tabulated(found, viewer, policy, NOW)

    for waiting in (one.candidate for other in later for one in other):
        at_worst = table.blend.value[table.candidates.index(waiting)] * policy.author_floor
        if at_worst > least:
            assert answering_for(waiting)
            assert all(charged[one] == policy.per_actor for one in answering_for(waiting))


@given(candidates(), viewers, policies)
def test_nobody_fills_a_page_alone(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy
) -> None:
    """At most `per_actor` items of a page are there on account of one and the same account."""
    for page in all_pages(found, viewer, policy):
        accounts = Counter(one.account for one in page if one.account is not None)
        alone = Counter(
            one.candidate.actors[0]
            for one in page
            if len(one.candidate.actors) == 1 and one.candidate.actors_total <= 1
        )
        assert all(count <= policy.per_actor for count in (accounts | alone).values())


def test_an_account_that_likes_everything_has_three_places() -> None:
    """What only a spammer likes waits for later pages; what friends like too is theirs."""
    spam = [liked(f"spam{k:03}", "dan") for k in range(100)]
    song = liked("song", "cat", "dan")
    news = trending("news", ago=HOUR)
    first, second, *_ = all_pages([*spam, song, news], ANN, PagePolicy())

    assert items(first) == ["song", "spam099", "spam098", "spam097", "news"]
    assert items(second) == ["spam096", "spam095", "spam094"]


def test_an_author_whom_nobody_acted_on_answers_for_what_is_theirs() -> None:
    """A trending author has no more places than a friend who likes everything."""
    hits = [trending(f"hit{k}", author="eve") for k in range(9)]

    assert len(rank(hits, ANN, PagePolicy(per_actor=2), NOW)) == 2
    assert len(rank([trending(f"hit{k}") for k in range(9)], ANN, PagePolicy(), NOW)) == 9


def test_each_further_item_of_an_author_counts_less() -> None:
    """Three of equal worth by one author are worth 1, 5/8 and 7/16, so another's comes between."""
    friends = zip("xyz", ("bob", "cat", "dan"), strict=True)
    by_eve = [liked(item, friend, author="eve") for item, friend in friends]
    by_dan = liked("d", "dan", author="dan", ago=HOUR // 12)
    page = rank([*by_eve, by_dan], ANN, PagePolicy(), NOW)

    assert items(page) == ["z", "d", "y", "x"]
    assert [one.parts["author"] for one in page] == [1.0, 1.0, 0.625, 0.4375]


@given(candidates(), viewers, policies)
def test_a_share_of_the_places_explores(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy
) -> None:
    """By every place at least the share is new creators and other topics, while some are left."""
    policy = replace(policy, per_actor=100)
    left = {one.item: one for one in found if is_shown(one, viewer, policy)}

    def explores(one: Candidate) -> bool:
        return exploration(one, viewer, policy) is not None

    for page in all_pages(found, viewer, policy):
        explored = 0
        for place, one in enumerate(page, 1):
            explored += explores(one.candidate)
            del left[one.item]
            enough = explored >= policy.explored_by(place)
            assert enough or not any(map(explores, left.values()))


def test_a_new_creator_and_another_topic_come_forward() -> None:
    """At places 10 and 20 of a page of friends' likes stands what they would never have liked."""
    viewer = replace(ANN, circle={f"friend{k}" for k in range(40)}, taste=Taste({"cats": NOON}))
    known = [liked(f"item{k:02}", f"friend{k}", topics=("cats",)) for k in range(40)]
    new = Candidate(
        item="debut", sources=frozenset({Source.FRESH}), author="eve", counters=Counters(views=99)
    )
    other = trending("essay", ago=9 * HOUR, topics=("art",))
    page = rank([*known, new, other], viewer, PagePolicy(), NOW)

    assert (page[9].item, page[9].reasons) == (
        "essay",
        ("trending", "outside your usual topics"),
    )
    assert (page[19].item, page[19].reasons) == ("debut", ("new creator",))
    assert [one.reserved for one in page].count(True) == 2


@given(candidates(), viewers, policies, st.data())
def test_another_friend_never_lowers_an_item(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy, data: st.DataObject
) -> None:
    """One more act, by somebody who has not used up their places, leaves or lifts its place."""
    assume(found)
    chosen = data.draw(st.sampled_from(found))
    lifted = structs.replace(
        chosen,
        social=max(chosen.social, NOON - HOUR) + data.draw(st.sampled_from([1, HOUR, 9 * HOUR])),
        proofs=(Proof("like", "fay", NOON), *chosen.proofs),
        actors_total=max(chosen.actors_total, len(chosen.actors)) + 1,
        sources=chosen.sources | {Source.SOCIAL},
    )
    assume(is_shown(chosen, viewer, policy))
    others = [one for one in found if one is not chosen]

    def place(candidate: Candidate) -> int:
        made = all_pages([*others, candidate], viewer, policy)
        return [item for page in made for item in items(page)].index(chosen.item)

    assert place(lifted) <= place(chosen)


def test_without_friends_there_is_what_is_trending() -> None:
    """A viewer with an empty feed has a page all the same."""
    page = rank(
        [trending("news"), trending("film", ago=HOUR)], Viewer(user="new"), PagePolicy(), NOW
    )

    assert [(one.item, one.reasons) for one in page] == [
        ("news", ("trending",)),
        ("film", ("trending",)),
    ]
    assert page[0].parts == pytest.approx(
        {
            "social": 0.0,
            "trending": math.log2(1 + 0.1),
            "recent": 0.0,
            "taste": 0.0,
            "circle": 0.9,
            "author": 1.0,
        }
    )


def test_a_tenth_of_the_crowd_counts_beside_friends() -> None:
    """Ten strangers' likes of this moment add as much to a friend's as another friend's would."""
    both = liked("a", "bob", trending=NOON + HOUR * math.log2(10))
    friends = liked("b", "bob", "cat")
    page = rank([both, friends], ANN, PagePolicy(), NOW)

    assert page[0].value == pytest.approx(page[1].value)
    assert (page[0].parts["social"], page[1].parts["trending"]) == (1.0, 0.0)


@pytest.mark.parametrize("crowd", [100, 1e9])
def test_however_large_the_crowd_it_counts_as_a_few_friends(crowd: float) -> None:
    """What trends most is worth 8 acts of friends; what is half as strong, 4 of them."""
    hours = math.log2(crowd)
    found = [trending("a", ago=-round(hours * HOUR)), trending("b", ago=HOUR - round(hours * HOUR))]
    parts = {one.item: one.parts["trending"] for one in rank(found, ANN, PagePolicy(), NOW)}

    assert parts == pytest.approx({"a": math.log2(1 + 8), "b": math.log2(1 + 4)})


def test_what_a_friend_did_a_moment_ago_comes_up_at_once() -> None:
    """One act of this minute comes before three of an hour ago, and after three of this minute."""
    found = [
        liked("just now", "bob"),
        liked("an hour ago", "bob", "cat", "dan", ago=HOUR),
        liked("trio", "bob", "cat", "dan"),
    ]

    assert items(rank(found, ANN, PagePolicy(), NOW)) == ["trio", "just now", "an hour ago"]


def test_what_the_circle_has_nothing_to_do_with_is_discounted() -> None:
    """A stranger's item keeps nine tenths; a friend's item, or one a friend likes, all."""
    found = [
        trending("a", author="eve"),
        trending("b", author="bob"),
        liked("c", "bob", author="eve"),
    ]
    parts = {one.item: one.parts["circle"] for one in rank(found, ANN, PagePolicy(), NOW)}

    assert parts == {"a": 0.9, "b": 1.0, "c": 1.0}


def test_taste_lifts_what_is_liked_and_lowers_what_was_hidden() -> None:
    """Among equal items the favourite topic comes first, the disliked one last, below nothing."""
    viewer = replace(ANN, taste=Taste({"cats": NOON}, {"war": NOON + 48 * HOUR}))
    found = [trending(topic, topics=(topic,)) for topic in ("art", "cats", "war")]
    page = rank(found, viewer, PagePolicy(exploration=0), NOW)

    assert [(one.item, one.parts["taste"]) for one in page] == [
        ("cats", 0.25),
        ("art", 0.0),
        ("war", -0.5),
    ]
    assert page[0].reasons == ("trending", "because of cats")
    assert page[2].value == pytest.approx((math.log2(1 + 0.1) - 0.5) / 0.9)


@pytest.mark.parametrize(
    ("proofs", "total", "reason"),
    [
        ([("like", "bob")], 0, "liked by bob"),
        ([("like", "bob"), ("like", "cat")], 2, "liked by bob and 1 friend"),
        ([("like", "bob"), ("share", "cat")], 5, "shared by cat and 4 friends"),
        ([("post", "bob"), ("direct", "bob")], 1, "shared with you by bob"),
        ([("post", "bob"), ("like", "bob")], 1, "posted by bob"),
    ],
)
def test_a_reason_names_who_did_most(
    proofs: list[tuple[str, str]], total: int, reason: str
) -> None:
    """What was meant for the viewer comes before shares, posts and likes; others are counted."""
    acts = tuple(Proof(kind, actor, NOON) for kind, actor in proofs)
    song = Candidate(item="song", social=NOON, proofs=acts, actors_total=total)

    assert rank([song], ANN, PagePolicy(), NOW)[0].reasons == (reason,)


@given(candidates(), viewers, policies)
def test_every_item_has_a_reason(
    found: list[Candidate], viewer: Viewer, policy: PagePolicy
) -> None:
    """No item is on a page without a word why."""
    for page in all_pages(found, viewer, policy):
        assert all(one.reasons for one in page)
