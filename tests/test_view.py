"""The definition keeps its own laws, and says what its words say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import PolicyError
from models.events import (
    Befriend,
    Block,
    Edge,
    Erase,
    Event,
    Favor,
    Follow,
    Hide,
    Like,
    Mute,
    Post,
    Share,
    Stance,
    Takedown,
    Unblock,
    Unfavor,
    Unfollow,
    Unfriend,
    Unhide,
    Unlike,
    Unmute,
    Unshare,
    View,
)
from models.policy import DAY, HOUR, Policy
from models.view import Proof
from tests.cases import view_of
from tests.histories import NOON, histories, items, moments, users

if TYPE_CHECKING:
    from random import Random

    from models import view

EVERYONE = ["ann", "bob", "cat", "dan", "eve"]
SMALL = Policy(feed_size=3, acts_kept=2, direct_kept=2, half_life_ms=HOUR, horizon_ms=DAY)
FRIENDS = Befriend(user="ann", friend="bob", at=NOON)


def feeds(history: list[Event], policy: Policy | None = None) -> dict[str, list[view.Entry]]:
    """Give everyone's feed after a history."""
    after = view_of(history, policy)
    return {user: after.feed(user) for user in EVERYONE}


def feed(history: list[Event], policy: Policy | None = None) -> list[str]:
    """Give the items of ann's feed, best first, where bob is a friend."""
    return [entry.item for entry in view_of([FRIENDS, *history], policy).feed("ann")]


def like(item: str, *, at: int) -> Like:
    """Make a like by bob, `at` ms after noon."""
    return Like(user="bob", item=item, at=NOON + at)


def post(user: str, *topics: str, at: int) -> Post:
    """Post a song, `at` ms after noon."""
    return Post(user=user, item="song", topics=list(topics), at=NOON + at)


def unlike(item: str, *, at: int) -> Unlike:
    """Make bob take a like back, `at` ms after noon."""
    return Unlike(user="bob", item=item, at=NOON + at)


@given(histories(span_ms=3 * DAY), st.randoms(use_true_random=False))
def test_order_lateness_and_repetition_change_nothing(history: list[Event], chance: Random) -> None:
    """Any shuffle with any repeats gives the same feeds, however small caps and horizon are."""
    shuffled = history + chance.choices(history, k=len(history)) if history else []
    chance.shuffle(shuffled)

    assert feeds(shuffled, SMALL) == feeds(history, SMALL)


@given(histories(), items, moments(), st.integers(0, HOUR))
def test_an_act_taken_back_leaves_no_trace(
    history: list[Event], item: str, at: int, later: int
) -> None:
    """After like and unlike, or share and unshare, every feed is as if neither had been."""
    last = Like(user="dan", item="z", at=NOON + 72 * HOUR)  # stream time is the same in both
    both = [
        Like(user="eve", item=item, at=at),
        Unlike(user="eve", item=item, at=at + later),
        Share(user="eve", item=item, at=at),
        Unshare(user="eve", item=item, at=at + later),
        Share(user="eve", item=item, to=["ann"], at=at),
        Unshare(user="eve", item=item, to=["ann"], at=at + later),
    ]
    friends = [Befriend(user="eve", friend=user, at=NOON) for user in EVERYONE[:-1]]

    assert feeds([*history, *friends, last, *both]) == feeds([*history, *friends, last])


@given(histories(), users, st.integers(0, HOUR))
def test_a_friendship_broken_takes_out_exactly_its_acts(
    history: list[Event], user: str, later: int
) -> None:
    """After befriend and unfriend, or follow and unfollow, every feed is as before."""
    acts = [Like(user="eve", item="a", at=NOON), Share(user="eve", item="b", to=[user], at=NOON)]
    edges = [
        Befriend(user=user, friend="eve", at=NOON),
        Unfriend(user="eve", friend=user, at=NOON + later),
        Follow(user=user, friend="eve", at=NOON),
        Unfollow(user=user, friend="eve", at=NOON + later),
    ]
    last = Like(user="eve", item="z", at=NOON + 72 * HOUR)

    assert feeds([*history, *acts, last, *edges]) == feeds([*history, *acts, last])


