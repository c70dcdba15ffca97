"""A rebuild: the feeds filled anew from the log beside those that serve, checked, and swapped in.

    fill     the whole log into a spare database, where nobody is warm: registers, and no signals
    wake     whoever is warm where it serves gets their feed, while what comes is carried along
    check    some users are held against the log
    swap     workers wait for a moment, until the new generation has all that the old one has
    check    a few of them, where it serves now; then the old generation is dropped

Making a feed at once equals pushing every act into it, and is far less work. Every step can be
repeated, so a rebuild that was ended goes on where it was: at the fences of its shards.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from models.errors import BrokerError, StoreError
from models.routing import shard_of
from streams import filling, generations, spot_check, topics
from streams.filling import EDGES_FIRST
from streams.generations import HOLD_MS, Generation, hold
from streams.history import unheard
from streams.library import SCHEMA
from streams.reader import fence_key, fences
from streams.snapshots import Snapshots
from streams.store import check_policy, opened, recorded, shards_of
from streams.transport import LONGEST_BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streams.audit import Verdict
    from streams.filling import Filler
    from streams.history import Progress
    from streams.settings import Settings
    from streams.spot_check import SpotCheck
    from streams.store import Store

T = TypeVar("T")

SCANNED = 500  # warm users listed at a time
WOKEN_AT_ONCE = 2  # in one go: a few milliseconds of the store
WAKINGS_AT_ONCE = 2  # one runs, one waits
PART_OF_HOLD = 0.8  # of the time that workers wait, in which to swap
POLL_S = 0.005
REACH_S = 30.0  # for the new generation to come near; then workers have to wait all the same
TRIES = 10
AGAIN = 25  # users checked after the swap: of those before it, which changed nothing but the place


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may choose."""

    database: int | None = None  # the spare one
    users: int = 200  # to be checked
    seed: int = 1
    force: bool = False  # though memory may not suffice
    another_log: bool = False  # though the old feeds have what Kafka has no more


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did; `verdict` is of the whole check, or of a later one that differs."""

    database: int  # the spare one
    shards: int
    swapped: bool
    events: int
    warm: int  # users, when it ended
    held_ms: int  # for which workers waited
    seconds: float
    verdict: Verdict


class Rebuild:
    """One rebuild, from a store that serves into a generation that has the lease."""

    def __init__(
        self,
        home: Store,
        generation: Generation,
        settings: Settings,
        options: Options,
        progress: Progress = unheard,
    ) -> None:
        self._home = home
        self._new = generation
        self._settings = settings
        self._options = options
        self._reached: list[str] = []  # logs of which the new one must have what the old one has
        self._progress = progress
        self._held_ms = 0
        self._turns = asyncio.Semaphore(WAKINGS_AT_ONCE)

    async def run(self, swapped: Callable[[], None]) -> Rebuilt:
        """Do what is left to do; `swapped` is called once the new generation serves."""
        began = perf_counter()
        serves = await self._new.is_replaced()
        if serves:
            await self._check_numbers()
        else:
            self._reached = await self._logs_to_reach()
            await self._new.begin(self._settings)
        async with spot_check.opened(
            self._settings, users=self._options.users, seed=self._options.seed
        ) as checking:
            if serves:
                await checking.read()
                swapped()
                verdict = await self._settle(checking)
            else:
                await _together(self._fill(), checking.read())
                verdict = await self._take_over(checking)
                serves = verdict.is_equal
                if serves:
                    swapped()
                    verdict = await self._settle(checking, verdict)
        return Rebuilt(
            self._new.database,
            self._settings.shards,
            serves,
            verdict.events,
            await _warm(self._home if serves else self._new.store),
            self._held_ms,
            perf_counter() - began,
            verdict,
        )

    async def _check_numbers(self) -> None:
        """Raise StoreError where what has swapped already has other numbers than this one asks."""
        try:
            await check_policy(self._home, self._settings)
        except StoreError as error:
            raise StoreError(
                "an earlier rebuild has swapped already, and is not over: bring it to its end by "
                "`likewave rebuild` with the numbers that it was given, then change them"
            ) from error

    async def _logs_to_reach(self) -> list[str]:
        """Give the ids of the logs of which Kafka has all that the old feeds have.

        Raises StoreError where it has less of one, unless a person said that this is lost.
        """
        log_ids = await topics.log_ids(self._settings)
        found = [await fences(self._home, shard) for shard in range(await shards_of(self._home))]
        lost, bounds = set(), await topics.log_bounds(self._settings)  # later: fences move on
        for source, (position, log_id, _) in chain.from_iterable(one.items() for one in found):
            topic, _, partition = source.rpartition(":")
            _, end = bounds.get((topic, int(partition)), (0, 0))
            if topic in log_ids and (log_id != log_ids[topic] or position > end):
                lost.add(topic)
        if lost and not self._options.another_log:
            raise StoreError(
                f"the feeds have what Kafka has no more of {', '.join(sorted(lost))}, made anew or "
                "cut short: where `likewave config` names the right Kafka, and those records are "
                "lost for good, `likewave rebuild --another-log` makes feeds of what is left"
            )
        return [log_id for topic, log_id in log_ids.items() if topic not in lost]

    async def _fill(self) -> None:
        """Carry the log into shards where nobody is warm, that of circles first."""
        cold = self._settings.model_copy(update={"warm_days": 0})
        async with filling.opened(self._new.store, cold, EDGES_FIRST) as filler:
            await filler.fill(self._progress)
        async with filling.opened(self._new.store, cold) as filler:
            while await filler.lag() > LONGEST_BATCH:
                await filler.fill(self._progress)

    async def _take_over(self, checking: SpotCheck) -> Verdict:
        """Wake, check and swap, while what comes is carried along."""
        async with filling.opened(self._new.store, self._settings) as filler:
            return await _beside(self._prove(checking, filler), filler.follow())

    async def _prove(self, checking: SpotCheck, filler: Filler) -> Verdict:
        takes = Snapshots(self._new.store, self._settings)
        await _together(self._wake(self._home, self._new.store), checking.fold(takes))
        verdict = await checking.check(takes)
        if verdict.is_equal:
            await self._swap(filler)
        return verdict

    async def _settle(self, checking: SpotCheck, before: Verdict | None = None) -> Verdict:
        """Wake who was woken in the old generation alone, check, and drop that."""
        await self._wake(self._new.store, self._home)
        takes = Snapshots(self._home, self._settings)
        verdict = await checking.check(takes, AGAIN if before else None)
        if not verdict.is_equal:
            return verdict
        await self._new.drop(self._progress)
        return before or verdict

    async def _wake(self, old: Store, new: Store) -> None:
        """Make the feeds of all whom the old generation keeps warm, as if they acted when they did.

        Whoever is as warm in the new one is left alone.
        """
        shards = await shards_of(old)
        total, woken = await _warm(old), 0
        for shard in range(shards):
            cursor = None
            while cursor != 0:
                cursor, found = await old.zscan(f"warm:{{{shard}}}", cursor or 0, count=SCANNED)
                cold = await self._cold(new, found)
                parts = range(0, len(cold), WOKEN_AT_ONCE)
                await _together(
                    *(self._wake_some(new, cold[one : one + WOKEN_AT_ONCE]) for one in parts)
                )
                woken += len(found)
                self._progress("waking", woken, max(total, woken))

    async def _cold(self, new: Store, found: list[Any]) -> list[Any]:
        shards = self._settings.shards
        async with new.pipeline(transaction=False) as ask:
            for user, _ in found:
                ask.zscore(f"warm:{{{shard_of(user, shards)}}}", user)
            known = await ask.execute()
        pairs = zip(found, known, strict=True)
        return [one for one, at in pairs if at is None or at < one[1]]

    async def _wake_some(self, new: Store, found: list[Any]) -> None:
        shards = self._settings.shards
        async with self._turns, new.pipeline(transaction=False) as ask:
            for user, at in found:
                fence = fence_key(shard_of(user, shards))
                ask.fcall(f"likewave_{SCHEMA}_wake", 1, fence, user, shards, str(int(at)))
            await ask.execute()

    async def _swap(self, filler: Filler) -> None:
        """Let workers wait until the new generation has all that the old one has, and swap."""
        old = await shards_of(self._home)
        for _ in range(TRIES):
            with suppress(TimeoutError):
                async with asyncio.timeout(REACH_S):
                    while await filler.lag() > LONGEST_BATCH:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(POLL_S)
            began = perf_counter()
            await hold(self._home, old)
            while perf_counter() - began < PART_OF_HOLD * HOLD_MS / 1_000:
                if await self._new.swap(self._home, old, self._settings.shards, self._reached):
                    self._held_ms = round(1_000 * (perf_counter() - began))
                    return
                await asyncio.sleep(POLL_S)
            await hold(self._home, old, ms=0)
            await asyncio.sleep(HOLD_MS / 1_000)
        raise StoreError(
            "the log grows faster than it can be read here: try again in a quieter hour; what is "
            "filled stays, or goes by `likewave rebuild --abort`"
        )


async def _warm(store: Store) -> int:
    shards = range(await shards_of(store))
    return sum([await store.zcard(f"warm:{{{shard}}}") for shard in shards])


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """Do things at the same time; an error of one ends all."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _beside(work: Coroutine[Any, Any, T], endless: Coroutine[Any, Any, None]) -> T:
    """Do some work while something else goes on; an error of either ends both."""
    working, going_on = asyncio.create_task(work), asyncio.create_task(endless)
    tasks = (working, going_on)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            going_on.result()
        return await working
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def rebuild(
    settings: Settings,
    options: Options,
    *,
    progress: Progress = unheard,
    swapped: Callable[[], None] = lambda: None,
) -> Rebuilt:
    """Rebuild the feeds of `settings` under its numbers, whatever those of the old ones are.

    Topics are told to keep what these numbers need, where they did not.
    Raises BrokerError or StoreError where it cannot go on; then it can be run again, or aborted.
    """
    await topics.set_options(settings)
    if faults := [fault for state in await topics.check(settings) for fault in state.faults]:
        raise BrokerError("; ".join(faults))
    async with opened(settings) as home:
        database = await generations.choose(settings, home, options.database)
        async with (
            opened(settings, database=database) as spare,
            generations.claimed(spare) as generation,
        ):
            if not options.force and not await spare.exists(generations.MARKER):
                await _check_memory(home)
            return await Rebuild(home, generation, settings, options, progress).run(swapped)


