"""Two generations of shards in one server: the one that serves, and one that is filled beside it.

A generation is a database. Its keys have the names of any other, so that nobody who reads has to
know: the store changes the numbers of two databases in one command (`SWAPDB`), and whoever is
connected to the one reads the other from then on.

The spare database is marked for as long as a rebuild is not over:

    likewave:rebuild          hash  state (filling; dropping; replaced: it holds what served
                                    before), mark, shards, begun
    likewave:rebuild:lease    string  who works on it, for LEASE_MS at a time

What the log does not say is carried over in the very call that swaps: counted pages (`exposures`),
what operators have said and are told (`breaker`, exits, reports of monitor and audit) and, where
the number of shards stays, leases of open streams (`connected`). Quotas and tickets of the API live
for seconds, and are not.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from models.counting import counted
from models.errors import StoreError
from streams import store as stores
from streams.clock import now_ms
from streams.history import unheard
from streams.store import database_of, mark, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from streams.history import Progress
    from streams.settings import Settings
    from streams.store import Store

MARKER = "likewave:rebuild"
LEASE = "likewave:rebuild:lease"
LEASE_MS = 6_000
RENEW_S = 2.0
DROPPING = "dropping"  # the state of what was filled in vain
HOLD_MS = 2_000  # for which workers wait at most
DROPPED_AT_ONCE = 200  # keys

RENEW = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
"""

# Until when (ms of the server) no worker may write to a shard that has feeds; 0 is no time.
HOLD = """
local now, policy = redis.call('TIME'), KEYS[1]
if redis.call('EXISTS', policy) == 0 then return end
if ARGV[1] == '0' then return redis.call('HDEL', policy, 'hold') end
redis.call('HSET', policy, 'hold', string.format('%d', now[1] * 1000 + now[2] / 1000 + ARGV[1]))
"""

SWAP = Path(__file__).with_name("swap.lua").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Generation:
    """The generation in the spare database, as long as this process has the lease."""

    store: Store
    token: str

    @property
    def database(self) -> int:
        """The number of the spare database."""
        return database_of(self.store)

    async def is_replaced(self) -> bool:
        """Tell whether it is what served before."""
        state: Any = await self.store.hget(MARKER, "state")
        return bool(state == "replaced")

    async def begin(self, settings: Settings) -> None:
        """Mark the database as ours, under the numbers of `settings`; or go on under the same."""
        marker: Any = await self.store.hgetall(MARKER)
        if marker and marker["state"] == DROPPING:
            await self.drop()
            marker = {}
        if not marker:
            numbers = {"mark": mark(settings), "shards": str(settings.shards)}
            marker = {"state": "filling", "begun": str(now_ms()), **numbers}
            await self.store.hset(MARKER, items=[part for one in marker.items() for part in one])
        if marker["mark"] != mark(settings):
            raise StoreError(
                f"database {self.database} holds an unfinished rebuild to "
                f"{counted(int(marker['shards']), 'shard')} or under other numbers: go on "
                "with those, or drop it by `likewave rebuild --abort`"
            )
        await stores.prepare(self.store, settings)

    async def swap(
        self, home: Store, old_shards: int, new_shards: int, log_ids: Iterable[str]
    ) -> bool:
        """Let the generation serve; do nothing where it lacks something of these logs."""
        databases, shards = (database_of(home), self.database), (old_shards, new_shards)
        arguments = (*databases, self.token, *shards, LEASE_MS, f" {' '.join(log_ids)} ")
        answer: Any = await home.eval(SWAP, 2, MARKER, LEASE, *map(str, arguments))
        if answer == "LOST":
            raise StoreError("another rebuild has taken over: let it come to its end")
        return bool(answer == "OK")

    async def drop(self, progress: Progress = unheard) -> None:
        """Empty the database, some keys at a time; interrupted, it can be done again.

        FLUSHDB would free all at once, beside the store's own thread, and readers would wait for
        memory.
        """
        if not await self.is_replaced():
            await self.store.hset(MARKER, "state", DROPPING)
        cursor, done, total = None, 0, await self.store.dbsize()
        while cursor != 0:
            cursor, found = await self.store.scan(cursor or 0, count=DROPPED_AT_ONCE)
            if keys := set(found) - {MARKER, LEASE}:
                done += await self.store.unlink(*keys)
            progress("dropping", done, max(done, total))
        await self.store.delete(MARKER)


