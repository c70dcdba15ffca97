"""What the monitor found: the diagnosis of the log, the state of the store, how fresh feeds are.

Its last report is in the store, as JSON under `monitor`, for whoever wants to show it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from models.errors import StoreError
from models.verdict import Verdict
from streams import reader, verdicts
from streams import store as stores

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.store import Store

KEY = "likewave:monitor"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """Whether the store answers, and what is in it; with an `error` it does not."""

    memory_bytes: int = 0
    max_memory_bytes: int = 0  # 0 is without a limit
    shards: list[reader.Census] = field(default_factory=list)
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
    freshness: dict[str, Freshness]  # by path: feed, stream


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


async def state(settings: Settings) -> StoreState:
    """Ask for the state of the store."""
    try:
        async with stores.opened(settings) as store:
            memory = await store.info("memory")
            shards = [reader.census(store, shard) for shard in range(settings.shards)]
            return StoreState(
                memory_bytes=memory["used_memory"],
                max_memory_bytes=memory["maxmemory"],
                shards=list(await asyncio.gather(*shards)),
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
    """Read the last report; None where no monitor ever ran."""
    found = await store.get(KEY)
    return None if found is None else msgspec.json.decode(found, type=Report)
