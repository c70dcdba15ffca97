"""How the stream does, in a few numbers: rates, latency, lag."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.reader import fence_key

if TYPE_CHECKING:
    from streams.lag import Gauge
    from streams.probe import Latency, Probe
    from streams.store import Store

WINDOW = 5  # samples that a rate is taken over


@dataclass(frozen=True, slots=True)
class Pulse:
    """The numbers of one moment; `latency` is None where nothing was measured yet."""

    events_per_s: float
    signals_per_s: float
    latency: Latency | None
    lag: int

    def __str__(self) -> str:
        """Say it in one line.

        >>> print(Pulse(1012.4, 20480.9, None, 12))
        1,012 events/s, 20,481 signals/s, lag 12; act to visible: not measured yet
        """
        return f"{self.flow}; {self.delay}"

    @property
    def flow(self) -> str:
        """Say how much flows, and how much waits."""
        return (
            f"{self.events_per_s:,.0f} events/s, {self.signals_per_s:,.0f} signals/s, "
            f"lag {self.lag:,}"
        )

    @property
    def delay(self) -> str:
        """Say how long an act takes to become visible."""
        if self.latency is None:
            return "act to visible: not measured yet"
        return f"act to visible: p50 {self.latency.p50:.0f} ms, p99 {self.latency.p99:.0f} ms"


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float  # seconds
    events: int  # applied since the log began
    signals: int


class Pulses:
    """Takes the pulse, about once a second; rates are over the last few times."""

    def __init__(self, gauge: Gauge, store: Store, shards: int, probe: Probe) -> None:
        self._gauge = gauge
        self._store = store
        self._shards = shards
        self._probe = probe
        self._samples: deque[_Sample] = deque(maxlen=WINDOW + 1)

    async def take(self, now: float) -> Pulse:
        """Take the pulse at `now` (seconds of any clock)."""
        positions = await self._gauge.positions()
        events = sum(position.fence for position in positions)
        self._samples.append(_Sample(now, events, await self._signals()))
        first, last = self._samples[0], self._samples[-1]
        seconds = last.at - first.at or 1.0
        return Pulse(
            events_per_s=(last.events - first.events) / seconds,
            signals_per_s=(last.signals - first.signals) / seconds,
            latency=self._probe.latency,
            lag=sum(position.lag for position in positions),
        )

    async def _signals(self) -> int:
        """Sum up what the shards have ever done: signals and retractions."""
        keys = map(fence_key, range(self._shards))
        work = await asyncio.gather(*(self._store.hget(key, "work") for key in keys))
        return sum(int(one or 0) for one in work)
