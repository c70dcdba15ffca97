"""What operators look at: the last report of a monitor, or where none runs one made here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Self

from models.errors import StoreError
from streams import report as reports
from streams import store as stores
from streams.course import Course
from streams.verdicts import Lookout

if TYPE_CHECKING:
    from streams.settings import Settings

AGAIN_S = 0.9  # within which whoever asks here is given the same
WINDOW_S, RECENT_S = 60.0, 8.0  # as the monitor has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A report, whose it is, and when a monitor last made one (Unix ms; 0 is not known).

    How old that is, is told by the store's clock: whoever looks may have another.
    """

    by_monitor: bool
    monitor_at: int
    monitor_age_ms: int
    report: reports.Report


class Outlook:
    """A context in which one asks for the report again and again."""

    def __init__(self, settings: Settings, *, recent_s: float = RECENT_S) -> None:
        self._settings = settings
        self._lookout = Lookout(settings, window_s=WINDOW_S, recent_s=recent_s)
        self._monitor_at = self._monitor_age_ms = 0
        self._course = Course()
        self._sight: Sight | None = None
        self._seen_s = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._lookout.__aexit__()

    async def sight(self) -> Sight:
        """Give what there is to see now; never raise a LikewaveError."""
        async with self._one_at_a_time:
            if self._sight is None or perf_counter() - self._seen_s >= AGAIN_S:
                self._sight = await self._told() or await self._made()
                self._seen_s = perf_counter()
                self._course = self._sight.report.course
            return self._sight

    async def _told(self) -> Sight | None:
        try:
            async with stores.opened(self._settings) as store:
                if (found := await reports.last(store)) is None:
                    return None
                age_ms = await reports.age_ms(store, found)
        except StoreError:
            return None
        self._monitor_at, self._monitor_age_ms = found.at, round(age_ms)
        return self._by(found, by_monitor=True) if age_ms < reports.FRESH_MS else None

    async def _made(self) -> Sight:
        made = await reports.look(self._settings, self._lookout, {}, self._course)
        return self._by(made, by_monitor=False)

    def _by(self, report: reports.Report, *, by_monitor: bool) -> Sight:
        return Sight(
            by_monitor=by_monitor,
            monitor_at=self._monitor_at,
            monitor_age_ms=self._monitor_age_ms,
            report=report,
        )
