"""What may be wrong with the store: each check asks one thing, and changes nothing.

The user of a worker needs what the command table of docs/deployment.md gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from redis.exceptions import NoPermissionError

from models.counting import counted
from models.errors import LikewaveError, StoreError
from models.finding import Finding, State, fail, failed, ok, warn
from models.policy import SECOND
from models.refusal import refusal
from streams import breakers, generations, library, reader, report, store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from streams.settings import Settings

    Check: TypeAlias = Callable[[store.Store, Settings, int], Awaitable[Finding]]

OLDEST = 7  # Redis 7.0 brought functions
CLOCK_S = 5.0  # that clocks may differ by
ROOM, LITTLE_ROOM = 0.75, 0.95  # of the memory that there is
TRIED_AGAIN_BY = {"aof_last_bgrewrite_status": "BGREWRITEAOF", "rdb_last_bgsave_status": "BGSAVE"}
NEEDED = (  # by a worker and the API; arguments are those of a call that changes nothing
    ("FCALL", f"{library.NAME}_apply", "1", "fence:{0}"),
    ("FCALL_RO", f"{library.NAME}_page", "1", "fence:{0}", "ann"),
    ("FUNCTION", "LIST"),
    ("FUNCTION", "LOAD", "code"),
    ("HGETALL", "fence:{0}"),
    ("HSET", "policy:{0}", "shards", "1"),
    ("SET", "likewave:schema", "1"),
    ("ZADD", "feed:{0}:ann", "1", "song"),
    ("ZADD", "warm:{0}", "1", "ann"),
    ("SADD", "circle:{0}:ann", "bob"),
    ("RPUSH", "job:{0}", "row"),
    ("INFO",),
    ("TIME",),
)


async def examine(settings: Settings, shift_ms: int) -> list[Finding]:
    """Check the store; `shift_ms` is added to this host's clock (0, but in tests of clocks)."""
    first = await _tried("store", _version, settings, shift_ms)
    if first.state is State.FAIL:  # out of reach, or not ready: nothing else to ask
        return [first]
    return [first, *[await _tried(name, ask, settings, shift_ms) for name, ask in CHECKS.items()]]


async def mend_memory(settings: Settings) -> list[str]:
    """Forbid the store to drop feeds."""
    async with store.opened(settings) as feeds:
        await feeds.config_set("maxmemory-policy", store.KEEPS_ALL)
    return [f"CONFIG SET maxmemory-policy {store.KEEPS_ALL}: set it in its configuration, too"]


async def mend_functions(settings: Settings) -> list[str]:
    """Load the shard functions where they are absent or older."""
    async with store.opened(settings) as feeds:
        return [f"loaded {await library.load(feeds)}"]


async def _tried(name: str, ask: Check, settings: Settings, shift_ms: int) -> Finding:
    try:
        async with store.opened(settings) as feeds:
            return await ask(feeds, settings, shift_ms)
    except LikewaveError as error:
        return failed(name, str(error))


async def _version(feeds: store.Store, settings: Settings, _: int) -> Finding:
    info: Any = await feeds.info()
    if info.get("loading"):  # it refuses nearly all, and says of the rest what will not be so
        share = f"{float(info['loading_loaded_perc']):.0f} %"
        found = f"the store at {store.address(settings.redis)} is loading its data ({share})"
        return fail("store", found, "wait: it has just been started, and workers wait for it, too")
    if version := info.get("valkey_version"):
        return ok("store", f"Valkey {version} at {store.address(settings.redis)}")
    found = f"Redis {info['redis_version']} at {store.address(settings.redis)}"
    if int(str(info["redis_version"]).partition(".")[0]) < OLDEST:
        return fail("store", f"{found} has no functions", f"upgrade it to Redis {OLDEST} or later")
    return ok("store", found)


async def _role(feeds: store.Store, settings: Settings, _: int) -> Finding:
    del settings
    info: Any = await feeds.info("replication")
    if info["role"] != "master":
        primary = f"{info['master_host']}:{info['master_port']}"
        return fail(
            "store role",
            f"it is a replica of {primary} and refuses writes",
            "name the primary in LIKEWAVE_REDIS, or REPLICAOF NO ONE where it is to take over",
        )
    return ok("store role", f"primary, {counted(int(info['connected_slaves']), 'replica')}")


async def _eviction(feeds: store.Store, settings: Settings, _: int) -> Finding:
    del settings
    await store.check_memory(feeds)
    return ok("maxmemory-policy", store.KEEPS_ALL)


async def _memory(feeds: store.Store, settings: Settings, _: int) -> Finding:
    del settings
    info: Any = await feeds.info("memory")
    limit = info["maxmemory"] or info["total_system_memory"]
    whose = "maxmemory" if info["maxmemory"] else "the machine's memory"
    share = info["used_memory"] / limit
    found = f"{info['used_memory'] / 2**20:,.0f} MB used, {share:.0%} of {whose}"
    if info["maxmemory"] and (refused := refusal(info)):
        return fail("memory", f"{found}: it refuses writes, or is about to", refused.command)
    remedy = "raise maxmemory, move the store to a larger machine, or use more shards"
    if share < ROOM:
        return ok("memory", found)
    return (warn if share < LITTLE_ROOM else fail)("memory", found, remedy)


async def _persistence(feeds: store.Store, settings: Settings, _: int) -> Finding:
    del settings
    info: Any = await feeds.info("persistence")
    if errors := store.unwritten(info):
        return fail(
            "persistence",
            f"the store cannot write to its disk ({', '.join(errors)})",
            f"free its disk (df -h there), see its log; {_tried_again(errors)}",
        )
    if not info["aof_enabled"]:
        return warn(
            "persistence",
            "no append-only file: a store that restarts may read much of the log again",
            "CONFIG SET appendonly yes, and in the store's configuration",
        )
    return ok("persistence", "append-only file, written without errors")


