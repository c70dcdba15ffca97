"""The monitor: looks at log, store and freshness once a second, and serves what it found.

It outlives whatever it looks at: a server that is away is something that it found.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import structlog
import uvicorn
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from models.errors import LikewaveError
from streams import listening, monitor_metrics, report, store
from streams.canary import Canary
from streams.clock import now_ms
from streams.interrupts import dismiss
from streams.report import NOTHING_YET, PATHS, Freshness, Report
from streams.verdicts import Lookout

if TYPE_CHECKING:
    from starlette.requests import Request

    from streams.settings import Settings

EVERY_S = 1.0
WINDOW_S = 60.0
RECENT_S = 8.0  # longer than a rebalance usually takes
ACT_EVERY_S = 2.0
REMEMBERED = 30  # acts of the canary: the last minute
AGAIN_S = 1.0

log = structlog.get_logger()


class Monitor:
    """Knows the last report, which `run` makes anew again and again."""

    def __init__(self, settings: Settings) -> None:
        self.report: Report = NOTHING_YET
        self.metrics = monitor_metrics.registry()
        self._settings = settings
        self._seconds = {path: deque[float](maxlen=REMEMBERED) for path in PATHS}
        self._seen_at = dict.fromkeys(PATHS, 0)
        self._canary: Canary | None = None  # while it can act
        self._histogram = monitor_metrics.freshness(self.metrics)
        self.metrics.register(monitor_metrics.Findings(lambda: self.report))

    async def run(self) -> None:
        """Look and act until cancelled; raise StoreError once the store has other numbers."""
        await asyncio.gather(self._look(), self._act(), self._hold_to_numbers())

    async def _hold_to_numbers(self) -> None:
        """End once the store is rebuilt under other numbers: what is seen with these is wrong."""
        async with store.connect(self._settings) as feeds:
            await store.hold_to_numbers(feeds, self._settings)

    async def _look(self) -> None:
        lookout = Lookout(self._settings, window_s=WINDOW_S, recent_s=RECENT_S)
        async with lookout:
            while True:
                freshness = {path: self._freshness(path) for path in PATHS}
                self.report = await report.look(
                    self._settings,
                    lookout,
                    freshness,
                    self.report.course,
                    broker_ahead_s=self._canary.clock_ahead_s if self._canary else None,
                )
                await report.keep(self._settings, self.report)
                await asyncio.sleep(EVERY_S)

    async def _act(self) -> None:
        said = ""
        while True:
            try:
                async with store.opened(self._settings) as feeds:
                    self._canary = Canary(self._settings, feeds, "canary", self._seen)
                    await self._canary.run(ACT_EVERY_S)
            except LikewaveError as error:
                self._canary = None
                if str(error) != said:
                    log.warning("the canary cannot act", error=(said := str(error)))
            await asyncio.sleep(AGAIN_S)

    def _seen(self, path: str, seconds: float) -> None:
        self._histogram.labels(path).observe(seconds)
        self._seconds[path].append(seconds)
        self._seen_at[path] = now_ms()

    def _freshness(self, path: str) -> Freshness:
        if not self._seconds[path]:
            return Freshness()
        p50, p99 = np.percentile(self._seconds[path], (50, 99))
        return Freshness(p50=float(p50), p99=float(p99), seen_at=self._seen_at[path])


async def monitor(settings: Settings) -> None:
    """Serve what is found until SIGTERM or Ctrl-C; raise SettingsError where it cannot listen."""
    watching = Monitor(settings)
    app = Starlette(routes=[Route("/health", _health), Route("/metrics", _metrics)])
    app.state.metrics = watching.metrics
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
    )
    listening.leave_once()
    with listening.on(settings.monitor_host, settings.monitor_port, "monitor") as listener:
        log.info("monitor started", port=settings.monitor_port)
        looking = asyncio.create_task(watching.run())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await asyncio.wait([looking, serving], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        await dismiss(looking)
    log.info("monitor stopped")


async def _health(request: Request) -> Response:
    """Tell that this process lives: where it does not answer, start it again."""
    del request
    return JSONResponse({"status": "ok"})


async def _metrics(request: Request) -> Response:
    """Give all metrics, in the format that the caller asks for."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(request.app.state.metrics), media_type=content_type)
