"""A rebuild: a log filled anew beside the feeds that serve, while somebody reads.

The log is the simulator's mix, and everybody is warm. Nothing is published meanwhile, so whatever a
page is other than it was before, during the rebuild or after, is wrong.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from benchmarks import workload
from benchmarks.lab import let_read, preload
from benchmarks.programs import program
from benchmarks.report import Report, at_least, at_most, quantile
from models.network import make_network
from models.traffic import Traffic, founding
from streams import reader, store
from streams.rebuild import Options, rebuild

if TYPE_CHECKING:
    from benchmarks.lab import Lab
    from streams.settings import Settings

    Pages: TypeAlias = dict[str, list[reader.Entry]]

READERS = 200
PAGES_PER_S = 50


async def run(lab: Lab) -> Report:
    """Measure events a second, pages meanwhile, and how many of them are not as before."""
    log, users = await _log(lab)
    with lab.empty("rebuilt") as server:
        settings = log.model_copy(update={"redis": server.url})
        async with store.opened(settings) as client:
            await rebuild(settings, Options())
            await let_read(client, users)
            readers = random.Random(1).sample(users, min(READERS, len(users)))
            before = {user: await reader.page(client, 1, user) for user in readers}
            reading = asyncio.create_task(_read(client, before))
            await asyncio.sleep(lab.sizes.seconds)
            reading.cancel()
            quiet_ms, _ = await reading
            reading = asyncio.create_task(_read(client, before))
            done = await _rebuild(settings)
            reading.cancel()
            took_ms, wrong = await reading
            wrong += sum([await reader.page(client, 1, user) != before[user] for user in readers])
    return Report(
        figures=[
            at_most(f"rebuild of {done['events']:,} events", done["seconds"], 60, "s"),
            at_most("pages before, p99", quantile(quiet_ms, 0.99), 25, "ms"),
            at_most("pages meanwhile, p99", quantile(took_ms, 0.99), 25, "ms"),
            at_most("pages, during and after, that are not as before", wrong, 0, "pages"),
            at_least("users checked", done["verdict"]["equal"], READERS, "users"),
        ]
    )


async def _log(lab: Lab) -> tuple[Settings, list[str]]:
    chance = np.random.default_rng(1)
    network = make_network(lab.sizes.users, chance)
    traffic, first = Traffic(network, chance), list(founding(network, 1))
    count = lab.sizes.ingested - len(first)
    acts = (traffic.next(workload.START + workload.STEP_MS * n) for n in range(count))
    log = await lab.topics("rebuild")
    await preload(log, workload.records(itertools.chain(first, acts)))
    return log, sorted({user for event in first for user in event.accounts})


async def _rebuild(settings: Settings) -> dict[str, dict[str, int]]:
    async with program("streams.cli", settings, "rebuild", "--json") as process:
        output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the rebuild failed")
    return dict(json.loads(output))


async def _read(client: store.Store, right: Pages) -> tuple[list[float], int]:
    """Read pages at an even rate until cancelled; give how long each took, and the wrong ones."""
    took_ms: list[float] = []
    wrong, began = 0, time.perf_counter()
    try:
        for number, user in enumerate(itertools.cycle(right)):
            due = began + number / PAGES_PER_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            wrong += await reader.page(client, 1, user) != right[user]
            took_ms.append(1_000 * (time.perf_counter() - due))
    except asyncio.CancelledError:
        pass
    return took_ms, wrong