@given(histories(), users, st.integers(0, HOUR))
def test_a_preference_taken_back_leaves_no_trace(
    history: list[Event], user: str, later: int
) -> None:
    """After hide, block, mute or favor and its undoing, every feed is as before."""
    on, off = NOON, NOON + later
    acts = [
        Befriend(user=user, friend="eve", at=NOON),
        Like(user="eve", item="z", at=NOON + 72 * HOUR),
    ]
    both = [
        Hide(user=user, item="z", at=on),
        Unhide(user=user, item="z", at=off),
        Block(user=user, other="eve", at=on),
        Unblock(user=user, other="eve", at=off),
        Block(user="eve", other=user, at=on),
        Unblock(user="eve", other=user, at=off),
        Mute(user=user, other="eve", at=on),
        Unmute(user=user, other="eve", at=off),
        Favor(user=user, other="eve", at=on),
        Unfavor(user=user, other="eve", at=off),
    ]

    assert feeds([*history, *acts, *both]) == feeds([*history, *acts])


@given(histories(), users, moments())
def test_an_erased_account_has_never_been(history: list[Event], user: str, at: int) -> None:
    """Feeds are as if nobody had ever heard of it, whenever it was erased; its own is empty."""
    last = Like(user="eve", item="z", at=NOON + 72 * HOUR)
    without = [
        event
        for event in history
        if event.accounts[:1] != (user,)
        and not (isinstance(event, Edge | Stance) and user in event.accounts)
    ]
    after = feeds([*history, last, Erase(user=user, at=at)])

    assert after.pop(user) == []
    assert after == {who: feed for who, feed in feeds([*without, last]).items() if who != user}


@given(histories(), items, moments())
def test_an_item_taken_down_has_never_been(history: list[Event], item: str, at: int) -> None:
    """Feeds are as if nobody had ever touched it, before or after."""
    last = Like(user="eve", item="z", at=NOON + 72 * HOUR)
    without = [event for event in history if getattr(event, "item", None) != item]

    assert feeds([*history, last, Takedown(item=item, at=at)]) == feeds([*without, last])


@given(histories(), users, items)
def test_a_proof_is_what_the_newest_event_of_its_kind_says(
    history: list[Event], user: str, item: str
) -> None:
    """Proofs are found as well by looking for the newest event of each actor, the words as code."""

    def said(*kinds: type[Event], **fields: object) -> int | None:
        among = [
            event
            for event in history
            if isinstance(event, kinds)
            and all(getattr(event, name) == value for name, value in fields.items())
        ]
        last = max(among, key=lambda event: (event.at, event.off), default=None)
        return last.at if last and not last.off else None

    def reaches(actor: str) -> bool:
        friendship = "|".join(["friend", *sorted((user, actor))])
        return bool(
            said(Befriend, Unfriend, key=friendship)
            or said(Follow, Unfollow, user=user, friend=actor)
        ) and not (
            said(Block, Unblock, user=user, other=actor)
            or said(Block, Unblock, user=actor, other=user)
            or said(Mute, Unmute, user=user, other=actor)
            or said(Erase, user=user)
            or said(Erase, user=actor)
        )

    gone = said(Takedown, item=item) or said(Hide, Unhide, user=user, item=item)
    circle = [] if gone else list(filter(reaches, EVERYONE))
    expected = [
        *(("like", who, said(Like, Unlike, user=who, item=item)) for who in circle),
        *(("post", who, said(Post, user=who, item=item)) for who in circle),
        *(("share", who, said(Share, Unshare, user=who, item=item, to=None)) for who in circle),
    ]
    proofs = view_of(history).proofs(user, item)

    assert [one for one in proofs if one.kind != "direct"] == [one for one in expected if one[2]]


def test_a_friend_is_one_from_both_ends_and_a_followee_from_one() -> None:
    """A friendship brings acts both ways; who follows sees, and is not seen for it."""
    after = view_of([FRIENDS, Follow(user="ann", friend="cat", at=NOON)])

    assert after.circle("ann") == {"bob", "cat"}
    assert after.circle("bob") == {"ann"}
    assert after.circle("cat") == set()


