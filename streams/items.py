"""Items for those who look: what counts for one, and what trends, over all shards.

Nothing of an author who is cut off from the viewer, by a block of either or a mute, and nothing
that they hid from their lists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.present import Present, strength
from models.routing import shard_of
from streams.reader import topics_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.settings import Settings
    from streams.store import Store

FIELDS = ("author", "topics", "at", "likes", "shares", "views", "score")
CUTS = ("block", "blocked", "mute")
SPARE = 2  # times as many are looked at as are wanted: some are not for this viewer


@dataclass(frozen=True, slots=True)
class Item:
    """What is known of an item; `strength` is in likes of this moment, within the horizon."""

    item: str
    author: str | None
    topics: tuple[str, ...]
    posted_at: int | None  # Unix ms
    likes: int
    shares: int
    views: int
    strength: float


@dataclass(frozen=True, slots=True)
class Trend:
    """An item that trends; `score` is its effective time (Unix ms) under the trending half-life."""

    item: str
    score: float
    strength: float
    author: str | None
    topics: tuple[str, ...]
    likes: int
    shares: int
    views: int


class Items:
    """The items as one viewer may see them, at one moment (Unix ms)."""

    def __init__(self, store: Store, settings: Settings, user: str, now: int) -> None:
        self._store = store
        self._shards = settings.shards
        self._present = Present(settings.policy, now)
        self._user = user
        self._home = f"{{{shard_of(user, settings.shards)}}}"

    async def known(self, item: str) -> Item | None:
        """Give what is known of `item`; None where the viewer may know of nothing."""
        (found,) = await self._read([item])
        if found is None or found.author in await self._cut_off([found.author]):
            return None
        return found

    async def trending(self, topic: str | None, limit: int) -> list[Trend]:
        """Give what trends, of all topics or one: at most `limit` items, the strongest first."""
        scores = await self._tops(topic, SPARE * limit)
        found = [one for one in await self._read(list(scores)) if one is not None]
        cut_off = await self._cut_off([one.author for one in found])
        hidden = await self._on(f"hidden:{self._home}:{self._user}", [one.item for one in found])
        shown = [one for one in found if one.author not in cut_off and one.item not in hidden]
        return [_trend(one, scores[one.item]) for one in shown[:limit]]

    async def _tops(self, topic: str | None, limit: int) -> dict[str, float]:
        """Merge the lists of all shards, best first."""
        within = "" if topic is None else f":{topic}"
        async with self._store.pipeline(transaction=False) as ask:
            for shard in range(self._shards):
                key = f"trending:{{{shard}}}{within}"
                ask.zrange(key, 0, limit - 1, desc=True, withscores=True)
            tops: list[list[tuple[str, float]]] = await ask.execute()
        merged = sorted((score, item) for top in tops for item, score in top)
        return {item: score for score, item in merged[: -limit - 1 : -1]}

    async def _read(self, items: Sequence[str]) -> list[Item | None]:
        """Read what is known of items, each in its own shard."""
        if not items:
            return []
        async with self._store.pipeline(transaction=False) as ask:
            for item in items:
                ask.hmget(f"item:{{{shard_of(item, self._shards)}}}:{item}", *FIELDS)
            rows = await ask.execute()
        return [_item(item, row, self._present) for item, row in zip(items, rows, strict=True)]

    async def _cut_off(self, authors: Iterable[str | None]) -> set[str]:
        """Find the authors of whom the viewer may know nothing."""
        listed = sorted({author for author in authors if author})
        found = [await self._on(f"edges:{self._home}:{kind}:{self._user}", listed) for kind in CUTS]
        return set().union(*found)

    async def _on(self, key: str, names: Sequence[str]) -> set[str]:
        """Find those of `names` that the viewer has a register on for: 2 * at, and not one more."""
        if not names:
            return set()
        registers: Any = await self._store.zmscore(key, list(names))
        pairs = zip(names, registers, strict=True)
        return {name for name, register in pairs if register is not None and int(register) % 2 == 0}


def _item(item: str, row: Sequence[str | None], present: Present) -> Item | None:
    if not any(row):
        return None
    author, topics, at, likes, shares, views, score = row
    stored = -math.inf if score is None else float(score)
    return Item(
        item=item,
        author=author or None,
        topics=topics_of(topics),
        posted_at=int(at) if at else None,
        likes=int(likes or 0),
        shares=int(shares or 0),
        views=int(views or 0),
        strength=strength(stored, present.now, present.policy.trending_half_life_ms),
    )


def _trend(item: Item, score: float) -> Trend:
    return Trend(
        item=item.item,
        score=score,
        strength=item.strength,
        author=item.author,
        topics=item.topics,
        likes=item.likes,
        shares=item.shares,
        views=item.views,
    )
