"""The API under uvicorn, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from models.errors import StoreError
from streams import api_metrics, garbage, listening, metrics
from streams.api import application
from streams.store import hold_to_numbers

if TYPE_CHECKING:
    from types import FrameType

    from fastapi import FastAPI

    from streams.keys import Signer
    from streams.settings import Settings

STARTED_S = 0.1  # between looks whether it has started
LEAVE_S = 2  # for requests in hand, when asked to stop
LONGEST_SILENCE_MS = 30_000  # of a peer that takes nothing of what it was sent
LONGEST_HEAD = 1 << 17  # bytes: cursors are long

log = structlog.get_logger()


class Bounded(HttpToolsProtocol):
    """Speaks HTTP with whoever sends a head of at most LONGEST_HEAD bytes, and hangs up on others.

    The parser keeps a head in memory, however long, until it ends.
    """

    _head: int | None = 0  # bytes of the head in hand; None while there is none

    def data_received(self, data: bytes) -> None:
        """Take in what fits into a head first, and the rest only where that has ended."""
        if self._head is not None:
            room = LONGEST_HEAD - self._head
            self._head += min(len(data), room)
            super().data_received(data[:room])
            data = data[room:]
            if self._head is not None and self._head >= LONGEST_HEAD:
                self.send_400_response(f"The head has more than {LONGEST_HEAD} bytes.")
                return
        if data and not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Count the bytes of another head."""
        self._head = self._head or 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Count no more."""
        self._head = None
        super().on_headers_complete()


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


def serve(settings: Settings, signer: Signer | None) -> None:
    """Serve; raise SettingsError where the settings do not let it."""
    uvloop.run(_serve(settings, signer))  # takes half of the time that asyncio's own loop takes


def configuration(app: FastAPI, **more: Any) -> uvicorn.Config:
    """Say how uvicorn is to serve."""
    ours: dict[str, Any] = {"http": Bounded, "timeout_graceful_shutdown": LEAVE_S, **more}
    return uvicorn.Config(app, log_config=None, access_log=False, server_header=False, **ours)


async def _serve(settings: Settings, signer: Signer | None) -> None:
    app = application(settings, signer)
    config = configuration(app)
    garbage.look_seldom(50_000)
    listening.leave_once()
    with listening.on(settings.api_host, settings.api_port, "api") as listener:
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # of Linux; what is accepted inherits it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LONGEST_SILENCE_MS)
        server = Leaving(config, app)
        async with metrics.served(api_metrics.REGISTRY, settings):
            log.info("api started", url=settings.api_url)
            watching = asyncio.create_task(_watch(app, settings, server))
            await server.serve(sockets=[listener])
            watching.cancel()
    if watching.done() and not watching.cancelled():
        watching.result()
    log.info("api stopped")


async def _watch(app: FastAPI, settings: Settings, server: Leaving) -> None:
    """End the server once its store is filled under other numbers than it was told."""
    while not server.started:  # noqa: ASYNC110  uvicorn sets no event
        await asyncio.sleep(STARTED_S)
    try:
        await hold_to_numbers(app.state.store, settings)
    except StoreError:
        app.state.screens.stop()
        server.should_exit = True
        raise
