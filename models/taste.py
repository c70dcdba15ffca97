"""What a viewer likes, topic by topic: effective times, of liking and of dislike apart.

    liked[topic]     merges likes, shares and completed views of items about the topic
    disliked[topic]  merges hides of such items; a hide outweighs four likes

A taste is made anew from a viewer's newest acts whenever somebody looks, and nothing of it is
stored: so taking a like back is as if it had never been, and an item whose topics become known late
tells as much as any other. It outlasts a feed: its half-life is four of a feed's.

Affinity compares a topic with the strongest one: between -1 (cannot stand it) and 1 (nothing but).
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from models.decay import effective_time
from models.present import strength

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from models.policy import Policy

HALF_LIVES = 4  # of a feed, in one of a taste
LIKINGS_KEPT = 50  # of each kind: the newest, on or off, within the horizon; what is on tells
COMPLETED_WEIGHT = 0.5  # of a view to the end; it is private, but says something
HIDE_WEIGHT = 4.0
TOPICS_KEPT = 100  # of those liked, and as many of those disliked


class Liking(NamedTuple):
    """One act that tells a taste: its kind, when (Unix ms), and what the item is about."""

    kind: str  # like, share, completed, hide
    at: int
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taste:
    """Topic -> effective time (Unix ms) under the half-life of taste."""

    liked: Mapping[str, float] = field(default_factory=dict)
    disliked: Mapping[str, float] = field(default_factory=dict)

    def affinities(self, now: int, half_life_ms: int) -> dict[str, float]:
        """Compare each topic with the one liked most, between -1 and 1.

        A single like says little: where there is nothing else, it makes an affinity of a half.

        >>> Taste({"music": 1_000, "news": 0}, {"war": 3_000}).affinities(1_000, 1_000)
        {'music': 0.5, 'news': 0.25, 'war': -1.0}
        """
        liked = _strengths(self.liked, now, half_life_ms)
        disliked = _strengths(self.disliked, now, half_life_ms)
        strongest = max(liked.values(), default=0.0)
        return {
            topic: max(-1.0, (liked.get(topic, 0) - disliked.get(topic, 0)) / (1 + strongest))
            for topic in {**liked, **disliked}
        }


def half_life_ms(policy: Policy) -> int:
    """Give how fast a taste forgets (ms)."""
    return HALF_LIVES * policy.half_life_ms


def weights(policy: Policy) -> dict[str, float]:
    """Give what each kind of liking, or of dislike, is worth in likes."""
    return {
        "like": policy.like_weight,
        "share": policy.share_weight,
        "completed": COMPLETED_WEIGHT,
        "hide": HIDE_WEIGHT,
    }


def taste(acts: Iterable[Liking], policy: Policy) -> Taste:
    """Merge what a viewer did, within the horizon and not taken back, in any order.

    >>> from models.policy import Policy
    >>> acts = [Liking("like", 1_000, ("music",)), Liking("hide", 2_000, ("music", "war"))]
    >>> taste(acts, Policy(half_life_ms=1_000, horizon_ms=10_000))
    Taste(liked={'music': 1000.0}, disliked={'war': 10000.0, 'music': 10000.0})
    """
    worth = weights(policy)
    alone: defaultdict[tuple[bool, str], list[float]] = defaultdict(list)
    for act in acts:
        score = act.at + half_life_ms(policy) * math.log2(worth[act.kind])
        for topic in act.topics:
            alone[act.kind == "hide", topic].append(score)
    return Taste(_merged(alone, policy, hides=False), _merged(alone, policy, hides=True))


def affinity(topics: Sequence[str], affinities: Mapping[str, float]) -> float:
    """Give the mean affinity to the topics of an item: to name many gains nothing.

    >>> affinity(["music", "cats"], {"music": 0.5})
    0.25
    """
    return sum([affinities.get(topic, 0.0) for topic in topics]) / len(topics) if topics else 0.0


def _merged(
    alone: Mapping[tuple[bool, str], list[float]], policy: Policy, *, hides: bool
) -> dict[str, float]:
    merged = [
        (effective_time(scores, half_life_ms(policy)), topic)
        for (is_hide, topic), scores in alone.items()
        if is_hide == hides
    ]
    return {topic: score for score, topic in heapq.nlargest(TOPICS_KEPT, merged)}


def _strengths(scores: Mapping[str, float], now: int, half_life_ms: int) -> dict[str, float]:
    return {topic: strength(score, now, half_life_ms) for topic, score in scores.items()}
