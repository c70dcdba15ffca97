"""Likewave's worker as a process of its own, and how far it has come."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from benchmarks.lab import LOG
from benchmarks.programs import cpu_s, program
from benchmarks.report import Sample
from benchmarks.stopwatch import store_cpu_s
from streams import reader, store, topics

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from contextlib import AbstractAsyncContextManager

    from streams.local import Store
    from streams.settings import Settings

POLL_S = 0.01


def worker(settings: Settings) -> AbstractAsyncContextManager[Process]:
    """Run a worker as a person does."""
    return program("streams.cli", settings, "worker")


async def drain(settings: Settings, server: Store) -> Sample:
    """Let a worker carry all there is in the log."""
    async with worker(settings) as process, store.opened(settings) as client:
        first = await moved(client, beyond=0)
        began, cpu, store_s = time.perf_counter(), cpu_s(process), store_cpu_s(server)
        last = await moved(client, beyond=await end(settings) - 1)
        seconds = time.perf_counter() - began
        return Sample(last - first, seconds, cpu_s(process) - cpu, store_cpu_s(server) - store_s)


async def moved(client: store.Store, *, beyond: int) -> int:
    """Wait until more than `beyond` events are in the store, and give their number."""
    while (now := await position(client)) <= beyond:  # noqa: ASYNC110 - a server says no more
        await asyncio.sleep(POLL_S)
    return now


async def end(settings: Settings) -> int:
    """Count the events in the log."""
    return sum(following for _, following in (await topics.log_bounds(settings)).values())


async def position(client: store.Store) -> int:
    """Count the events of the log that are in the store."""
    fences = await reader.fences(client, 0)
    return sum(fence[0] for source, fence in fences.items() if not source.startswith(LOG))
