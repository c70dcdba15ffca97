"""Notices: who has a stream open, and whose live feed changed.

    who serves streams ──> connected:{s} ──> shard functions ──> notices:{s} ──> who serves streams

Whoever serves a stream says so in the shard of its user, for as long as a lease lasts, and renews
it. The shard functions tell of those users alone, once a call and in one message: `ann bob|song`,
users whose live feed may have changed, and items of which something else is known. A message says
no more than that; the feed is read after it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from redis.exceptions import ConnectionError as StoreAway
from redis.exceptions import RedisError

from models.routing import shard_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from redis.asyncio.client import PubSub

    from streams.store import Store

LEASE_MS = 90_000
RENEW_S = 30.0  # a lease outlives two renewals that fail
QUIET_S = 5.0  # without a message: ask whether the store is still there
AGAIN_S = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Notice:
    """Whose live feed may have changed, and of which items something else is known."""

    users: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    everything: bool = False  # of anybody: notices before this one may have been missed


async def lease(store: Store, shards: int, users: Iterable[str], now: int) -> None:
    """Have notices of `users` sent for LEASE_MS from `now` (Unix ms) on; end old leases."""
    leases: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for user in users:
        leases[shard_of(user, shards)][user] = now + LEASE_MS
    async with store.pipeline(transaction=False) as write:
        for shard, leased in leases.items():
            write.zadd(f"connected:{{{shard}}}", leased, gt=True)
            write.zremrangebyscore(f"connected:{{{shard}}}", "-inf", now)
        await write.execute()


async def listen(store: Store, shards: int) -> AsyncIterator[Notice]:
    """Give notices without end; one of `everything` whenever they are listened to anew."""
    said = False  # that there are none, until there are again
    while True:
        try:
            async with store.pubsub() as subscription:
                await subscription.subscribe(*(f"notices:{{{shard}}}" for shard in range(shards)))
                async for message in _messages(subscription):
                    if message["type"] == "message":
                        yield _notice(message["data"])
                    elif message["type"] == "subscribe" and message["data"] == shards:
                        said = False
                        yield Notice(everything=True)
        except (RedisError, OSError) as error:
            if not said:
                log.warning("no notices", error=str(error), again_in_s=AGAIN_S)
            said = True
        await asyncio.sleep(AGAIN_S)


async def _messages(subscription: PubSub) -> AsyncIterator[dict[str, Any]]:
    """Give what comes; raise StoreAway where even a question stays without an answer."""
    asked = False
    while True:
        message = await subscription.get_message(timeout=QUIET_S)
        if message is not None:
            asked = False
            yield message
        elif asked:
            raise StoreAway("the store does not answer")
        else:
            await subscription.ping()
            asked = True


def _notice(message: str) -> Notice:
    users, _, items = message.partition("|")
    return Notice(tuple(users.split()), tuple(items.split()))
