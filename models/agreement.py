"""When what is held of a user, beside the feed, is what the definition asks for.

held           ──>  circle, viewer, candidates  ──┐
                                                  ├──> differences
view, viewing  ──>  the same                    ──┘
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.candidate import Source
from models.comparison import Range, agree, range_of
from models.difference import Difference, apart
from models.evidence import about_candidate, about_shown
from models.taste import TOPICS_KEPT, Liking, taste
from models.view import Pair
from models.viewing import signs, viewer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.candidate import Candidate, Viewer
    from models.holding import Holding
    from models.view import View

ROUNDING_MS = 1  # by which scores of a taste may be off


@dataclass(frozen=True, slots=True)
class _Case:
    """What is held of a user, and what should be."""

    view: View
    held: Holding
    expected: Viewer
    pairs: Mapping[str, Pair]
    entries: Mapping[str, int]  # of the feed held

    @property
    def user(self) -> str:
        return self.expected.user

    def differs(self, aspect: str, what: str, expected: str, found: str) -> Difference:
        return Difference(self.user, aspect, what, expected, found)


def disagreements(
    view: View, user: str, held: Holding, pairs: Mapping[str, Pair]
) -> list[Difference]:
    """Compare all that is held of `user` but the scores of the feed; `pairs` are the user's."""
    case = _Case(view, held, viewer(view, user), pairs, dict(held.feed))
    differing = [
        *apart(user, "circle", view.circle(user), held.circle),
        *_about_viewer(case),
        *_about_taste(case),
        *about_shown(case.expected, held, case.pairs),
        *_about_sources(case),
    ]
    for one in held.candidates:
        differing += _about_candidate(case, one)
    return differing


def _about_viewer(case: _Case) -> list[Difference]:
    """Compare what is known of the viewer among the candidates and the accounts these name."""
    candidates = case.held.candidates
    items = {one.item for one in candidates}
    accounts = {name for one in candidates for name in (one.author, *one.actors) if name}
    about_accounts = dict.fromkeys(("circle", "favoured", "blocked"), accounts)
    about_items = dict.fromkeys(("seen", "acted", "hidden"), items)
    differing = []
    for aspect, names in {**about_accounts, **about_items}.items():
        held, right = getattr(case.held.viewer, aspect), getattr(case.expected, aspect)
        differing += apart(case.user, aspect, names & right, {one for one in names if one in held})
    return differing


def _about_taste(case: _Case) -> list[Difference]:
    """Compare a taste; what an item is about may be forgotten with the post that says so."""
    view, found = case.view, case.held.viewer.taste
    least, most = [], []
    for kind, at, item in signs(view, case.user):
        topics = [set(one.topics) if one else set() for one in view.possible_origins(item)]
        least.append(Liking(kind, at, tuple(set.intersection(*topics))))
        most.append(Liking(kind, at, tuple(set.union(*topics))))
    lower, upper = taste(least, view.policy), taste(most, view.policy)
    return [
        *_about_topics(case.user, "", found.liked, (lower.liked, upper.liked)),
        *_about_topics(case.user, "dislike of ", found.disliked, (lower.disliked, upper.disliked)),
    ]


def _about_topics(
    user: str,
    sign: str,
    found: Mapping[str, float],
    between: tuple[Mapping[str, float], Mapping[str, float]],
) -> list[Difference]:
    _, most = between
    if len(most) == TOPICS_KEPT:  # which of the weakest are kept hangs on a part of a millisecond
        return []
    differing = []
    for topic in sorted(found.keys() | most.keys()):
        low, high = (scores.get(topic, -math.inf) for scores in between)
        expected, score = Range(low, high, ROUNDING_MS), found.get(topic)
        if not agree(score, expected):
            text = "nothing" if score is None else f"{score:.0f}"
            differing.append(Difference(user, "taste", sign + topic, str(expected), text))
    return differing


def _about_sources(case: _Case) -> list[Difference]:
    """Ask for every entry of the feed that has a live proof, and for each candidate once."""
    names = Counter(one.item for one in case.held.candidates)
    proven = {item for item, _ in case.held.feed if item in case.pairs and case.pairs[item].proofs}
    counts = {**dict.fromkeys(proven, 0), **names}
    return [
        case.differs("candidate", item, "once", f"{count} times")
        for item, count in sorted(counts.items())
        if count != 1
    ]


def _about_candidate(case: _Case, one: Candidate) -> list[Difference]:
    origins = case.view.possible_origins(one.item)
    known = (one.posted_at, one.author, one.topics) if one.author else None
    if case.view.is_down(one.item):
        return [case.differs("candidate", one.item, "nothing, being taken down", "a candidate")]
    differing = []
    if known not in origins:
        expected = " or ".join(map(str, origins))
        differing.append(case.differs("candidate", one.item, expected, str(known)))
    if one.item not in case.expected.hidden:  # of what is hidden no page says anything
        differing += about_candidate(case.user, one, case.held, case.pairs)
        differing += _about_social(case, one)
    return differing


def _about_social(case: _Case, one: Candidate) -> list[Difference]:
    """Compare the score of a candidate by the circle: that of its feed, or else made anew."""
    proofs, entry = case.pairs.get(one.item, Pair()).proofs, case.entries.get(one.item)
    if proofs and entry is not None:
        expected = Range(entry, entry, slack=0)
    else:
        expected = range_of(case.view, case.user, Pair(proofs))
    score = one.social if one.social > -math.inf else None
    if agree(score, expected) and (Source.SOCIAL in one.sources) == bool(proofs):
        return []
    found = "nothing" if score is None else f"{score:.0f}"
    return [case.differs("candidate", one.item, f"score {expected}", f"{found}, {one.sources}")]
