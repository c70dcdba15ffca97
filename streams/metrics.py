"""Metrics on a port of their own, for Prometheus, and what a supervisor asks there.

    /metrics   the registry of this process
    /health    200 while the event loop turns
    /ready     200, or 503 and what the process waits for; where it has more to say than /health

The event loop answers all of them: a process that is stuck is one that does not answer.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from prometheus_client import disable_created_metrics
from prometheus_client.exposition import choose_encoder

from models.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiohttp.web import Request, Response
    from prometheus_client import CollectorRegistry

    from streams.settings import Settings

LEAVE_S = 0.5  # for answers in hand, when told to stop

log = structlog.get_logger()


@asynccontextmanager
async def served(
    metrics: CollectorRegistry, settings: Settings, lacks: Callable[[], str] | None = None
) -> AsyncIterator[None]:
    """Serve `metrics` where the settings name a port; raise SettingsError where it is taken.

    `lacks` says what the process waits for before it is ready, and "" when it is.
    """
    if settings.metrics_port is None:
        yield
        return
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each
    runner = web.AppRunner(_application(metrics, lacks), access_log=None, shutdown_timeout=LEAVE_S)
    await runner.setup()
    try:
        await _listen(runner, settings.metrics_host, settings.metrics_port)
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise SettingsError(
            f"metrics cannot be served on {host}:{port} ({error.strerror}): set "
            "LIKEWAVE_METRICS_HOST and LIKEWAVE_METRICS_PORT, one port for each process of a host"
        ) from error
    log.info("metrics served", host=host, port=port)


def _application(metrics: CollectorRegistry, lacks: Callable[[], str] | None) -> web.Application:
    async def exposed(request: Request) -> Response:
        encode, media_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(metrics), headers={"Content-Type": media_type})

    async def health(_: Request) -> Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.add_routes([web.get("/metrics", exposed), web.get("/health", health)])
    if lacks is not None:
        app.add_routes([web.get("/ready", _ready(lacks))])
    return app


def _ready(lacks: Callable[[], str]) -> Callable[[Request], Awaitable[Response]]:
    async def ready(_: Request) -> Response:
        lacking = lacks()
        return web.Response(text=f"{lacking or 'ok'}\n", status=503 if lacking else 200)

    return ready
