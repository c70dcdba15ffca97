"""Recovery: a worker is killed in the middle of a log, and another takes its place at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.report import Report, at_most
from benchmarks.workers import moved, worker
from streams import store

if TYPE_CHECKING:
    from benchmarks.lab import Lab
    from streams.settings import Settings


async def run(lab: Lab) -> Report:
    """Measure from SIGKILL until the first event is applied again; the longest of a few times."""
    log = await lab.likes("recovery")
    took_s = []
    for number in range(lab.sizes.kills):
        with lab.copy(await lab.full()) as server:
            update = {"redis": server.url, "group": f"recovery-{number}"}
            took_s.append(await _kill(log.model_copy(update=update)))
    return Report(figures=[at_most("worker after SIGKILL", max(took_s), 15, "s")])


async def _kill(settings: Settings) -> float:
    async with store.opened(settings) as client:
        async with worker(settings):
            await moved(client, beyond=0)
        began = time.perf_counter()  # leaving the context has killed it
        position = await moved(client, beyond=-1)
        async with worker(settings):
            await moved(client, beyond=position)
            return time.perf_counter() - began
