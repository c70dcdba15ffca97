"""Runs contenders and workers as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Sample
from benchmarks.stopwatch import store_cpu_s

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from streams.local import Store
    from streams.settings import Settings

LONGEST_S = 180.0  # for one contender, start included
TICKS = os.sysconf("SC_CLK_TCK")


async def contend(
    contender: str, settings: Settings, count: int, store: Store | None = None
) -> Sample:
    """Let a contender read `count` events."""
    before_s = store_cpu_s(store) if store else 0.0
    async with program(f"benchmarks.contenders.{contender}", settings, str(count)) as process:
        assert process.stdout is not None
        async with asyncio.timeout(LONGEST_S):
            line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"{contender} ended without a report")
    used_s = store_cpu_s(store) - before_s if store else 0.0
    return Sample(**json.loads(line), store_cpu_s=used_s)


@asynccontextmanager
async def program(module: str, settings: Settings, *arguments: str) -> AsyncIterator[Process]:
    """Run a module as a program, and end it when the context is left."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        env=os.environ | environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def environment(settings: Settings) -> dict[str, str]:
    """Give the settings as a worker reads them, and the API where they have keys."""
    names = ("kafka", "redis", "topic_prefix", "group", "partitions", "shards", "api_port")
    found = {name: str(getattr(settings, name)) for name in names}
    if settings.api_keys is not None and settings.api_secret is not None:
        found["api_keys"] = str(settings.api_keys)
        found["api_secret"] = settings.api_secret.get_secret_value()
    return {f"LIKEWAVE_{name.upper()}": value for name, value in found.items()}


def cpu_s(process: Process) -> float:
    """Give the CPU time that a running process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
