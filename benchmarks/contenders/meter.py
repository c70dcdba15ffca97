"""Counts what a contender has done, and reports when it is done."""

from __future__ import annotations

import asyncio
import json
import sys
import time


class Meter:
    """Counts from the first event on; `done` is set, and a line of JSON printed, at `goal`."""

    def __init__(self, goal: int) -> None:
        self.done = asyncio.Event()
        self._goal = goal
        self._count = 0
        self._began = self._cpu_s = 0.0

    def begin(self) -> None:
        """Start the clocks, the first time: something was received and will now be worked on."""
        if not self._began:
            self._began, self._cpu_s = time.perf_counter(), time.process_time()

    def add(self, count: int = 1) -> None:
        """Count what was worked on."""
        self._count += count
        if self._count >= self._goal and not self.done.is_set():
            self.done.set()
            report = {
                "count": self._count,
                "seconds": time.perf_counter() - self._began,
                "client_cpu_s": time.process_time() - self._cpu_s,
            }
            print(json.dumps(report), flush=True)


def from_command_line() -> Meter:
    """Make the meter of a contender: its one argument is the number of events."""
    return Meter(int(sys.argv[1]))
