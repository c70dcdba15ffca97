"""How far a publication has come, told once a second."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.producer import Counts, Producer

INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What was published until now, how fast of late, and how long it will still take."""

    counts: Counts
    rate: float  # records a second, acknowledged since the last report
    seconds: float  # since the start
    remaining_s: float | None  # unknown where there is no end in sight


class Meter:
    """Reports the progress of a producer once a second, however often it is asked to.

    As a context it does so, too, while nobody asks because Kafka takes nothing.
    """

    def __init__(self, producer: Producer, report: Callable[[Progress], None]) -> None:
        self._producer = producer
        self._report = report
        self._began = self._reported = time.monotonic()
        self._last = producer.counts

    async def __aenter__(self) -> Self:
        self._reminding = asyncio.create_task(self._remind())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reminding.cancel()

    async def _remind(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            if time.monotonic() - self._reported >= 2 * INTERVAL_S:
                self.tick()

    @property
    def seconds(self) -> float:
        """Give the time since the start."""
        return time.monotonic() - self._began

    def tick(self, done: float | None = None) -> None:
        """Report if a second has passed; `done` is the part of the work that is behind us."""
        now = time.monotonic()
        if now - self._reported >= INTERVAL_S:
            counts, seconds = self._producer.counts, now - self._began
            fresh = counts.acknowledged - self._last.acknowledged
            rate = fresh / (now - self._reported)
            left = seconds * (1 - done) / done if done else None
            self._report(Progress(counts, rate, seconds, left))
            self._reported, self._last = now, counts
