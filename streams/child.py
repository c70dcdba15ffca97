"""A program of the local stack as a child process, with its words in a log file.

The operating system ends a child when the thread that started it ends, however abruptly; so start
children from a thread that lives as long as they should.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, BinaryIO, Self

import msgspec

from models.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

STOP_SECONDS = 20.0
BY_SIGNAL = 128  # and its number: the exit code of who ends by a signal and says so
FAULTS = ("error", "critical")
WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


class Logged(msgspec.Struct):
    """What a line of our own logs says."""

    event: str
    level: str
    error: str = ""


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

    def ending(self) -> str:
        """Say how the process ended; of who was ended by a signal the log does not know why."""
        code = self.exit_code or 0
        number = code - BY_SIGNAL if code > BY_SIGNAL else -code  # Java gives the former
        if number in set(signal.Signals):
            return f"was ended by {signal.Signals(number).name}: see {self.log}"
        return f"ended with exit code {code}: {self.last_words()}" if code else "was told to leave"

    def last_words(self) -> str:
        """Give the last fault in the log since the start, and where there is more."""
        try:
            with self.log.open("rb") as log:
                log.seek(self._log_start)
                lines = log.read().decode("utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return f"{self.log} was taken away"
        words = next(filter(None, map(_complaint, reversed(lines))), "it did not say why")
        return f"{words} (more in {self.log})"

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


def _complaint(line: str) -> str:
    """Take out of a line what it complains of; nothing where it only says how work goes on.

    >>> _complaint('{"event": "no Kafka", "level": "error", "next": "exit code 1"}')
    'no Kafka'
    >>> _complaint('{"event": "progress", "level": "info", "rate": 39}')
    ''
    >>> _complaint("Segmentation fault")
    'Segmentation fault'
    """
    try:
        told = msgspec.json.decode(line, type=Logged)
    except msgspec.DecodeError:
        return line.strip()
    if told.level not in FAULTS:
        return ""
    return f"{told.event}: {told.error}" if told.error else told.event


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
