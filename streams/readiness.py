"""Whether the feeds have caught up with the log, as a load balancer has to know.

    catching up ── every partition lags by less than a batch ──> caught up
    caught up ── some partition lags by FAR, or a fence went back ──> catching up

In between nothing changes: feeds that are some seconds old serve better than no feeds, and a peak
of traffic must not send all processes away at once. A fence that went back is that of a store that
was flushed or restored, whose feeds lack what they had. While the lag is not known, because Kafka
is away, it is taken for none: feeds can be read.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from redis.exceptions import RedisError

from models.errors import LikewaveError
from streams.lag import gauge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.lag import Position
    from streams.settings import Settings
    from streams.store import Store

BATCH = 2_000  # events of one partition that a worker takes at once
FAR = 50 * BATCH
EVERY_S = 1.0
AGAIN_S = 5.0  # where the lag cannot be measured
FIRST_S = 2.0  # for the first measure

log = structlog.get_logger()


def has_caught_up(before: bool, lags: Sequence[int]) -> bool:  # noqa: FBT001 - what it was
    """Tell whether the feeds have caught up, from what they were and the lag of each partition.

    >>> has_caught_up(False, [1_999, 0]), has_caught_up(False, [2_000])
    (True, False)
    >>> has_caught_up(True, [2_000]), has_caught_up(True, [100_000])
    (True, False)
    """
    return max(lags, default=0) < (FAR if before else BATCH)


class Readiness:
    """Measures once a second, from the first question on, until closed."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._caught_up = False
        self._lag = 0
        self._fences: dict[tuple[str, int], int] = {}
        self._measured = asyncio.Event()
        self._measuring: asyncio.Task[None] | None = None

    async def behind(self) -> int:
        """Count the events still to come before feeds are fit to serve; 0 where they are."""
        if self._measuring is None:
            self._measuring = asyncio.create_task(self._measure_on())
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S):
                await self._measured.wait()
        is_fit = self._caught_up or not self._measured.is_set()
        return 0 if is_fit else self._lag

    async def close(self) -> None:
        """Measure no more."""
        if self._measuring is not None:
            self._measuring.cancel()
            await asyncio.wait([self._measuring])

    async def _measure_on(self) -> None:
        while True:
            try:
                await self._measure()
            except (LikewaveError, RedisError, OSError) as error:
                log.warning("lag unknown", error=str(error), again_in_s=AGAIN_S)
                self._lag = 0
                self._measured.set()
            await asyncio.sleep(AGAIN_S)

    async def _measure(self) -> None:
        async with gauge(self._settings, self._store) as open_gauge:
            while True:
                self._note(await open_gauge.positions())
                await asyncio.sleep(EVERY_S)

    def _note(self, positions: Sequence[Position]) -> None:
        lags = [one.lag for one in positions]
        before = self._caught_up and not self._went_back(positions)
        self._caught_up, self._lag = has_caught_up(before, lags), sum(lags)
        self._measured.set()

    def _went_back(self, positions: Sequence[Position]) -> bool:
        """Tell whether the store has less than it had; the fence of another log says nothing."""
        fences = {(one.topic, one.partition): one.fence for one in positions if not one.fault}
        went_back = any(fence < self._fences.get(name, 0) for name, fence in fences.items())
        self._fences |= fences
        return went_back