def _tried_again(errors: Sequence[str]) -> str:
    """Tell what follows: a file that is appended to goes on, a copy waits until it is told to."""
    commands = [TRIED_AGAIN_BY[one] for one in errors if one in TRIED_AGAIN_BY]
    return f"then {' and '.join(commands)}" if commands else "then it goes on by itself"


async def _rights(feeds: store.Store, settings: Settings, _: int) -> Finding:
    del settings
    try:
        user: Any = await feeds.acl_whoami()
        refused = [" ".join(one) for one in NEEDED if not await _may(feeds, user, one)]
    except NoPermissionError:
        return warn(
            "rights",
            "this user of the store may not ask what it may do",
            "ACL SETUSER … +acl|whoami +acl|dryrun, as docs/deployment.md has it",
        )
    if refused:
        return fail(
            "rights",
            f"user {user} of the store may not: {', '.join(refused)}",
            "ACL SETUSER as docs/deployment.md has it",
        )
    return ok("rights", f"user {user} of the store may do what a worker does")


async def _may(feeds: store.Store, user: str, command: tuple[str, ...]) -> bool:
    answer: Any = await feeds.acl_dryrun(user, *command)
    return str(answer) == "OK"


async def _functions(feeds: store.Store, settings: Settings, _: int) -> Finding:
    del settings
    loaded = await library.loaded(feeds)
    remedy = "start a worker of this version, or likewave doctor --fix"
    if loaded is None:
        return warn("functions", "the shard functions are not in the store", remedy)
    if library.is_older(loaded):
        return warn("functions", f"{library.named(loaded)} is older than this version's", remedy)
    return ok("functions", await library.check(feeds))


async def _schema(feeds: store.Store, settings: Settings, _: int) -> Finding:
    del settings
    await store.check_schema(feeds)
    return ok("schema", library.SCHEMA)


async def _policy(feeds: store.Store, settings: Settings, _: int) -> Finding:
    for shard in range(settings.shards):
        await store.check_policy(feeds, settings, shard)
    return ok("policy", "as the shards were filled with")


async def _clock(feeds: store.Store, settings: Settings, shift_ms: int) -> Finding:
    del settings
    ahead = shift_ms / 1000 - await store.clock_ahead_s(feeds)
    if abs(ahead) > CLOCK_S:
        side = "ahead of" if ahead > 0 else "behind"
        return fail(
            "store clock",
            f"this host's clock is {abs(ahead):,.0f} s {side} the store's",
            "chronyc makestep on the one that is wrong (timedatectl shows each), and keep NTP on",
        )
    return ok("store clock", "agrees with this host's")


async def _jobs(feeds: store.Store, settings: Settings, _: int) -> Finding:
    shards = range(settings.shards)
    if busy := [str(shard) for shard in shards if await reader.is_busy(feeds, shard)]:
        return warn(
            "jobs",
            f"a job is open in shard {', '.join(busy)}: nothing else is applied there meanwhile",
            "a worker finishes it; where none runs, start one: likewave worker",
        )
    return ok("jobs", "none is open")


async def _rebuild(feeds: store.Store, settings: Settings, _: int) -> Finding:
    try:
        database = await generations.find(settings, feeds)
        at_work = database is not None and await generations.is_claimed(settings, database)
        swapped = database is not None and await generations.has_swapped(settings, database)
    except (NoPermissionError, StoreError):
        return ok("rebuild", "whether one is unfinished cannot be seen from here")
    if database is None:
        return ok("rebuild", "none is unfinished")
    if at_work:
        return ok("rebuild", f"one is at work in database {database}")
    if swapped:
        told = f"one has swapped, and was ended before it dropped the old feeds in {database}"
        return warn("rebuild", told, "likewave rebuild checks once more, and drops them")
    return warn(
        "rebuild",
        f"one was ended in database {database}, and what it filled takes memory",
        "likewave rebuild brings it to its end; likewave rebuild --abort gives it up",
    )


async def _breakers(feeds: store.Store, settings: Settings, _: int) -> Finding:
    del settings
    held = await breakers.held(feeds)
    if not held:
        return ok("breakers", "no partition is held")
    listed = ", ".join(f"{one.source} (at offset {one.offset})" for one in held)
    releases = " && ".join(f"likewave dlq release {one.source}" for one in held)
    return fail(
        "breakers",
        f"held because nearly all that comes is invalid: {listed}",
        f"likewave dlq ls says where, the worker's log why; mend the producer, then {releases}",
    )


async def _monitor(feeds: store.Store, settings: Settings, _: int) -> Finding:
    del settings
    told = await report.last(feeds)
    age_ms = await report.age_ms(feeds, told) if told else None
    found = "it has left no report"
    if age_ms is not None:
        found = f"its report is {age_ms / SECOND:.0f} s old"
    if age_ms is not None and age_ms < report.LATE_MS:
        return ok("monitor", found)
    if refused := refusal(await feeds.info()):
        found = f"{found}, and it can leave none: {refused.sentence}"
        return warn("monitor", found, "mend the store first")
    found += ": while none runs, alerts about log, store and freshness are silent"
    return warn(
        "monitor", found, "start it: likewave monitor; kill -9 it first, where one is frozen"
    )


CHECKS: dict[str, Check] = {
    "store role": _role,
    "maxmemory-policy": _eviction,
    "memory": _memory,
    "persistence": _persistence,
    "rights": _rights,
    "functions": _functions,
    "schema": _schema,
    "policy": _policy,
    "store clock": _clock,
    "jobs": _jobs,
    "rebuild": _rebuild,
    "breakers": _breakers,
    "monitor": _monitor,
}
