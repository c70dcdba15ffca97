"""Replays events of a file, a pipe or a data set, as fast as Kafka takes them or at their pace."""

from __future__ import annotations

import asyncio
import itertools
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import InputError, SettingsError
from models.events import moved
from models.policy import SECOND
from streams import topics
from streams.clock import now_ms
from streams.datasets import read_dataset
from streams.lines import pipe_events, read_events
from streams.producer import Producer
from streams.progress import Meter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from models.events import Event
    from streams.datasets import Edges
    from streams.producer import Counts
    from streams.progress import Progress
    from streams.settings import Settings

STANDARD_INPUT = "-"
SLICE = 5_000  # events handed over at a time
SLICE_S = 0.02  # by which an event may be early
NAP_S = 0.2  # between looks at the clock in a long pause


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What is replayed, how it is understood, and how fast."""

    path: str  # of JSON lines (.gz too) or of a data set folder; `-` is standard input
    meanings: Mapping[str, str] = field(default_factory=dict)  # of a data set's kinds
    edges: Edges = "befriend"  # what a data set's friends are
    speed: float | None = None  # times as fast as it happened; without: as fast as Kafka takes it
    ends_now: bool = False  # all moments move by as much, so that the last is this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay has published, and what it has left out."""

    counts: Counts
    edges: int  # of the records: friendships or follows of a data set
    skipped: Mapping[str, int]  # interactions of a data set without a meaning, by kind
    seconds: float


@dataclass(frozen=True, slots=True)
class _Source:
    """Events to come, in order and in slices."""

    slices: AsyncIterator[list[Event]]
    total: int | None = None
    edges: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)


async def replay(
    settings: Settings,
    options: ReplayOptions,
    report: Callable[[Progress], None],
    stop: asyncio.Event | None = None,
) -> Replayed:
    """Publish the events of `options.path` until its end, or until `stop` is set.

    Files are checked whole before the first event is published; standard input as it comes.
    Creates missing topics. Raises InputError naming file and line, and BrokerError; both with the
    counts where something was published before.
    """
    stop = stop or asyncio.Event()
    source = _open(options, stop)
    await topics.ensure(settings)
    async with Producer(settings, stop=stop) as producer:
        meter = Meter(producer, report)
        pace = _Pace(producer, meter, stop, options.speed)
        try:
            async for events in source.slices:
                await pace.publish(events, source.total)
        except InputError as error:
            await producer.flush()
            raise InputError(
                f"{error}; the {producer.counts.acknowledged} events before it are published"
            ) from error
        await producer.flush()
        return Replayed(
            counts=producer.counts,
            edges=source.edges,
            skipped=source.skipped,
            seconds=meter.seconds,
        )


def parse_speed(text: str) -> float | None:
    """Read a speed: `max` is None, `60x` is 60; raise SettingsError."""
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise SettingsError(f"--speed is {text!r}: give max, or 1x for the pace of the events")
    return speed


def parse_meanings(texts: Iterable[str]) -> dict[str, str]:
    """Read meanings such as `checkin=like`; raise SettingsError."""
    meanings: dict[str, str] = {}
    for text in texts:
        kind, equals, meaning = text.partition("=")
        if not (kind and equals and meaning):
            raise SettingsError(f"--map is {text!r}: give KIND=MEANING, such as checkin=like")
        if meanings.setdefault(kind, meaning) != meaning:
            raise SettingsError(f"--map gives {kind} two meanings: give one")
    return meanings


def _open(options: ReplayOptions, stop: asyncio.Event) -> _Source:
    path = Path(options.path)
    if options.path != STANDARD_INPUT and path.is_dir():
        dataset = read_dataset(path, options.meanings, options.edges)
        last = max((event.at for event in dataset.events), default=0)
        slices = _sliced(_moved(dataset.events, _shift(options, last)), stop)
        return _Source(slices, len(dataset.events), dataset.edges, dataset.skipped)
    if options.meanings:
        raise SettingsError("--map is for a data set folder: JSON lines have kinds of ours")
    if options.path == STANDARD_INPUT:
        if options.ends_now:
            raise SettingsError("--ends-now is for files: where a pipe ends is not known")
        return _Source(pipe_events(sys.stdin.fileno(), "standard input", stop))
    total = last = 0
    for event in read_events(path):
        total, last = total + 1, max(last, event.at)
    return _Source(_sliced(_moved(read_events(path), _shift(options, last)), stop), total)


def _shift(options: ReplayOptions, last: int) -> int:
    """Give by how much (ms) events move of which the last is of the moment `last`."""
    return now_ms() - last if options.ends_now else 0


def _moved(events: Iterable[Event], shift: int) -> Iterable[Event]:
    """Move all moments of events by `shift` (ms)."""
    return (moved(event, shift) for event in events) if shift else events


async def _sliced(events: Iterable[Event], stop: asyncio.Event) -> AsyncIterator[list[Event]]:
    remaining = iter(events)
    while not stop.is_set() and (some := list(itertools.islice(remaining, SLICE))):
        yield some


class _Pace:
    """Publishes events when they are due: at `speed` times the pace of their `at`."""

    def __init__(
        self, producer: Producer, meter: Meter, stop: asyncio.Event, speed: float | None
    ) -> None:
        self._producer = producer
        self._meter = meter
        self._stop = stop
        self._speed = speed
        self._first_at: int | None = None

    async def publish(self, events: list[Event], total: int | None) -> None:
        """Publish all of `events`, or as many as come before the stop."""
        for due, some in self._by_time(events):
            while (left := due - self._meter.seconds) > 0 and not self._stop.is_set():
                self._tick(total)
                await asyncio.sleep(min(left, NAP_S))
            if self._stop.is_set():
                return
            await self._producer.publish(some)
            self._tick(total)

    def _by_time(self, events: list[Event]) -> Iterable[tuple[float, list[Event]]]:
        """Cut `events` into those due together, each with the second it is due at."""
        if self._speed is None or not events:
            return [(0.0, events)]
        first_at = self._first_at = self._first_at or events[0].at
        slice_ms = SLICE_S * SECOND * self._speed
        slices = itertools.groupby(events, lambda event: (event.at - first_at) // slice_ms)
        return ((number * SLICE_S, list(some)) for number, some in slices)

    def _tick(self, total: int | None) -> None:
        self._meter.tick(self._producer.counts.published / total if total else None)