def test_a_friend_who_is_also_followed_counts_once_and_stays_when_unfriended() -> None:
    """Two edges to one account are one place in the circle, which the last of them gives up."""
    both = [FRIENDS, Follow(user="ann", friend="bob", at=NOON), like("a", at=1)]
    parted = Unfriend(user="bob", friend="ann", at=NOON + 2)

    assert view_of(both).proofs("ann", "a") == [Proof("like", "bob", NOON + 1)]
    assert view_of([*both, parted]).proofs("ann", "a") == [Proof("like", "bob", NOON + 1)]
    assert view_of([*both, parted]).circle("bob") == set()


def test_a_block_cuts_both_ways_and_a_mute_one() -> None:
    """Neither sees what the other does; who is muted sees what they always saw."""
    blocked = view_of([FRIENDS, Block(user="bob", other="ann", at=NOON)])
    muted = view_of([FRIENDS, Mute(user="ann", other="bob", at=NOON)])

    assert (blocked.circle("ann"), blocked.circle("bob")) == (set(), set())
    assert (muted.circle("ann"), muted.circle("bob")) == (set(), {"ann"})


def test_a_share_by_name_needs_the_sender_in_the_circle() -> None:
    """A stranger reaches nobody, a followed account those who follow it."""
    sent = Share(user="cat", item="a", to=["ann", "bob"], at=NOON)
    after = view_of([sent, Follow(user="ann", friend="cat", at=NOON + 1)])

    assert after.proofs("ann", "a") == [Proof("direct", "cat", NOON)]
    assert after.feed("bob") == []


def test_what_a_favoured_account_does_weighs_double_for_whom_it_is_favoured_by() -> None:
    """A tie multiplies the weight of every act of the one account, in the one feed."""
    friends = [FRIENDS, Befriend(user="cat", friend="bob", at=NOON)]
    acts = [like("a", at=1), Share(user="bob", item="b", at=NOON + 2)]
    after = view_of([*friends, *acts, Favor(user="ann", other="bob", at=NOON + 3)])
    six_hours = Policy().half_life_ms

    assert {one.item: one.score - NOON for one in after.feed("ann")} == {
        "a": 1 + six_hours,
        "b": 2 + 2 * six_hours,
    }
    assert {one.item: one.score - NOON for one in after.feed("cat")} == {"a": 1, "b": 2 + six_hours}


def test_favour_is_no_way_to_see_less_of_somebody() -> None:
    """A tie below 1 is refused, with what to use instead."""
    with pytest.raises(PolicyError, match=r"favor is 0.5: at least 1; .* is muted"):
        Policy(favor=0.5)


def test_of_hides_the_newest_exist_and_none_is_ever_too_old() -> None:
    """A hide outlives the horizon, until newer ones of the same user displace it."""
    hidden = [Hide(user="ann", item="a", at=NOON - 9 * DAY), like("a", at=0)]
    two = [Hide(user="ann", item="b", at=NOON), Unhide(user="ann", item="c", at=NOON)]

    assert feed(hidden) == []
    assert feed(hidden + two, Policy(acts_kept=2)) == ["a"]


def test_the_earliest_post_says_whose_an_item_is() -> None:
    """Whichever comes first; at one moment the lesser author, and never one that is erased."""
    posts = [post("bob", "b", at=2), post("dan", at=1), post("cat", "x", "y", at=1)]
    erased = Erase(user="cat", at=NOON)

    assert view_of(posts).origins("song")[0] == (NOON + 1, "cat", ("x", "y"))
    assert view_of([*posts, erased]).origins("song")[0] == (NOON + 1, "dan", ())
    assert view_of([]).origins("song") == []


def test_a_post_beyond_the_horizon_may_not_have_been_heard() -> None:
    """Where it is the author's last word, it or the one before it may be known, or none."""
    late = Like(user="cat", item="z", at=NOON + 10 + DAY)
    again = [post("bob", "b", at=1), post("bob", "c", at=10), late]
    first, last = (NOON + 1, "bob", ("b",)), (NOON + 10, "bob", ("c",))

    assert view_of(again, SMALL).possible_origins("song") == [first, last, None]
    assert view_of(again[:2], SMALL).possible_origins("song") == [last]


