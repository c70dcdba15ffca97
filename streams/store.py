"""The Redis or Valkey that holds the feeds: connections, and what it must be like."""

from __future__ import annotations

import asyncio
import os
import platform
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - the store's
)

from models.errors import StoreError
from models.policy import Policy
from streams import library, tls
from streams.clock import now_ms
from streams.connections import ObedientPool
from streams.library import SCHEMA
from streams.settings import how_to_reach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from streams.settings import Settings

CONNECTIONS = 50  # of one client; who finds none free waits for one
KEEPS_ALL = "noeviction"
OTHER_NUMBERS = "POLICY the shard holds feeds of other numbers"
WRITTEN = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
CONNECT_S = 1.0
LOOK_S = 1.0  # between looks at the numbers that it was filled with
OPERATION_S = 5.0  # a call takes about 5 ms; a store that persists or swaps may take seconds

Store = Redis

called = ContextVar("called", default="likewave")  # what this process is, as CLIENT LIST names it


def worker_name(settings: Settings) -> str:
    """Name this worker's connections: the store's CLIENT LIST says where one is there."""
    return f"{workers_name(settings)}{_process()}"


def workers_name(settings: Settings) -> str:
    """Give what the names of all workers' connections begin with; host and process follow."""
    return f"likewave-worker:{settings.group}@"


def _process() -> str:
    return f"{platform.node()}:{os.getpid()}"


def connect(settings: Settings, name: str | None = None, *, database: int | None = None) -> Store:
    """Make a client of the store; nothing is sent twice, since only `apply` can bear it.

    `name` is that of its connections, else they are named after the command; `database` is another
    one of the same server than its URL names.
    """
    pool = ObedientPool.from_url(
        settings.redis,
        max_connections=CONNECTIONS,
        timeout=OPERATION_S,
        decode_responses=True,
        socket_connect_timeout=CONNECT_S,
        socket_timeout=OPERATION_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **_encryption(settings),
        client_name=name or f"{called.get()}@{_process()}",
    )
    if database is not None:
        pool.connection_kwargs["db"] = database
    return Redis.from_pool(pool)


def _encryption(settings: Settings) -> dict[str, Any]:
    """Give the files that TLS needs; raise SettingsError on a bad one."""
    if not tls.is_encrypted(settings, "redis"):
        return {}
    tls.context_of(settings, "redis")
    files = {
        "ssl_ca_certs": settings.redis_ca_file,
        "ssl_certfile": settings.redis_cert_file,
        "ssl_keyfile": settings.redis_key_file,
    }
    return {name: str(path) for name, path in files.items() if path is not None}


def database_of(store: Store) -> int:
    """Give the number of the database that a client reads and writes."""
    return int(store.connection_pool.connection_kwargs.get("db") or 0)


@asynccontextmanager
async def opened(
    settings: Settings, name: str | None = None, *, database: int | None = None
) -> AsyncIterator[Store]:
    """Connect, and turn what the store says into a StoreError that a person understands."""
    store = connect(settings, name, database=database)
    try:
        yield store
    except (AuthenticationError, AuthorizationError) as error:
        raise StoreError(
            f"the store refuses these credentials ({error}): mend LIKEWAVE_REDIS"
        ) from error
    except ResponseError as error:
        raise StoreError(explain(error)) from error
    except BusyLoadingError as error:
        raise StoreError("the store is loading its data: try again in a moment") from error
    except TimeoutError as error:
        raise StoreError(
            f"the store at {address(settings.redis)} does not answer ({error}): see whether it is "
            "frozen (stat T in `ps`, from which `kill -CONT` wakes it), overloaded, or spoken to "
            "with TLS where it knows none"
        ) from error
    except (RedisError, OSError) as error:
        if fault := tls.explain(error, settings, "redis"):
            raise StoreError(f"the store at {address(settings.redis)} {fault}") from error
        raise StoreError(
            f"no Redis at {address(settings.redis)} ({error}): {how_to_reach('redis')}"
        ) from error
    finally:
        await store.aclose()


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Store]:
    """Connect to feeds that were made under the policy of `settings`; raise StoreError else."""
    async with opened(settings) as store:
        await check_policy(store, settings)
        yield store


