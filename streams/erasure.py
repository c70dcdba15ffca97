"""Somebody is erased, and what is left of them counted.

    count -> publish `erase` -> every shard has it, no job is open -> dead letters -> count again

The shards do the erasing, as of any event. Whether they did is judged apart from them: by a look at
every key of the store and every dead letter.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.errors import StoreError
from models.events import Erase
from models.traces import NAMINGS, Traces, group, may_name
from streams import letters, reader, store
from streams.client import Feed
from streams.clock import now_ms
from streams.lag import gauge
from streams.producer import hashed
from streams.purge import count, purge
from streams.topics import partition_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.lag import Gauge
    from streams.letters import Progress
    from streams.purge import Purge
    from streams.settings import Settings
    from streams.store import Store

KEYS_AT_ONCE = 500
ENTRIES_AT_ONCE = 1_000
LOOK_S = 0.1
STILL_S = 30.0  # without any progress, after which nobody seems to be at work
EXAMPLES = 10  # of keys that still name the account
MISSING = "none"  # the type of a key that is gone
SCANS = {"zset": "ZSCAN", "set": "SSCAN", "hash": "HSCAN"}
SIZES = {"zset": "ZCARD", "set": "SCARD", "hash": "HLEN", "list": "LLEN"}


@dataclass(slots=True)
class Found:
    """What the store holds of an account: entries by kind of key, and some of the keys."""

    entries: Counter[str] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)

    def add(self, key: str, entries: int) -> None:
        """Count entries of a key."""
        self.entries[group(key)] += entries
        if len(self.keys) < EXAMPLES and key not in self.keys:
            self.keys.append(key)


@dataclass(frozen=True, slots=True)
class Trace:
    """How many entries of one kind named the account, before and after."""

    key: str
    what: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure found and left; `at` is that of the event (Unix ms)."""

    user: str
    at: int
    traces: list[Trace]
    left: list[str]  # keys that still name the account
    letters: Purge
    letters_left: int

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing that was looked at names the account any more."""
        return not self.left and not self.letters_left


async def erase(
    settings: Settings,
    user: str,
    progress: Progress,
    *,
    publishing: Callable[[int], None] = lambda _: None,
) -> Receipt:
    """Erase `user` for ever; raise StoreError where no worker applies it.

    `publishing` is told the moment of the event (Unix ms) before it is published.
    """
    async with (
        store.reading(settings) as feeds,
        gauge(settings, feeds) as open_gauge,
        letters.opened(settings) as mail,
    ):
        before = await find(feeds, user, progress)
        at = now_ms()
        publishing(at)
        async with Feed(settings) as feed:
            await feed.erase(user, at=at)
        await _applied(open_gauge, feeds, settings, user)
        purged = await purge(settings, mail, user, progress)
        named = await count(mail, user, progress)
        after = await find(feeds, user, progress)
    return Receipt(user, at, _compared(before, after), after.keys, purged, named)


def _compared(before: Found, after: Found) -> list[Trace]:
    kinds = sorted(before.entries | after.entries)
    return [Trace(kind, _what(kind), before.entries[kind], after.entries[kind]) for kind in kinds]


def _what(kind: str) -> str:
    return NAMINGS[kind].what if kind in NAMINGS else "not Likewave's"


async def _applied(open_gauge: Gauge, feeds: Store, settings: Settings, user: str) -> None:
    """Wait until every shard has what was published just now, and no job is open."""
    key = Erase(user=user, at=1).key.encode()
    counts = await partition_counts(settings, [Erase.topic])
    partition = hashed(key) % counts[Erase.topic]
    target, last, since = 0, -1, time.monotonic()
    while True:
        position = next(
            one
            for one in await open_gauge.positions()
            if (one.topic, one.partition) == (Erase.topic, partition)
        )
        target = target or position.end
        busy = [await reader.is_busy(feeds, shard) for shard in range(settings.shards)]
        if position.fence >= target and not any(busy):
            return
        if position.fence != last:
            last, since = position.fence, time.monotonic()
        if not any(busy) and time.monotonic() - since > STILL_S:
            raise StoreError(
                f"the erasure is published, but {Erase.topic}:{partition} stands still at offset "
                f"{position.fence}: start a worker, or see `likewave dlq ls` whether it is held, "
                "and run the command again for its receipt"
            )
        await asyncio.sleep(LOOK_S)


async def find(feeds: Store, user: str, progress: Progress) -> Found:
    """Look at every key of the store, and into all that can name accounts."""
    traces, found = Traces(user), Found()
    cursor, done, total = 0, 0, await feeds.dbsize()
    while True:
        answer: Any = await feeds.scan(cursor, count=KEYS_AT_ONCE)
        cursor, keys = answer
        await _look(
            feeds, traces, found, [one for one in keys if traces.owns(one) or may_name(one)]
        )
        done += len(keys)
        progress(f"looking for {user}", min(done, total), total)
        if not cursor:
            return found


async def _look(feeds: Store, traces: Traces, found: Found, keys: Sequence[str]) -> None:
    async with feeds.pipeline(transaction=False) as ask:
        for key in keys:
            ask.type(key)
        types = await ask.execute()
    others = []
    for key, kind in zip(keys, types, strict=True):
        if traces.owns(key) and kind != MISSING:
            found.add(key, await _size(feeds, key, kind))
        elif kind in SCANS:
            others.append((key, kind, 0))
    while others:
        others = await _look_into(feeds, traces, found, others)


async def _size(feeds: Store, key: str, kind: str) -> int:
    size: Any = await feeds.execute_command(SIZES[kind], key) if kind in SIZES else 1  # type: ignore[no-untyped-call]  # redis-py
    return int(size)


async def _look_into(
    feeds: Store, traces: Traces, found: Found, keys: Sequence[tuple[str, str, int]]
) -> list[tuple[str, str, int]]:
    """Look at some entries of each key; give those that have more, and from where on."""
    async with feeds.pipeline(transaction=False) as ask:
        for key, kind, cursor in keys:
            narrow = () if kind == "hash" else ("MATCH", f"*{traces.user}*")
            ask.execute_command(SCANS[kind], key, cursor, *narrow, "COUNT", ENTRIES_AT_ONCE)
        answers = await ask.execute()
    more = []
    for (key, kind, _), (cursor, entries) in zip(keys, answers, strict=True):
        named = sum(traces.is_in(key, entry) for entry in _entries(kind, entries))
        if named:
            found.add(key, named)
        if int(cursor):
            more.append((key, kind, int(cursor)))
    return more


def _entries(kind: str, answer: Any) -> list[str]:
    """Give what stands in a set, or the fields of a hash with their values."""
    if kind == "set":
        return list(answer)
    if kind == "zset":
        return [entry for entry, _ in answer]
    return [text for field, value in answer.items() for text in (field, f"{field}={value}")]
