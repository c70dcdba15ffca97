"""Live feeds as front-ends show them, with what is known of their items."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from models.present import strength
from models.routing import shard_of
from streams.library import SCHEMA
from streams.reader import entry_of, fence_key, topics_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.present import Present
    from streams.reader import Proof
    from streams.store import Store

    About: TypeAlias = tuple[str | None, tuple[str, ...]]  # author and topics of an item

PROOFS = 3  # of each entry


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a live feed; nothing here moves with the clock."""

    item: str
    effective_time: int  # Unix ms
    proofs: tuple[Proof, ...]  # the newest, newest first
    proofs_total: int
    author: str | None
    topics: tuple[str, ...]


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
        pages = await self._pages(limits)
        about = await self._about(pages)
        return {
            user: LiveFeed([_entry(one, about[self._shard(user), one[0]]) for one in page])
            for user, page in pages.items()
        }

    def _shard(self, user: str) -> int:
        return shard_of(user, self._shards)

    async def _pages(self, limits: Mapping[str, int]) -> dict[str, Any]:
        async with self._store.pipeline(transaction=False) as ask:
            for user, limit in limits.items():
                fence = fence_key(self._shard(user))
                ask.fcall_ro(f"likewave_{SCHEMA}_page", 1, fence, user, limit, PROOFS, self._shards)
            return dict(zip(limits, await ask.execute(), strict=True))

    async def _about(self, pages: Mapping[str, Any]) -> dict[tuple[int, str], About]:
        """Ask what is known of all items, in the shards of those who have them in the feed."""
        listed = {(self._shard(user), one[0]) for user, page in pages.items() for one in page}
        async with self._store.pipeline(transaction=False) as ask:
            for shard, item in listed:
                ask.hmget(f"item:{{{shard}}}:{item}", "author", "topics")
            found = await ask.execute()
        return {
            of: (author or None, topics_of(topics))
            for of, (author, topics) in zip(listed, found, strict=True)
        }


def _entry(found: Any, about: About) -> Entry:
    read = entry_of(found)
    return Entry(read.item, read.score, tuple(read.proofs), read.proofs_total, *about)


def document(entry: Entry, present: Present) -> dict[str, object]:
    """Write an entry down, with what it is worth at `present`."""
    worth = strength(entry.effective_time, present.now, present.policy.half_life_ms)
    return {
        "item": entry.item,
        "effective_time": entry.effective_time,
        "strength": worth,
        "proofs": [{"kind": one.kind, "who": one.who, "at": one.at} for one in entry.proofs],
        "proofs_total": entry.proofs_total,
        "author": entry.author,
        "topics": entry.topics,
    }