def address(url: str) -> str:
    """Give a store's URL without user and password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def explain(error: ResponseError) -> str:
    """Say what an answer of the store means for a person."""
    if "Function not found" in str(error):
        return "the shard functions are not in this store: start a worker, it loads them"
    if str(error).startswith(("NOAUTH", "NOPERM", "WRONGPASS")):
        return f"the store refuses these credentials ({error}): mend LIKEWAVE_REDIS"
    if "MISCONF" in str(error):
        return "the store cannot write to its disk: make room there; workers wait for it"
    if isinstance(error, OutOfMemoryError):
        return "the store is full: `likewave lag` says how to give it more; workers wait for it"
    if has_other_numbers(error):
        told = str(error).partition("POLICY ")[2]
        return (
            f"{told}; they were rebuilt: start this again with the numbers that the store records"
        )
    return f"the store answers: {error}"


def is_refusal(error: ResponseError) -> bool:
    """Tell whether the store refuses to write, being full or having no disk, and can be read."""
    return isinstance(error, OutOfMemoryError) or str(error).startswith("MISCONF")


def has_other_numbers(error: ResponseError) -> bool:
    """Tell whether the shards refuse to be read by who knows other numbers: they were rebuilt."""
    return OTHER_NUMBERS in str(error)  # behind words of redis-py, where it was in a pipeline


def unwritten(info: Mapping[str, Any]) -> list[str]:
    """Name what a store could not write to its disk when it last tried, by its INFO."""
    return [name for name in WRITTEN if info.get(name, "ok") != "ok"]


async def clock_ahead_s(store: Store) -> float:
    """Tell by how much the store's clock is ahead of this host's."""
    before = now_ms()
    seconds, micros = await store.time()
    return float(seconds + micros / 1e6 - (before + now_ms()) / 2_000)


async def prepare(store: Store, settings: Settings) -> None:
    """Load the functions and record the policy; raise StoreError where the store is not fit."""
    await check_memory(store)
    await library.load(store)
    if not await store.exists("likewave:schema"):  # a full store takes no writes
        await store.set("likewave:schema", SCHEMA, nx=True)
    await check_schema(store)
    for shard in range(settings.shards):
        await _record_policy(store, settings, shard)


async def check_memory(store: Store) -> None:
    """Raise StoreError where the store would drop feeds when its memory is full."""
    info: dict[str, Any] = await store.info("memory")
    if (policy := info.get("maxmemory_policy")) != KEEPS_ALL:
        raise StoreError(
            f"maxmemory-policy is {policy}: the store would drop feeds at will; "
            f"CONFIG SET maxmemory-policy {KEEPS_ALL}"
        )


async def check_schema(store: Store) -> None:
    """Raise StoreError where the feeds are laid out as another version has them."""
    schema: Any = await store.get("likewave:schema")
    if schema not in (SCHEMA, None):
        raise StoreError(
            f"the feeds in the store have schema {schema}, this version reads {SCHEMA}: "
            "run the matching version, or flush the store and let the worker refill it"
        )


def recorded(settings: Settings) -> dict[str, str]:
    """Give the numbers that are part of stored scores, as a shard records them."""
    return {name: str(value) for name, value in asdict(settings.policy).items()} | {
        "shards": str(settings.shards)
    }


def mark(settings: Settings) -> str:
    """Name these numbers in a few characters: equal names are equal numbers.

    >>> from streams.settings import Settings
    >>> mark(Settings(shards=1)) == mark(Settings(shards=2))
    False
    """
    return _mark(settings.policy, settings.shards)


@lru_cache
def _mark(policy: Policy, shards: int) -> str:
    return library.sha1(repr((sorted(asdict(policy).items()), shards)))


async def _record_policy(store: Store, settings: Settings, shard: int) -> None:
    key = f"policy:{{{shard}}}"
    if not await store.exists(key):
        numbers = recorded(settings) | {"mark": mark(settings)}
        await store.hset(key, items=[part for number in numbers.items() for part in number])
        return
    await check_policy(store, settings, shard)
    if await store.hget(key, "mark") != mark(settings):
        await store.hset(key, "mark", mark(settings))


async def check_policy(store: Store, settings: Settings, shard: int = 0) -> None:
    """Raise StoreError where `shard` was filled under another policy than that of `settings`."""
    mine, theirs = recorded(settings), await _recorded_policy(store, shard)
    differing = [name for name in mine if theirs and mine[name] != theirs.get(name)]
    if differing:
        listed = ", ".join(f"{name} {theirs.get(name)} -> {mine[name]}" for name in differing)
        raise StoreError(
            f"shard {shard} was filled under another policy ({listed}): its scores would mix; "
            f"run with its numbers{_variables(theirs, differing)} (start this again, where they "
            "were just rebuilt), or change them with `likewave rebuild`"
        )


async def hold_to_numbers(store: Store, settings: Settings) -> None:
    """Look again and again; raise StoreError once the store is rebuilt under other numbers."""
    while True:
        await asyncio.sleep(LOOK_S)
        with suppress(RedisError, OSError):
            await check_policy(store, settings)


def _variables(theirs: dict[str, str], differing: list[str]) -> str:
    return f" (LIKEWAVE_SHARDS={theirs['shards']})" if "shards" in differing else ""


async def shards_of(store: Store) -> int:
    """Count the shards that a store was filled with; none, where it is empty."""
    return int(await store.hget("policy:{0}", "shards") or 0)


async def filled_with(store: Store) -> dict[str, Any]:
    """Give the numbers that a store was filled with, as fields of Settings; none, where empty."""
    found = await _recorded_policy(store, 0)
    if not found:
        return {}
    default: dict[str, Any] = asdict(Policy())
    numbers = {name: type(value)(found[name]) for name, value in default.items()}
    return {"shards": int(found["shards"]), "policy": Policy(**numbers)}


async def _recorded_policy(store: Store, shard: int) -> dict[str, str]:
    policy: Any = await store.hgetall(f"policy:{{{shard}}}")
    return dict(policy)
