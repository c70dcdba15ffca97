"""The read side of the shards: feeds with their reasons, and where a shard stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.engagement import Engagement
from models.routing import shard_of
from streams.library import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.store import Store


@dataclass(frozen=True, slots=True)
class Proof:
    """One act that put an item into a feed."""

    kind: str  # like, share, direct
    who: str
    at: int  # Unix ms


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a feed, with its newest proofs first."""

    item: str
    score: int  # effective time, Unix ms
    proofs: list[Proof]
    proofs_total: int


@dataclass(frozen=True, slots=True)
class Census:
    """Who and what is in one shard."""

    shard: int
    warm: int  # users whose feeds are kept up to date
    kept_back: int  # accounts with acts that are merged at reading, since they have too many fans
    erased: int  # accounts
    down: int  # items
    stream_time: int  # Unix ms, 0 when nothing was applied
    work: int  # signals and retractions since the shard was filled
    busy: bool  # a job is open


def fence_key(shard: int) -> str:
    """Name the key that every call of a shard declares."""
    return f"fence:{{{shard}}}"


async def page(
    store: Store, shards: int, user: str, *, limit: int = 20, proofs: int = 3
) -> list[Entry]:
    """Read the top of a user's feed, best first; empty for a user nobody has acted for."""
    found = await _read(store, "page", shard_of(user, shards), user, limit, proofs, shards)
    return [entry_of(one) for one in found]


def entry_of(found: Any) -> Entry:
    """Read an entry of a page as the shard functions give it."""
    item, score, total, newest = found
    return Entry(item, int(score), [Proof(kind, who, int(at)) for kind, who, at in newest], total)


def topics_of(stored: str | None) -> tuple[str, ...]:
    """Read the topics of an item as they are stored.

    >>> topics_of("art,music"), topics_of(""), topics_of(None)
    (('art', 'music'), (), ())
    """
    return tuple(stored.split(",")) if stored else ()


async def wake(store: Store, shards: int, user: str) -> bool:
    """Keep the feed of `user` up to date from now on; tell whether there is one to keep."""
    shard = shard_of(user, shards)
    name = f"likewave_{SCHEMA}_wake"
    woken: Any = await store.fcall(name, 1, fence_key(shard), user, shards)
    return bool(woken)


async def wake_all(store: Store, shards: int, users: Iterable[str]) -> None:
    """Keep the feeds of several users up to date from now on."""
    async with store.pipeline(transaction=False) as ask:
        for user in users:
            fence = fence_key(shard_of(user, shards))
            ask.fcall(f"likewave_{SCHEMA}_wake", 1, fence, user, shards)
        await ask.execute()


async def engagement(store: Store, shards: int, item: str) -> Engagement:
    """Read what counts for an item: nothing, for one nobody has acted on within the horizon."""
    key = f"item:{{{shard_of(item, shards)}}}:{item}"
    found: Any = await store.hgetall(key)
    likes, shares, views = (int(found.get(name, 0)) for name in ("likes", "shares", "views"))
    return Engagement(likes, shares, views, float(found.get("score", "-inf")))


async def censuses(store: Store, shards: int) -> list[Census]:
    """Count what is in each of so many shards, over one connection."""
    async with store.pipeline(transaction=False) as ask:
        for shard in range(shards):
            tag = f"{{{shard}}}"
            ask.zcard(f"warm:{tag}")
            for name in ("pulled", "erased", "down"):
                ask.scard(f"{name}:{tag}")
            ask.hmget(fence_key(shard), "time", "work")
            ask.exists(f"job:{tag}")
        found = iter(await ask.execute())
    counted = zip(*[found] * 6, strict=True)  # answers to each shard
    return [
        Census(shard, warm, kept_back, erased, down, int(time or 0), int(work or 0), bool(busy))
        for shard, (warm, kept_back, erased, down, (time, work), busy) in enumerate(counted)
    ]


async def fences(store: Store, shard: int) -> dict[str, tuple[int, str, int]]:
    """Read a shard's position: `<topic>:<partition>` -> next offset, log id, last event time."""
    return _fences(await store.hgetall(fence_key(shard)))


async def all_fences(store: Store, shards: int) -> list[dict[str, tuple[int, str, int]]]:
    """Read the positions of so many shards, over one connection."""
    async with store.pipeline(transaction=False) as ask:
        for shard in range(shards):
            ask.hgetall(fence_key(shard))
        return [_fences(fence) for fence in await ask.execute()]


async def is_busy(store: Store, shard: int) -> bool:
    """Tell whether a job is open in `shard`."""
    return bool(await store.exists(f"job:{{{shard}}}"))


def _fences(fence: Any) -> dict[str, tuple[int, str, int]]:
    return {source: _fence(value) for source, value in fence.items() if ":" in source}


def _fence(value: str) -> tuple[int, str, int]:
    position, log, at = value.split()
    return int(position), log, int(at)


async def _read(store: Store, function: str, shard: int, *arguments: Any) -> Any:
    name = f"likewave_{SCHEMA}_{function}"
    return await store.fcall_ro(name, 1, fence_key(shard), *arguments)
