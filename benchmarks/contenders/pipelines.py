"""Feeds written by redis-py in pipelines, as the other contenders write them.

No registers, no proofs, no fences: a repeated event counts twice, and taking a like back takes the
item out of the feeds, whoever else likes it. Who is a fan of whom is a dictionary in memory, which
is the fastest place.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from models.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

ACTS = 100  # in one pipeline; more gained nothing
TRIM = -1 - Policy().feed_size
VIEW_WEIGHT = Policy().view_weight
_BONUS = {kind: Policy().half_life_ms * math.log2(w) for kind, w in Policy().weights.items()}


class Fans(defaultdict[str, set[str]]):
    """Who is a fan of whom."""

    def __init__(self) -> None:
        super().__init__(set)

    @classmethod
    async def stored(cls, client: Redis) -> Fans:
        """Read what the store was filled with."""
        fans = cls()
        prefix = "fans:{0}:"
        async for key in client.scan_iter(f"{prefix}*", count=1_000):
            fans[key.removeprefix(prefix)] = await client.smembers(key)
        return fans


def write(pipeline: Any, event: dict[str, Any], fans: Fans) -> None:
    """Add the commands of one event to a pipeline."""
    user, kind = event["user"], event["kind"]
    match kind:
        case "like" | "share":
            to = event.get("to")
            score = event["at"] + _BONUS["direct" if to else kind]
            show(pipeline, fans[user].intersection(to) if to else fans[user], event["item"], score)
            _count(pipeline, event["item"], kind, 1)
        case "unlike" | "unshare":
            for fan in event.get("to") or fans[user]:
                pipeline.zrem(f"feed:{{0}}:{fan}", event["item"])
            _count(pipeline, event["item"], kind.removeprefix("un"), -1)
        case "view":
            _count(pipeline, event["item"], kind, 1)
        case "befriend" | "follow":
            fans[event["friend"]].add(user)
            if kind == "befriend":
                fans[user].add(event["friend"])
        case "unfriend" | "unfollow":
            fans[event["friend"]].discard(user)
            if kind == "unfriend":
                fans[user].discard(event["friend"])


def show(pipeline: Any, fans: Iterable[str], item: str, score: float) -> None:
    """Put an item into the feeds of `fans`."""
    for fan in fans:
        feed = f"feed:{{0}}:{fan}"
        pipeline.zadd(feed, {item: score})
        pipeline.zremrangebyrank(feed, 0, TRIM)


def _count(pipeline: Any, item: str, kind: str, change: int) -> None:
    pipeline.hincrby(f"item:{{0}}:{item}", f"{kind}s", change)
    weight = VIEW_WEIGHT if kind == "view" else Policy().weights[kind]
    pipeline.zincrby("trending:{0}", change * weight, item)
