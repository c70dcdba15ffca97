"""A deployment to break: servers, workers, monitor, API, traffic, and a Prometheus that watches."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from benchmarks.processes import Program, Prometheus, another_port, told
from benchmarks.skew import SkewedBroker, SkewedStore
from streams import topics
from streams.keys import make_local
from streams.server import HOST
from streams.settings import resolve
from streams.supervisor import keep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from streams.child import Child
    from streams.settings import Settings

DISK_MB = 64  # of the store
TRAFFIC = ("simulate", "--users", "200", "--rate", "60")
PARTITIONS = 2


class Plant:
    """All that runs; what a drill does to it, and what it says."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.workers: list[Program] = []
        self.said: list[str] = []
        self.traffic = Program("traffic", settings, folder, *TRAFFIC)
        self.prometheus: Prometheus | None = None
        self._kept: dict[Child, asyncio.Task[None]] = {}

    def run(self, child: Child) -> None:
        """Start a child, which is started again whenever it ends."""
        child.start()
        self._kept[child] = asyncio.create_task(keep(child, self.said.append))

    def hire(self) -> Program:
        """Start another worker."""
        name = f"worker-{len(self.workers) + 1}"
        self.workers.append(Program(name, self.settings, self.folder, "worker"))
        self.run(self.workers[-1])
        return self.workers[-1]

    async def dismiss(self, child: Child) -> None:
        """End a child for good."""
        self._kept.pop(child).cancel()
        await asyncio.to_thread(child.stop)

    async def close(self) -> None:
        """End everything."""
        await asyncio.gather(*[self.dismiss(child) for child in list(self._kept)])

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command of likewave; give its exit code, its output, its errors."""
        process = await asyncio.create_subprocess_exec(
            *("env", *[f"{name}={value}" for name, value in told(self.settings).items()]),
            *(sys.executable, "-m", "streams.cli", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()

    async def visit(self) -> None:
        """Ask the API for something, as somebody whom it does not know."""
        url = f"http://{HOST}:{self.settings.api_port}/v1/feed"
        async with aiohttp.ClientSession() as http, http.get(url):
            pass

    async def ask_prometheus(self, path: str, **parameters: str) -> dict[str, Any]:
        """Ask the Prometheus; give nothing where it does not answer yet."""
        assert self.prometheus is not None
        url = f"{self.prometheus.url}/api/v1/{path}"
        try:
            async with aiohttp.ClientSession() as http, http.get(url, params=parameters) as answer:
                return dict(json.loads(await answer.read()).get("data", {}))
        except aiohttp.ClientError:
            return {}


@asynccontextmanager
async def plant(folder: Path, libs: Path) -> AsyncIterator[tuple[Plant, SkewedBroker, SkewedStore]]:
    """Start all of it, with the store on a small disk where one can be mounted."""
    async with AsyncExitStack() as stack:
        disk = folder / "disk"
        disk.mkdir(parents=True)
        if mounted(disk):
            stack.callback(_do, "umount", str(disk))
        broker = stack.enter_context(SkewedBroker(folder / "broker", libs))
        store = stack.enter_context(SkewedStore(disk / "store"))
        settings = resolve(
            kafka=broker.address,
            redis=store.url,
            partitions=PARTITIONS,
            monitor_port=another_port(),
            api_port=another_port(),
            **make_local(folder),
        )
        await topics.ensure(settings)
        works = Plant(settings, folder)
        stack.push_async_callback(works.close)
        works.hire()
        api = Program("api", settings, folder, "api")
        for child in (Program("monitor", settings, folder, "monitor"), api, works.traffic):
            works.run(child)
        if Prometheus.is_installed():
            ports = {"worker": works.workers[0].port, "monitor": settings.monitor_port}
            works.prometheus = Prometheus(folder, ports | {"api": api.port})
            works.run(works.prometheus)
        yield works, broker, store


def mounted(disk: Path) -> bool:
    """Mount a small disk; tell whether that could be done (it takes root)."""
    return _do("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk))


def _do(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
