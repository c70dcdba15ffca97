"""The processes of a deployment: commands of likewave by clocks of their own, and a Prometheus."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.programs import environment
from benchmarks.skew import Clock
from streams.child import Child
from streams.server import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
_drawn: set[int] = set()


class Program(Child):
    """A `likewave` command with metrics on a port of its own, by a clock of its own."""

    def __init__(self, name: str, settings: Settings, folder: Path, *arguments: str) -> None:
        super().__init__(name, folder / f"{name}.log")
        self.port = another_port()
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
        self.url = f"http://{HOST}:{another_port()}"
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


def another_port() -> int:
    """Give a port that is free, and was not given before: not all of them are taken at once."""
    while (port := free_port()) in _drawn:
        pass
    _drawn.add(port)
    return port


def told(settings: Settings) -> dict[str, str]:
    """Give what leads a process to this deployment."""
    return environment(settings) | {"LIKEWAVE_MONITOR_PORT": str(settings.monitor_port)}
