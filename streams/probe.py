"""How long an act takes to become visible, as one pair of friends meets it.

A canary that acts every quarter of a second. What it sees first does not count, nor what it sees a
few seconds after it: workers may still be starting, and a simulation loads its network in bulk.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streams.canary import Canary
from streams.report import FEED

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.store import Store

NAME = "probe"
PERIOD_S = 0.25
SETTLE_S = 3.0
REMEMBERED = 240  # acts: the last minute


@dataclass(frozen=True, slots=True)
class Latency:
    """Of the acts of the last minute, in milliseconds."""

    p50: float
    p99: float


class Probe:
    """Times acts; `latency` is None until one was seen."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._canary = Canary(settings, store, NAME, self._seen)
        self._settled: float | None = None
        self._seconds: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def latency(self) -> Latency | None:
        """Give the percentiles."""
        if not self._seconds:
            return None
        p50, p99 = np.percentile(self._seconds, (50, 99)) * 1000
        return Latency(float(p50), float(p99))

    async def run(self, stop: asyncio.Event) -> None:
        """Measure until `stop` is set."""
        acting = asyncio.create_task(self._canary.run(PERIOD_S))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([acting, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if acting.done():
            acting.result()
        acting.cancel()
        await asyncio.wait([acting])

    def _seen(self, path: str, seconds: float) -> None:
        now = time.monotonic()
        self._settled = self._settled or now + SETTLE_S
        if path == FEED and now > self._settled:
            self._seconds.append(seconds)
