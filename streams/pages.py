"""What a page is made of, read from the store in one call: who looks, and what could be shown.

    store ──> draw: viewer, candidates ──> models.ranking: the page

A draw is one moment of the viewer's shard. What trends and what was just posted is looked for
there, so with several shards it is of the items at home with the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from models import taste as tastes
from models.candidate import JOINED, Candidate, Counters, Viewer
from models.page_policy import PagePolicy
from models.routing import shard_of
from models.view import Proof  # noqa: TC001 - msgspec reads it
from streams.library import SCHEMA
from streams.reader import fence_key, topics_of
from streams.store import mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.policy import Policy
    from streams.settings import Settings
    from streams.store import Store

PROOFS = 3  # of each candidate
DEFAULT = PagePolicy()


@dataclass(frozen=True, slots=True)
class Draw:
    """Who looks and what could be shown to them, as of one moment; scores are effective times."""

    viewer: Viewer
    candidates: list[Candidate]
    behind: list[str]  # items of the feed beyond the window of a page


class _Drawn(msgspec.Struct, array_like=True, frozen=True):
    """One candidate, as the shard functions give it."""

    item: str
    sources: int
    author: str
    topics: str
    posted_at: int
    social: float
    proofs: tuple[Proof, ...]
    actors_total: int
    trending: float
    views: int
    likes: int
    shares: int


class Reply(msgspec.Struct, array_like=True, frozen=True):
    """A draw, as the shard functions give it."""

    likings: list[tuple[str, int, str]]
    circle: frozenset[str]
    favoured: frozenset[str]
    blocked: frozenset[str]
    seen: frozenset[str]
    acted: frozenset[str]
    hidden: frozenset[str]
    candidates: list[_Drawn]
    behind: list[str]


_decoder = msgspec.msgpack.Decoder(Reply, strict=False)  # numbers as the store has them: digits


async def draw(  # noqa: PLR0913 - where from, for whom, and how much of it
    store: Store,
    settings: Settings,
    user: str,
    *,
    page: PagePolicy = DEFAULT,
    whole: bool = False,
    proofs: int = PROOFS,
    also: Sequence[str] = (),
) -> Draw:
    """Read what a page of `user` under `page` is made of; with the `whole` feed, or its window.

    Of each candidate the newest `proofs` are given. `also` names items to look at whether or not
    anything brings them.
    """
    shard = shard_of(user, settings.shards)
    wanted = request(settings, page, whole=whole, proofs=proofs, also=also)
    blob: Any = await store.execute_command(  # type: ignore[no-untyped-call]  # redis-py
        "FCALL_RO",
        f"likewave_{SCHEMA}_draw",
        1,
        fence_key(shard),
        user,
        msgspec.msgpack.encode(wanted),
        NEVER_DECODE=True,
    )
    return drawn(_decoder.decode(blob), settings, user)


def request(
    settings: Settings, page: PagePolicy, *, whole: bool, proofs: int, also: Sequence[str] = ()
) -> dict[str, object]:
    """Say what the shard functions are to draw."""
    policy = settings.policy
    window = {} if whole else {"window": page.window, "threshold": page.friends_threshold}
    return {
        **page.reach,
        **window,
        "mark": mark(settings),
        "weights": tastes.weights(policy),
        "taste_half_life": tastes.half_life_ms(policy),
        "likings": tastes.LIKINGS_KEPT,
        "proofs": proofs,
        "also": also,
    }


def drawn(reply: Reply, settings: Settings, user: str) -> Draw:
    """Give a draw in the words of the models."""
    shard = shard_of(user, settings.shards)
    return Draw(
        viewer=_viewer(reply, user, settings.policy),
        candidates=[_candidate(one, shard, settings.shards) for one in reply.candidates],
        behind=reply.behind,
    )


def _viewer(reply: Reply, user: str, policy: Policy) -> Viewer:
    likings = [tastes.Liking(kind, at, topics_of(topics)) for kind, at, topics in reply.likings]
    return Viewer(
        user=user,
        circle=reply.circle,
        favoured=reply.favoured,
        taste=tastes.taste(likings, policy),
        seen=reply.seen,
        acted=reply.acted,
        hidden=reply.hidden,
        blocked=reply.blocked,
    )


def _candidate(one: _Drawn, shard: int, shards: int) -> Candidate:
    """Make a candidate; an item at home elsewhere is counted there, so nothing is known of it."""
    at_home = shards == 1 or shard_of(one.item, shards) == shard
    return Candidate(
        item=one.item,
        sources=JOINED[one.sources],
        author=one.author or None,
        topics=topics_of(one.topics),
        posted_at=one.posted_at or None,
        social=one.social,
        proofs=one.proofs,
        actors_total=one.actors_total,
        trending=one.trending,
        counters=Counters(one.views, one.likes, one.shares) if at_home else None,
    )