def test_a_post_reaches_the_fans_of_whoever_posts() -> None:
    """Also where another posted the item before: the author gains nothing by being the first."""
    assert feed([post("cat", at=1), post("bob", at=2)]) == ["song"]
    assert view_of([FRIENDS, post("cat", at=1)]).feed("ann") == []


def test_at_equal_scores_the_greater_id_is_first() -> None:
    """Equal scores stand in descending byte order of their ids, as Redis has them."""
    assert feed([like(item, at=1) for item in ("B", "a", "_", "10", "9")]) == [*list("a_B9"), "10"]


def test_a_feed_keeps_the_best() -> None:
    """Only feed_size items of greatest score are in a feed, the one at the edge by its id."""
    history = [like(item, at=at) for item, at in [("d", 1), ("c", 1), ("b", 3)]]
    more = [Share(user="bob", item="a", at=NOON)]

    assert feed(history + more, Policy(feed_size=3)) == ["a", "b", "d"]


def test_registers_beyond_the_newest_are_gone_for_good() -> None:
    """Unlikes count among the newest registers of an actor, and what they displace stays away."""
    history = [like("a", at=1), like("b", at=2), unlike("c", at=3)]

    assert feed(history, Policy(acts_kept=2)) == ["b"]
    assert feed([*history, unlike("b", at=4)], Policy(acts_kept=2)) == []


def test_of_registers_at_one_moment_the_greater_item_stays() -> None:
    """Which register exists is decided by (at, item), never by who came first or is on."""
    history = [like("b", at=1), unlike("a", at=1)]

    assert feed(history, Policy(acts_kept=1)) == ["b"]
    assert feed([*history, unlike("c", at=1)], Policy(acts_kept=1)) == []


def test_shares_by_name_have_a_cap_for_each_recipient() -> None:
    """The newest shares from one sender to one recipient exist, whatever others get."""
    history: list[Event] = [
        Share(user="bob", item=item, to=["ann", "cat"], at=NOON + at)
        for item, at in [("a", 1), ("b", 2), ("c", 3)]
    ]
    others = [Share(user="bob", item="z", to=["cat"], at=NOON + 4)]

    assert feed(history + others, Policy(direct_kept=2)) == ["c", "b"]


def test_a_view_spreads_to_nobody_and_yet_moves_the_stream_time() -> None:
    """A view shows in no feed; its moment counts, so that what is old leaves the horizon."""
    seen = View(user="bob", item="b", at=NOON + 1 + DAY)

    assert feed([like("a", at=2), seen], SMALL) == ["a"]
    assert feed([like("a", at=1), seen], SMALL) == []


def test_what_left_the_horizon_is_told_from_what_counts() -> None:
    """A pair has its proofs, and apart from them the acts that a store may not have forgotten."""
    late = Like(user="cat", item="a", at=NOON + 1 + DAY)
    pair = view_of([FRIENDS, like("a", at=1), late], SMALL).pairs("ann")["a"]
    assert (pair.proofs, pair.expired) == ([], [Proof("like", "bob", NOON + 1)])

    both = [FRIENDS, Befriend(user="ann", friend="cat", at=NOON), like("a", at=1), late]
    pair = view_of(both, SMALL).pairs("ann")["a"]
    assert (pair.proofs, pair.expired) == (
        [Proof("like", "cat", NOON + 1 + DAY)],
        [Proof("like", "bob", NOON + 1)],
    )


def test_an_off_beyond_the_horizon_may_not_have_been_heard() -> None:
    """A like stays possible where its unlike is itself too old, and not where it is young."""
    late = Like(user="cat", item="z", at=NOON + 10 + DAY)
    unheard = view_of([FRIENDS, like("a", at=1), unlike("a", at=10), late], SMALL)
    heard = view_of([FRIENDS, like("a", at=1), unlike("a", at=11), late], SMALL)

    assert unheard.pairs("ann")["a"].expired == [Proof("like", "bob", NOON + 1)]
    assert "a" not in heard.pairs("ann")
