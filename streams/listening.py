"""Where a server of ours listens, and how it is told to leave."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

from models.errors import SettingsError

if TYPE_CHECKING:
    from types import FrameType

BACKLOG = 2_048
NAMES = {"api": "API", "monitor": "monitor"}


def on(host: str, port: int, who: str) -> socket.socket:
    """Listen; raise SettingsError where `who` (`api`, `monitor`) cannot have this address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        name = f"LIKEWAVE_{who.upper()}"
        raise SettingsError(
            f"the {NAMES[who]} cannot listen on {host}:{port} ({error.strerror}): "
            f"set {name}_HOST and {name}_PORT"
        ) from error


def leave_once() -> None:
    """Have a signal end a server and no more: uvicorn raises it again once it has left."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _left)


def _left(number: int, frame: FrameType | None) -> None:
    """Do nothing more."""
    del number, frame
