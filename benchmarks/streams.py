"""The API as a process of its own, and many who have a stream open there."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jwt

from benchmarks.programs import program
from streams.clock import now_ms
from streams.keys import LOCAL_KEY, Signer, make_local

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Iterator

    from streams.settings import Settings

START_S = 30.0
POLL_S = 0.1
VALID_MINUTES = 60
LARGEST_LINE = 1 << 20
SLOW_BUFFER = 4_096  # bytes that a slow reader's kernel takes for it


class Arrival(NamedTuple):
    """An item on somebody's screen."""

    user: str
    item: str
    at_s: float  # time.perf_counter


class Site:
    """An API that runs, and what comes out of its streams."""

    def __init__(self, port: int, signer: Signer, process: Process) -> None:
        self.arrivals: list[Arrival] = []
        self._port = port
        self._signer = signer
        self._process = process
        self._open: list[asyncio.Task[None] | socket.socket] = []

    @property
    def url(self) -> str:
        """Give the address of the API."""
        return f"http://127.0.0.1:{self._port}"

    def token(self, user: str) -> str:
        """Sign a token of a user."""
        return self._signer.token(user, now=now_ms(), minutes=VALID_MINUTES)

    def memory_mb(self) -> float:
        """Give the memory of the process."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1_024

    async def watch(self, user: str) -> None:
        """Open a stream, whose new items become arrivals; return once its feed is there."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=LARGEST_LINE)
        writer.write(self._request(user, limit=20))
        lines = _lines(reader)
        async for line in lines:
            if line == b"event: feed":
                break
        self._open.append(asyncio.create_task(self._follow(user, lines, writer)))

    def neglect(self, user: str) -> None:
        """Open a stream of which nothing is ever read."""
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        slow.connect(("127.0.0.1", self._port))
        slow.sendall(self._request(user, limit=120))
        self._open.append(slow)

    def close(self) -> None:
        """Close all streams."""
        for one in self._open:
            one.cancel() if isinstance(one, asyncio.Task) else one.close()

    def _request(self, user: str, *, limit: int) -> bytes:
        path = f"/v1/feed/stream?limit={limit}"
        who = f"Authorization: Bearer {self.token(user)}"
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{who}\r\n\r\n".encode()

    async def _follow(
        self, user: str, lines: AsyncIterator[bytes], writer: asyncio.StreamWriter
    ) -> None:
        try:
            async for line in lines:
                self.arrivals += _news(user, line)
        finally:
            writer.close()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while line := await reader.readline():
        yield line.rstrip()


def _news(user: str, line: bytes) -> Iterator[Arrival]:
    """Give what a line of a stream says is new."""
    if line.startswith(b"data: "):
        now = time.perf_counter()
        for entry in json.loads(line.removeprefix(b"data: ")).get("new", ()):
            yield Arrival(user, entry["item"], now)


@asynccontextmanager
async def api(settings: Settings, folder: Path) -> AsyncIterator[Site]:
    """Run the API as a person does, with keys in `folder`."""
    folder.mkdir()  # noqa: ASYNC240 - nothing else runs yet
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keyed = settings.model_copy(update={**make_local(folder), "api_port": port})
    key = jwt.PyJWK(json.loads((folder / LOCAL_KEY).read_bytes()))
    signer = Signer(key, keyed.api_issuer, keyed.api_audience)
    async with program("streams.cli", keyed, "api") as process:
        await _answers(port)
        site = Site(port, signer, process)
        try:
            yield site
        finally:
            site.close()


async def _answers(port: int) -> None:
    async with asyncio.timeout(START_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(POLL_S)
            else:
                writer.close()
                return
