"""A deployment to break: servers, workers, monitor, API, traffic, and a Prometheus that watches."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from benchmarks.programs import environment
from benchmarks.skew import Clock, SkewedBroker, SkewedStore
from streams import topics
from streams.child import Child
from streams.keys import make_local
from streams.server import HOST, free_port
from streams.settings import load
from streams.supervisor import keep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from streams.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
DISK_MB = 64  # of the store
TRAFFIC = ("simulate", "--users", "200", "--rate", "60")
PARTITIONS = 2
_drawn: set[int] = set()


class Program(Child):
    """A `likewave` command with metrics on a port of its own, by a clock of its own."""

    def __init__(self, name: str, settings: Settings, folder: Path, *arguments: str) -> None:
        super().__init__(name, folder / f"{name}.log")
        self.port = _another_port()
        self.clock = Clock(folder / f"{name}.clock")
        self._given = told(settings) | {"LIKEWAVE_METRICS_PORT": str(self.port)}
        self._arguments = arguments

    def command(self) -> Sequence[str]:
        """Give the command that a person would type."""
        given = [f"{name}={value}" for name, value in self._given.items()]
        command = ["env", *given, sys.executable, "-m", "streams.cli", *self._arguments]
        return self.clock.around(command)


class Prometheus(Child):
    """A Prometheus with the configuration of deploy/, for processes on this machine."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        super().__init__("prometheus", folder / "prometheus.log")
        self.url = f"http://{HOST}:{_another_port()}"
        self._folder = folder / "prometheus"
        self._ports = ports

    @staticmethod
    def is_installed() -> bool:
        """Tell whether there is one."""
        return shutil.which("prometheus") is not None

    def start(self) -> None:
        """Write where the processes are, and start."""
        self._folder.mkdir(exist_ok=True)
        text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
        found = re.compile(r"dns_sd_configs: \[\{names: \[(\w+)\].*\}\]")
        here = found.sub(lambda one: self._targets(one[1]), text)
        (self._folder / "prometheus.yml").write_text(here)
        shutil.copy(DEPLOY / "prometheus" / "rules.yml", self._folder)
        super().start()

    def command(self) -> Sequence[str]:
        """Give the command that runs it."""
        return [
            "prometheus",
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
        ]

    def _targets(self, name: str) -> str:
        return f"static_configs: [{{targets: ['{HOST}:{self._ports[name]}']}}]"


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
        """Start a child, which is started again whenever it ends with an error."""
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
        settings = load(
            kafka=broker.address,
            redis=store.url,
            partitions=PARTITIONS,
            monitor_port=_another_port(),
            api_port=_another_port(),
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


def _another_port() -> int:
    """Give a port that is free, and was not given before: not all of them are taken at once."""
    while (port := free_port()) in _drawn:
        pass
    _drawn.add(port)
    return port


def _do(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def told(settings: Settings) -> dict[str, str]:
    """Give what leads a process to this deployment."""
    return environment(settings) | {"LIKEWAVE_MONITOR_PORT": str(settings.monitor_port)}
