"""The API on a port of its own, as front-ends meet it, and tokens of anybody for it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import jwt
import uvicorn

from streams import keys
from streams.api import application
from streams.clock import now_ms
from streams.serve import configuration
from streams.server import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.settings import Settings


@dataclass(frozen=True)
class Doors:
    """A running API; `folder` has the keys."""

    url: str
    folder: Path
    signer: keys.Signer
    client: httpx.Client

    def token(self, user: str, *, minutes: float = 5, operator: bool = False) -> str:
        """Sign a token."""
        return self.signer.token(user, now=now_ms(), minutes=minutes, operator=operator)

    def of(self, user: str) -> dict[str, str]:
        """Give the header of somebody who is signed in."""
        return bearing(self.token(user))

    def get(self, path: str, user: str, **headers: str) -> httpx.Response:
        """Read as somebody."""
        return self.client.get(path, headers={**self.of(user), **headers})


def bearing(token: str) -> dict[str, str]:
    """Give the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def with_keys(settings: Settings, folder: Path) -> Settings:
    """Give settings with a key and a secret made in `folder`."""
    return settings.model_copy(update=keys.make_local(folder))


@contextmanager
def serving(settings: Settings, folder: Path, *, local: bool = False) -> Iterator[Doors]:
    """Serve under uvicorn, in a thread; `local` as in a local stack."""
    served = with_keys(settings, folder)
    key = jwt.PyJWK(json.loads((folder / keys.LOCAL_KEY).read_bytes()))
    signer = keys.Signer(key, served.api_issuer, served.api_audience)
    app = application(served, signer if local else None)
    server = uvicorn.Server(configuration(app, host=HOST, port=0, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        url = f"http://{HOST}:{_port(server, thread)}"
        with httpx.Client(base_url=url, timeout=20) as client:
            yield Doors(url, folder, signer, client)
    finally:
        server.should_exit = True
        thread.join()


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    waited = threading.Event()
    while thread.is_alive():
        if server.started:
            return int(server.servers[0].sockets[0].getsockname()[1])
        waited.wait(0.01)
    raise AssertionError("the API did not start")