async def hold(home: Store, shards: int, *, ms: int = HOLD_MS) -> None:
    """Let workers wait for at most `ms`; 0 lets them go on."""
    for shard in range(shards):
        await home.eval(HOLD, 1, f"policy:{{{shard}}}", str(ms))


async def find(settings: Settings, home: Store) -> int | None:
    """Find the database of an unfinished rebuild, or of one that has only the lease so far."""
    for database in await _used(home):
        if database != database_of(home):
            async with opened(settings, database=database) as other:
                if await other.exists(MARKER, LEASE):
                    return database
    return None


async def is_claimed(settings: Settings, database: int) -> bool:
    """Tell whether a rebuild is at work in a database."""
    async with opened(settings, database=database) as other:
        return bool(await other.exists(LEASE))


async def has_swapped(settings: Settings, database: int) -> bool:
    """Tell whether a database holds what served before a rebuild."""
    async with opened(settings, database=database) as other:
        return await Generation(other, token="").is_replaced()


async def choose(settings: Settings, home: Store, wanted: int | None) -> int:
    """Choose a database: `wanted`, that of an unfinished rebuild, or the highest empty one."""
    await _check_databases(home)
    begun, used = await find(settings, home), await _used(home)
    if wanted is None and begun is not None:
        return begun
    if begun is not None and begun != wanted:
        raise StoreError(f"database {begun} holds an unfinished rebuild: go on there, or --abort")
    if wanted is not None and wanted == database_of(home):
        raise StoreError(f"database {wanted} is the one that serves: choose another")
    if wanted is not None and wanted in used and begun is None:
        raise StoreError(f"database {wanted} holds other data: choose an empty one")
    if wanted is not None and wanted >= (count := await _databases(home)):
        raise StoreError(f"the server has databases 0 to {count - 1}, and no {wanted}")
    if wanted is not None:
        return wanted
    empty = set(range(await _databases(home))) - {*used, database_of(home)}
    if not empty:
        raise StoreError("no database of the server is empty: raise `databases` in its settings")
    return max(empty)


async def _used(home: Store) -> list[int]:
    info: Any = await home.info("keyspace")
    return [int(name.removeprefix("db")) for name in info]


async def _databases(home: Store) -> int:
    found: Any = await home.config_get("databases")
    return int(found.get("databases", 16))


async def _check_databases(home: Store) -> None:
    info: Any = await home.info("cluster")
    if info.get("cluster_enabled") or await _databases(home) == 1:
        raise StoreError(
            "a rebuild needs a second database of the same server, which this one does not have "
            "(Redis Cluster, or `databases 1`): fill another server by workers with a group of "
            "its own, and let LIKEWAVE_REDIS point there"
        )


@asynccontextmanager
async def claimed(store: Store) -> AsyncIterator[Generation]:
    """Hold the lease on a spare database; raise StoreError where another process does."""
    token = secrets.token_hex(8)
    if not await store.set(LEASE, token, nx=True, px=LEASE_MS):
        left: Any = await store.pttl(LEASE)
        raise StoreError(
            f"a rebuild is at work in database {database_of(store)}: let it end; if it was killed, "
            f"try again in {max(1, round(left / 1_000))} s"
        )
    renewing = asyncio.create_task(_renew(store, token))
    try:
        yield Generation(store, token)
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await renewing
        if await store.get(LEASE) == token:
            await store.delete(LEASE)


async def _renew(store: Store, token: str) -> None:
    while True:
        await asyncio.sleep(RENEW_S)
        with suppress(RedisError, OSError):
            await store.eval(RENEW, 1, LEASE, token, str(LEASE_MS))
