"""Live feeds as front-ends show them, with what is known of their items."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from models.present import strength
from models.routing import shard_of
from models.view import Proof  # noqa: TC001 - msgspec reads it
from streams.library import SCHEMA
from streams.reader import fence_key, topics_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.present import Present
    from streams.store import Store

PROOFS = 3  # of each entry


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """One item of a live feed, as the store gives it; nothing here moves with the clock."""

    item: str
    effective_time: int  # Unix ms
    proofs_total: int
    proofs: tuple[Proof, ...]  # the newest, newest first
    author: str  # "" for none
    topics: str  # as they are stored


_decoder = msgspec.msgpack.Decoder(list[Entry], strict=False)  # numbers come as digits


@dataclass(frozen=True)
class LiveFeed:
    """The top of a live feed, best first."""

    entries: Sequence[Entry]

    @cached_property
    def version(self) -> str:
        """Name what is shown: equal feeds have equal versions, and hardly any others."""
        return hashlib.blake2b(msgspec.msgpack.encode(self.entries), digest_size=8).hexdigest()

    @cached_property
    def items(self) -> frozenset[str]:
        """Name its items."""
        return frozenset(entry.item for entry in self.entries)

    def top(self, limit: int) -> LiveFeed:
        """Give its first `limit` entries."""
        return LiveFeed(self.entries[:limit])


class LiveFeeds:
    """Reads live feeds, several at once."""

    def __init__(self, store: Store, shards: int) -> None:
        self._store = store
        self._shards = shards

    async def read(self, limits: Mapping[str, int]) -> dict[str, LiveFeed]:
        """Read the top of several users' feeds: of each user as many entries as `limits` says."""
        name = f"likewave_{SCHEMA}_live"
        async with self._store.pipeline(transaction=False) as ask:
            for user, limit in limits.items():
                fence = fence_key(shard_of(user, self._shards))
                asked = "FCALL_RO", name, 1, fence, user, limit, PROOFS, self._shards
                ask.execute_command(*asked, NEVER_DECODE=True)
            found: list[Any] = await ask.execute()
        return {
            user: LiveFeed(_decoder.decode(one)) for user, one in zip(limits, found, strict=True)
        }


def document(entry: Entry, present: Present) -> dict[str, object]:
    """Write an entry down, with what it is worth at `present`."""
    worth = strength(entry.effective_time, present.now, present.policy.half_life_ms)
    return {
        "item": entry.item,
        "effective_time": entry.effective_time,
        "strength": worth,
        "proofs": [{"kind": one.kind, "who": one.actor, "at": one.at} for one in entry.proofs],
        "proofs_total": entry.proofs_total,
        "author": entry.author or None,
        "topics": topics_of(entry.topics),
    }
