"""Ctrl-C and SIGTERM as a wish: what runs comes to its end first, a second one ends it at once."""

from __future__ import annotations

import asyncio
import signal
from typing import Self

ENDS = (signal.SIGINT, signal.SIGTERM)
BY_SIGNAL = 128  # added to its number it is the exit code that a shell expects


async def dismiss(task: asyncio.Task[None]) -> None:
    """End a task; where it had ended by itself raise why, a CancelledError, too."""
    told = task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise


class Interrupts:
    """A context that turns the first signal into `stop`."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.exit_code = 0

    def __enter__(self) -> Self:
        """Begin to listen."""
        for number in ENDS:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave signals to the system again."""
        for number in ENDS:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _on_signal(self, number: signal.Signals) -> None:
        self.exit_code = BY_SIGNAL + number
        self.stop.set()
        self.__exit__()
