"""The API under uvicorn, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
import uvicorn
from redis.exceptions import RedisError

from models.errors import SettingsError, StoreError
from streams.api import application
from streams.store import check_policy

if TYPE_CHECKING:
    from types import FrameType

    from fastapi import FastAPI

    from streams.keys import Signer
    from streams.settings import Settings

BACKLOG = 2_048
WATCH_S = 1.0  # between looks at the numbers that the store was filled with
LEAVE_S = 2  # for requests in hand, when asked to stop
LONGEST_SILENCE_MS = 30_000  # of a peer that takes nothing of what it was sent
LONGEST_HEAD = 1 << 17  # bytes: cursors are long

log = structlog.get_logger()


class Leaving(uvicorn.Server):
    """Ends the streams when it is told to stop: it waits for all that is open."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Leave, at a signal."""
        if self.started:
            self._app.state.screens.stop()
        super().handle_exit(sig, frame)


async def serve(settings: Settings, signer: Signer | None) -> None:
    """Serve; raise SettingsError where the settings do not let it."""
    app = application(settings, signer)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=LONGEST_HEAD,
        timeout_graceful_shutdown=LEAVE_S,
    )
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # to look through a thousand streams takes 0.3 s
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _left)  # uvicorn raises it again once it has left
    with _listening(settings) as listener:
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # of Linux; what is accepted inherits it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LONGEST_SILENCE_MS)
        log.info("api started", url=settings.api_url)
        server = Leaving(config, app)
        watching = asyncio.create_task(_watch(app, settings, server))
        await server.serve(sockets=[listener])
        watching.cancel()
    if watching.done() and not watching.cancelled():
        watching.result()
    log.info("api stopped")


async def _watch(app: FastAPI, settings: Settings, server: Leaving) -> None:
    """End the server once its store is filled under other numbers than it was told."""
    while True:
        await asyncio.sleep(WATCH_S)
        if not server.started:
            continue
        with suppress(RedisError, OSError):
            try:
                await check_policy(app.state.store, settings)
            except StoreError:
                app.state.screens.stop()
                server.should_exit = True
                raise


def _listening(settings: Settings) -> socket.socket:
    host, port = settings.api_host, settings.api_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"the API cannot listen on {host}:{port} ({error.strerror}): "
            "set LIKEWAVE_API_HOST and LIKEWAVE_API_PORT"
        ) from error


def _left(number: int, frame: object) -> None:
    """Do nothing more."""
    del number, frame
