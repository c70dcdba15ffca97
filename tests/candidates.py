"""Random candidates and viewers: few accounts and topics, so that everything meets everything."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from models.candidate import Candidate, Counters, Source, Viewer
from models.page_policy import PagePolicy
from models.policy import HOUR, Policy
from models.present import Present
from models.taste import Taste
from models.view import Proof

NOON = 1_790_000_000_000
NOW = Present(Policy(), NOON)
ITEMS = [f"item{k:02}" for k in range(16)]
ACCOUNTS = ["ann", "bob", "cat", "dan", "eve"]
TOPICS = ["art", "cats", "music", "war"]

moments = st.integers(0, 12).map(lambda step: NOON - step * HOUR)  # equal ones are common
scores = st.just(-math.inf) | moments
some = st.sets(st.sampled_from(ITEMS), max_size=5)


@st.composite
def a_candidate(draw: st.DrawFn, item: str) -> Candidate:
    """Draw what is known of an item, from nothing to everything."""
    kinds = st.sampled_from(["like", "share", "post", "direct"])
    proofs = draw(st.lists(st.builds(Proof, kinds, st.sampled_from(ACCOUNTS), moments), max_size=3))
    actors = len({proof.actor for proof in proofs})
    return Candidate(
        item=item,
        sources=frozenset(draw(st.sets(st.sampled_from(list(Source)), min_size=1))),
        author=draw(st.none() | st.sampled_from(ACCOUNTS)),
        topics=tuple(draw(st.lists(st.sampled_from(TOPICS), max_size=2, unique=True))),
        social=draw(moments) if proofs else -math.inf,
        proofs=tuple(sorted(proofs, key=lambda proof: proof.at, reverse=True)),
        actors_total=actors + (draw(st.sampled_from([0, 0, 2])) if proofs else 0),
        trending=draw(scores),
        counters=draw(st.none() | st.builds(Counters, st.sampled_from([0, 99, 100]))),
    )


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    """Draw a few or many, in any order."""
    return [draw(a_candidate(item)) for item in draw(st.lists(st.sampled_from(ITEMS), unique=True))]


tastes = st.builds(
    Taste,
    st.dictionaries(st.sampled_from(TOPICS), moments, max_size=2),
    st.dictionaries(st.sampled_from(TOPICS), moments, max_size=1),
)
viewers = st.builds(
    Viewer,
    user=st.sampled_from(["ann", "zoe"]),
    circle=st.sets(st.sampled_from(ACCOUNTS)),
    taste=tastes,
    seen=some,
    acted=some,
    hidden=some,
    blocked=st.sets(st.sampled_from(ACCOUNTS), max_size=1),
)
policies = st.builds(
    PagePolicy,
    page_size=st.integers(1, 10),
    per_actor=st.integers(1, 3),
    exploration=st.sampled_from([0, 0.1, 0.29, 0.5, 1]),
    friends_threshold=st.integers(1, 3),
    author_decay=st.sampled_from([0, 0.5, 1]),
    taste_weight=st.sampled_from([0, 0.5, 2.0]),
)
