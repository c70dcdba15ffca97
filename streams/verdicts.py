"""How every partition does: lag, rates and verdicts over a window, asked for again and again.

Whoever looks out hears of servers that are away as a sentence, and looks again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Self

from models.errors import BrokerError, LikewaveError
from models.verdict import Observation, Verdict, judge
from streams import hot_accounts as hot
from streams import store
from streams.lag import gauge

if TYPE_CHECKING:
    from streams.lag import Backlog, Gauge, Position
    from streams.settings import Settings

SEVERITY = list(Verdict)  # as they are declared, the worst last
MANY = 100  # waiting events of a partition from which on it is asked who makes them
ASKED_EVERY_MS = 10_000
FORGOTTEN_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The lag of one partition, and what to think of it."""

    topic: str
    partition: int
    fence: int
    end: int
    lag: int
    seconds: float  # that its first event has waited in the log
    share: float  # of all that waits
    arrival_rate: float  # events/s
    applied_rate: float  # events/s
    catch_up_s: float | None  # at these rates; None is never
    verdict: Verdict
    sentence: str
    command: str  # the first to run


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The lag of all partitions: together, the worst of each number, and one by one.

    With an `error` nothing could be measured.
    """

    verdict: Verdict
    lag: int = 0
    seconds: float = 0.0
    catch_up_s: float | None = 0.0
    dead_letters: int = 0  # that were ever written
    workers: int = 0  # that hold partitions
    silent: list[str] = field(default_factory=list)  # workers that say nothing, as `host:pid`
    partitions: list[Judged]
    hot_accounts: list[hot.Account]  # of the partition in which most wait
    error: str = ""
    broker_up: bool = True


class Lookout:
    """A context in which one looks again and again; the last `window_s` seconds are remembered."""

    def __init__(self, settings: Settings, *, window_s: float, recent_s: float) -> None:
        self._settings = settings
        self._window_ms, self._recent_ms = round(window_s * 1000), round(recent_s * 1000)
        self._windows: defaultdict[tuple[str, int], deque[Observation]] = defaultdict(deque)
        self._open = AsyncExitStack()
        self._gauge: Gauge | None = None
        self._is_out = False  # nothing could be measured when it was tried last
        self._accounts: list[hot.Account] = []
        self._asked_at = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def look(self) -> Diagnosis:
        """Measure, and judge all that is remembered; never raise a LikewaveError."""
        try:
            async with self._open.pop_all() as opened:
                self._gauge = self._gauge or await self._opened(opened)
                found = await self._diagnose(self._gauge)
                self._open, self._is_out = opened.pop_all(), False
                return found
        except LikewaveError as error:
            self._gauge, self._is_out = None, True
            return Diagnosis(
                verdict=Verdict.ERR,
                partitions=[],
                hot_accounts=[],
                error=str(error),
                broker_up=not isinstance(error, BrokerError),
            )

    async def watch(self, seconds: float, *, every_s: float) -> Diagnosis:
        """Look for some seconds, from the first look on; give the last diagnosis."""
        found = await self.look()
        ends = asyncio.get_running_loop().time() + seconds
        while not found.error and (left := ends - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(every_s, left))
            found = await self.look()
        return found

    async def _opened(self, opened: AsyncExitStack) -> Gauge:
        feeds = await opened.enter_async_context(store.opened(self._settings))
        return await opened.enter_async_context(gauge(self._settings, feeds))

    async def _diagnose(self, asked: Gauge) -> Diagnosis:
        backlog = await asked.measure()
        total = sum(one.lag for one in backlog.positions)
        judged = [self._judge(one, backlog, total) for one in backlog.positions]
        catch_ups = [one.catch_up_s for one in judged]
        return Diagnosis(
            verdict=max(
                Verdict.WARN if asked.silent else Verdict.OK,
                *(one.verdict for one in judged),
                key=SEVERITY.index,
            ),
            lag=total,
            seconds=max(one.seconds for one in judged),
            catch_up_s=None if None in catch_ups else max(filter(None, catch_ups), default=0.0),
            dead_letters=await asked.dead_letters(),
            workers=asked.workers,
            silent=list(asked.silent),
            partitions=judged,
            hot_accounts=await self._hot_accounts(
                max(judged, key=lambda one: one.lag), backlog.now
            ),
        )

    async def _hot_accounts(self, hottest: Judged, now: int) -> list[hot.Account]:
        if hottest.lag < MANY:
            return []
        if now - self._asked_at >= ASKED_EVERY_MS:
            self._accounts = await hot.of(self._settings, hottest.topic, hottest.partition)
            self._asked_at = now
        return self._accounts

    def _judge(self, one: Position, backlog: Backlog, total: int) -> Judged:
        finding = judge(self._remember(one, backlog), recent_ms=self._recent_ms)
        return Judged(
            topic=one.topic,
            partition=one.partition,
            fence=one.fence,
            end=one.end,
            lag=one.lag,
            seconds=backlog.seconds(one),
            share=one.lag / total if total else 0.0,
            **asdict(finding),
        )

    def _remember(self, one: Position, backlog: Backlog) -> list[Observation]:
        window, now = self._windows[one.topic, one.partition], backlog.now
        if window and now - window[-1].now > max(self._window_ms, FORGOTTEN_MS):
            window.clear()  # nobody looked for so long that anything may have happened
        window.append(
            Observation(
                now=now,
                fence=one.fence,
                end=one.end,
                attended=one.attended,
                resumed=self._is_out,
                waited_s=backlog.seconds(one),
                around=one.around,
                fault=one.fault,
                mend=one.mend,
                held_since=one.held_since,
                halvings=one.halvings,
            )
        )
        while len(window) > 1 and window[1].now <= now - self._window_ms:
            went_back = window[0].fence > max(window[1].fence, window[-1].fence)
            is_measured = not (window[0].fault or window[1].fault)
            del window[1 if went_back and is_measured else 0]  # remembered until it is made up for
        return list(window)  # what is left covers the window
