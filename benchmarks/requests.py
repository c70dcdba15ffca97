"""Requests: pages over HTTP at an even rate, while likes come in.

A worker carries likes from Kafka at LIKES_PER_S; meanwhile readers ask the API for feed pages, at
fixed moments whether or not those before are answered, so that a wait counts for all whom it
delays.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Self

import aiohttp

from benchmarks import workload
from benchmarks.lab import LOG, put_in
from benchmarks.programs import program
from benchmarks.report import Report, at_least, at_most, quantile
from benchmarks.streams import api
from benchmarks.workers import worker

if TYPE_CHECKING:
    from benchmarks.lab import Lab
    from benchmarks.streams import Site

LIKES_PER_S = 1_000  # 20,000 signals
PAGES_PER_S = 300
READERS = 200
WARM_UP_S = 8.0  # until the worker carries, and everybody's first page of an hour is made
PATHS = {"page, ranked": "/v1/feed", "live feed": "/v1/feed/live"}


async def run(lab: Lab) -> Report:
    """Measure pages over HTTP."""
    users = workload.circle(lab.sizes.users).users
    settings = await lab.topics("requests")
    load = str(LIKES_PER_S), str(lab.sizes.users), str(lab.sizes.drained_likes)
    took_ms: dict[str, list[float]] = {}
    answered = asked = 0
    with lab.copy(await lab.full()) as server:
        async with lab.writer(server) as shards:
            await put_in(shards, workload.posts(), settings.policy, f"{LOG}-posts")
        settings = settings.model_copy(update={"redis": server.url})
        async with (
            worker(settings),
            program("benchmarks.publisher", settings, *load),
            api(settings, lab.folder / "request-keys") as site,
            _Readers(site, users[:READERS]) as readers,
        ):
            for path in PATHS.values():
                await readers.ask(path, WARM_UP_S)
            for name, path in PATHS.items():
                took_ms[name] = await readers.ask(path, lab.sizes.seconds)
                answered += len(took_ms[name])
                asked += round(PAGES_PER_S * lab.sizes.seconds)
    limits = {"p50": (0.5, 10), "p99": (0.99, 25)}
    return Report(
        figures=[
            *(
                at_most(
                    f"{PAGES_PER_S} a second, {name}, {label}", quantile(took, share), most, "ms"
                )
                for name, took in took_ms.items()
                for label, (share, most) in limits.items()
            ),
            at_least("requests answered with 200", 100 * answered / asked, 100, "%"),
        ]
    )


class _Readers:
    """A context in which readers ask for pages, one after the other, at an even rate."""

    def __init__(self, site: Site, users: list[str]) -> None:
        self._site = site
        self._headers = [{"Authorization": f"Bearer {site.token(user)}"} for user in users]

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(self._site.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def ask(self, path: str, seconds: float) -> list[float]:
        """Ask for so long; give how long each answer took from the moment it was due (ms)."""
        began = time.perf_counter()
        asking: list[asyncio.Task[float | None]] = []
        for number in range(round(PAGES_PER_S * seconds)):
            due = began + number / PAGES_PER_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            headers = self._headers[number % len(self._headers)]
            asking.append(asyncio.create_task(self._get(path, headers, due)))
        answers = await asyncio.gather(*asking)
        return [took_ms for took_ms in answers if took_ms is not None]

    async def _get(self, path: str, headers: dict[str, str], due: float) -> float | None:
        async with self._http.get(path, headers=headers) as answer:
            await answer.read()
        return 1_000 * (time.perf_counter() - due) if answer.status == 200 else None
