"""What operators look at: the diagnosis of the log, the state of the store, how fresh feeds are.

monitor    string  JSON: the last report of `likewave monitor`, with the course of its last minutes
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from models.errors import StoreError
from models.refusal import refusal
from models.verdict import Verdict
from streams import breakers, continuous, reader, verdicts
from streams import store as stores
from streams.clock import now_ms
from streams.course import Course

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.settings import Settings
    from streams.store import Store

KEY = "likewave:monitor"
FRESH_MS = 5_000  # one that is older is of a monitor that does not run, or cannot
LATE_MS = 15_000  # from which on its age is a fault: alerts are silent
FEED, STREAM = PATHS = ("feed", "stream")  # on which acts of the canary are awaited


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """Whether the store answers, and what is in it; with an `error` it does not."""

    memory_bytes: int = 0
    max_memory_bytes: int = 0  # 0 is without a limit
    clients: int = 0  # connections
    operations_per_s: int = 0
    shards: list[reader.Census] = field(default_factory=list)
    held: list[breakers.Held] = field(default_factory=list)
    audited: continuous.Summary | None = None  # by the continuous audit, if one ever ran
    unwritten: list[str] = field(default_factory=list)  # what it could not write to its disk
    refusal: str = ""  # why it takes no writes
    clock_ahead_s: float = 0.0  # of this host's
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How long acts of the canary took to become visible, in seconds, of the last minute."""

    p50: float | None = None
    p99: float | None = None
    seen_at: int = 0  # when one was seen last, Unix ms; 0 is never


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of it, at one moment (Unix ms)."""

    at: int
    diagnosis: verdicts.Diagnosis
    store: StoreState
    freshness: dict[str, Freshness]  # by path; empty where no monitor measures it
    course: Course = field(default_factory=Course)
    broker_ahead_s: float | None = None  # Kafka's clock, of this host's; None is not known


NOTHING_YET = Report(
    at=0,
    diagnosis=verdicts.Diagnosis(
        verdict=Verdict.ERR,
        partitions=[],
        hot_accounts=[],
        error="not yet asked",
        broker_up=False,
    ),
    store=StoreState(error="not yet asked"),
    freshness={},
)


async def look(
    settings: Settings,
    lookout: verdicts.Lookout,
    freshness: Mapping[str, Freshness],
    before: Course,
    *,
    broker_ahead_s: float | None = None,
) -> Report:
    """Ask for all of it; `before` is the course up to now."""
    diagnosis, state = await asyncio.gather(lookout.look(), _state(settings))
    now, fresh = now_ms(), freshness.get(FEED, Freshness())
    return Report(
        at=now,
        diagnosis=diagnosis,
        store=state,
        freshness=dict(freshness),
        course=before.continued(now, diagnosis, p50=fresh.p50, p99=fresh.p99),
        broker_ahead_s=broker_ahead_s,
    )


async def _state(settings: Settings) -> StoreState:
    try:
        async with stores.opened(settings) as store:
            info, ahead_s = await store.info(), await stores.clock_ahead_s(store)
            refused = refusal(info)
            return StoreState(
                memory_bytes=info["used_memory"],
                max_memory_bytes=info["maxmemory"],
                clients=info["connected_clients"],
                operations_per_s=info["instantaneous_ops_per_sec"],
                shards=await reader.censuses(store, settings.shards),
                held=await breakers.held(store),
                audited=await continuous.last(store),
                unwritten=stores.unwritten(info),
                refusal=refused.sentence if refused else "",
                clock_ahead_s=ahead_s,
            )
    except StoreError as error:
        return StoreState(error=str(error))


async def keep(settings: Settings, report: Report) -> None:
    """Put a report into the store; without the store, do nothing."""
    try:
        async with stores.opened(settings) as store:
            await store.set(KEY, msgspec.json.encode(report))
    except StoreError:
        return


async def last(store: Store) -> Report | None:
    """Read the last report; None where no monitor ever ran, or it was one of another version."""
    found = await store.get(KEY)
    try:
        return None if found is None else msgspec.json.decode(found, type=Report)
    except msgspec.ValidationError:
        return None


async def age_ms(store: Store, report: Report) -> float:
    """Tell how old a report is by the store's clock: this host's or the monitor's may be wrong."""
    now = now_ms() + 1_000 * await stores.clock_ahead_s(store)
    return now - (report.at + 1_000 * report.store.clock_ahead_s)
