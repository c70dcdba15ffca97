"""A program of the local stack as a child process, with its words in a log file.

The operating system ends a child when the thread that started it ends, however abruptly; so start
children from a thread that lives as long as they should.
"""

from __future__ import annotations

import contextlib
import subprocess
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, BinaryIO, Self

from models.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

STOP_SECONDS = 20.0
WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


class Child(ABC):
    """A program that can be started, stopped and killed, again and again."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Give the program and its arguments."""

    @property
    def pid(self) -> int:
        """The id of the last process; raise StackError where it was not started."""
        if self._process is None:
            raise StackError(f"the {self.name} was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What the process ended with (minus the signal that ended it), or None."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the program, out of reach of the terminal's Ctrl-C."""
        command = [*WITH_PARENT, *self.command()]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = _spawn(command, log)

    def stop(self) -> None:
        """Ask the program to leave, and wait until it has; do nothing where none runs."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the program at once, as a crash would; do nothing where none runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """Give the last line of the log since the start, and where there is more."""
        try:
            with self.log.open("rb") as log:
                log.seek(self._log_start)
                lines = log.read().decode("utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return f"{self.log} was taken away"
        spoken = (line.strip() for line in reversed(lines) if line.strip())
        return f"{next(spoken, 'it said nothing')} (more in {self.log})"

    def __enter__(self) -> Self:
        """Start the program."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the program."""
        self.stop()


def _spawn(command: Sequence[str], log: BinaryIO) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    except FileNotFoundError as error:
        raise StackError(
            f"the local stack needs {error.filename} (Linux, package util-linux); "
            "elsewhere use `docker compose up`"
        ) from error
