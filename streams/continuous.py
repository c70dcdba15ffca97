"""The continuous audit: a few users at a time held against the log, again and again.

    audited:{0}  string  JSON: what the last check found, how much was checked in all, and when the
                         log was last read on since

Every hour others are chosen and the log is read, which is the whole cost in reading; in memory is
what of it concerns these users (`streams/spot_check.py`). In between a check costs what came since,
and of the store a snapshot of each user: some milliseconds. People go on coming to reach each
other, and whom somebody new reaches is judged no more. Where fewer than half of those wanted are
left others are chosen before the hour is over, but not before `WORTH` times what reading took.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec
import structlog
from redis.exceptions import RedisError

from models.counting import counted
from models.errors import LikewaveError
from models.policy import HOUR
from streams import spot_check
from streams.clock import now_ms
from streams.snapshots import Snapshots
from streams.store import check_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.difference import Difference
    from streams.audit import Verdict
    from streams.settings import Settings
    from streams.spot_check import SpotCheck
    from streams.store import Store

REPORT = "audited:{0}"
AGAIN_S = 5.0  # after the log or the store could not be read
TELL_S = 10.0  # between two words that reading goes on
WORTH = 10  # times as long as it took to choose users and read the log they are kept, at least

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Summary:
    """What the last check found, and in all since the start: fit for counters and a gauge."""

    at: int  # Unix ms
    users: int
    differing: int
    users_total: int
    differences_total: int
    read_at: int = field(default=0, kw_only=True)  # Unix ms; 0 is not since that check

    @property
    def busy_at(self) -> int:
        """Give when it last did what it is there for (Unix ms): ended a check, or read on."""
        return max(self.at, self.read_at)


@dataclass(frozen=True, slots=True)
class Audited(Summary):
    """The same, and of whom."""

    differences: list[Difference]  # the first few


@dataclass(frozen=True, slots=True)
class _Left(Summary):
    """What a check left in the store; of whom is not looked into."""

    differences: msgspec.Raw


def render(found: Audited) -> str:
    """Say it for a person: one line, and one for each difference shown.

    >>> render(Audited(0, 20, 0, 1_200, 0, []))
    'audit: 20 users, 0 differing; since the start 1,200 users, 0 differences'
    """
    summary = (
        f"audit: {counted(found.users, 'user')}, {found.differing:,} differing; since the start "
        f"{counted(found.users_total, 'user')}, {counted(found.differences_total, 'difference')}"
    )
    return "\n  ".join([summary, *map(str, found.differences)])


class ContinuousAudit:
    """Checks `users` every `every_s`, others each hour at least; `hear` is told of every check."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        users: int,
        every_s: float,
        hear: Callable[[Audited], None],
    ) -> None:
        self._store = store
        self._settings = settings
        self._users = users
        self._every_s = every_s
        self._hear = hear
        self._users_total = 0
        self._differences_total = 0
        self._read_at = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Check until `stop`; raise StoreError once the store is filled under other numbers."""
        while not stop.is_set():
            try:
                await self._check_for_an_hour(stop)
            except (LikewaveError, RedisError, OSError) as error:
                with suppress(RedisError, OSError):
                    await check_policy(self._store, self._settings)
                log.warning("audit begins anew", error=str(error), again_in_s=AGAIN_S)
                await _pause(stop, AGAIN_S)

    async def _check_for_an_hour(self, stop: asyncio.Event) -> None:
        began = now_ms()
        until = began + HOUR
        async with spot_check.opened(self._settings, users=self._users, seed=began) as checking:
            await self._read(checking)
            worth_until = began + WORTH * (now_ms() - began)
            while not stop.is_set() and now_ms() < until:
                if 2 * await self._check(checking) < self._users:
                    until = min(until, worth_until)
                await _pause(stop, self._every_s)

    async def _read(self, checking: SpotCheck) -> None:
        """Choose users and read the log, which may take long: the store is told that it goes on."""

        def note(*_: object) -> None:
            self._read_at = now_ms()

        telling = asyncio.create_task(self._tell())
        try:
            await checking.read(note)
        finally:
            telling.cancel()

    async def _tell(self) -> None:
        """Add to what the last check left, if there ever was one, when the log was last read on."""
        while True:
            await asyncio.sleep(TELL_S)
            with suppress(RedisError, OSError, msgspec.ValidationError):
                if (found := await self._store.get(REPORT)) is not None:
                    left = msgspec.json.decode(found, type=_Left)
                    told = msgspec.json.encode(replace(left, read_at=self._read_at))
                    await self._store.set(REPORT, told)

    async def _check(self, checking: SpotCheck) -> int:
        """Hold the users against the log; give how many could be judged."""
        verdict = await checking.check(Snapshots(self._store, self._settings))
        audited = self._count(verdict)
        await self._store.set(REPORT, msgspec.json.encode(audited))
        if not verdict.is_equal:
            found = [str(one) for one in verdict.differences]
            log.error("feeds differ from the log", users=verdict.differing, first=found[0])
        self._hear(audited)
        return verdict.users

    def _count(self, verdict: Verdict) -> Audited:
        self._users_total += verdict.users
        self._differences_total += sum(verdict.aspects.values())
        return Audited(
            now_ms(),
            verdict.users,
            verdict.differing,
            self._users_total,
            self._differences_total,
            verdict.differences,
        )


async def last(store: Store) -> Summary | None:
    """Read what the last check found; None where none ever ran."""
    found = await store.get(REPORT)
    return None if found is None else msgspec.json.decode(found, type=Summary)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
