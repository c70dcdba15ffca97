"""Workers as processes, which a test may kill; those that end come back."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from models.events import TOPICS
from streams import reader, store, topics
from streams.audit import audit, render
from streams.child import Child
from streams.snapshots import Snapshots
from streams.supervisor import keep
from tests.command import told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from streams.settings import Settings

STUCK_S = 60.0  # whatever the machine, something goes on by then


class Worker(Child):
    """One worker, told by its environment where everything is."""

    def __init__(self, number: int, settings: Settings, folder: Path) -> None:
        super().__init__(f"worker-{number}", folder / f"worker-{number}.log")
        self._settings = settings

    def command(self) -> Sequence[str]:
        """Give the command that a person would type."""
        given = [f"{name}={value}" for name, value in told(self._settings).items()]
        return ["env", *given, sys.executable, "-m", "streams.cli", "worker"]


class Crew:
    """The workers of one test."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.said: list[str] = []
        self._folder = folder
        self._workers: dict[Worker, asyncio.Task[None]] = {}
        self._hired = 0

    @property
    def workers(self) -> list[Worker]:
        """Those that are at work."""
        return list(self._workers)

    def hire(self) -> Worker:
        """Start another worker, which is started again whenever it ends."""
        self._hired += 1
        worker = Worker(self._hired, self.settings, self._folder)
        worker.start()
        self._workers[worker] = asyncio.create_task(keep(worker, self.said.append))
        return worker

    async def dismiss(self, worker: Worker) -> float:
        """Ask a worker to leave for good; give the seconds it took."""
        began = time.monotonic()
        self._workers.pop(worker).cancel()
        await asyncio.to_thread(worker.stop)
        return time.monotonic() - began

    async def close(self) -> None:
        """Send everyone home."""
        await asyncio.gather(*[self.dismiss(worker) for worker in self.workers])

    async def caught_up(self) -> None:
        """Wait until every shard holds the whole log, for a step to it no longer than STUCK_S."""
        before = -1
        async with asyncio.timeout(STUCK_S) as patience, store.opened(self.settings) as feeds:
            while left := await self._left(feeds):
                if left != before:
                    patience.reschedule(asyncio.get_running_loop().time() + STUCK_S)
                before = left
                await asyncio.sleep(0.2)

    async def _left(self, feeds: store.Store) -> int:
        """Count the events that shards do not hold yet, an open job as one."""
        bounds, left = await topics.log_bounds(self.settings), 0
        for shard in range(self.settings.shards):
            fences = await reader.fences(feeds, shard)
            left += await reader.is_busy(feeds, shard)
            for (topic, partition), (_, end) in bounds.items():
                if topic in TOPICS:
                    left += max(0, end - fences.get(f"{topic}:{partition}", (0, "", 0))[0])
        return left

    async def assert_equal(self, *, rejected: int = 0) -> None:
        """Hold every feed against the log, of which `rejected` records break the contract."""
        await self.caught_up()
        async with store.opened(self.settings) as feeds:
            verdict = await audit(
                self.settings, Snapshots(feeds, self.settings), users=None, seed=0
            )
        assert verdict.users > 0
        assert verdict.is_equal, render(verdict)
        assert verdict.rejected == rejected


@asynccontextmanager
async def crew(settings: Settings, folder: Path, *, workers: int) -> AsyncIterator[Crew]:
    """Run `workers` on the topics of `settings`; their logs go to `folder`."""
    await topics.ensure(settings)
    everyone = Crew(settings, folder)
    try:
        for _ in range(workers):
            everyone.hire()
        yield everyone
    finally:
        await everyone.close()
        print(*everyone.said, sep="\n")  # noqa: T201  pytest shows it where the test fails