async def changes(settings: Settings) -> dict[str, list[str | None]]:
    """Give the numbers that a rebuild would change, each as it is and as it would be.

    None where the store is empty, or has these numbers already.
    """
    async with opened(settings) as home:
        old: Any = await home.hgetall("policy:{0}")
    new = recorded(settings) if old else {}
    return {name: [old.get(name), to] for name, to in new.items() if old.get(name) != to}


async def abort(settings: Settings, progress: Progress = unheard) -> int | None:
    """Drop what an unfinished rebuild has filled; give its database, None where there is none.

    Raises StoreError where one is at work, or has swapped already.
    """
    async with opened(settings) as home:
        database = await generations.find(settings, home)
        if database is None:
            return None
        async with (
            opened(settings, database=database) as spare,
            generations.claimed(spare) as generation,
        ):
            if await generation.is_replaced():
                raise StoreError(
                    "the rebuild has swapped already, and there is no way back: run `likewave "
                    "rebuild` again, it checks once more and drops the old feeds"
                )
            await generation.drop(progress)
    return database


async def _check_memory(home: Store) -> None:
    info: dict[str, Any] = await home.info("memory")
    limit = info["maxmemory"] or info.get("total_system_memory", 0)
    if limit and 2 * info["used_memory"] > limit:
        raise StoreError(
            f"the store uses {info['used_memory'] >> 20:,} MB of {limit >> 20:,}, and a rebuild "
            "needs as much again: give it more memory, or go on with --force"
        )
