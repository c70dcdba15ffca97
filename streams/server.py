"""A server of the local stack: a child process that answers, or says why it does not.

The operating system ends the child when the thread that started it ends, however abruptly; so
start servers from a thread that lives as long as they should.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, Self

from models.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)  # below those that Linux lends to outgoing connections
START_SECONDS = 30.0
STOP_SECONDS = 20.0
ANSWER_SECONDS = 2.0
POLL_SECONDS = 0.02
WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


class Server(ABC):
    """A server on the loopback address; started again it has the same port and the same data."""

    name: str

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.log = self.data_dir / f"{self.name}.log"
        self._port = port
        self._port_file = self.data_dir / "port"
        self._process: subprocess.Popen[bytes] | None = None

    @cached_property
    def port(self) -> int:
        """The configured port, else the one this data had last, else a free one."""
        return self._port or _kept_port(self._port_file) or free_port()

    @property
    def address(self) -> str:
        """The host and port on which the server listens."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The id of the running process; raise StackError where there is none."""
        if self._process is None:
            raise StackError(f"the {self.name} is not running: start it first")
        return self._process.pid

    def start(self) -> None:
        """Start, and return once the server answers; raise StackError with what is in the way."""
        if not _is_free(self.port):
            raise StackError(
                f"the {self.name} cannot start: port {self.port} is taken; "
                "stop what listens there, or choose another"
            )
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._port_file.write_text(f"{self.port}\n")
        self.prepare()
        with self.log.open("ab") as log:
            self._process = spawn(self.command(), log)
        try:
            self._await_answer(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask the server to leave, and wait until it has; do nothing where none runs."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the server at once, as a crash would; do nothing where none runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()

    @abstractmethod
    def prepare(self) -> None:
        """Write what the server reads at its start."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Give the program and its arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether the server does its work; an OSError counts as no."""

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise StackError(f"the {self.name} ended at its start: {self.last_words()}")
            with contextlib.suppress(OSError):
                if self.answers():
                    return
            time.sleep(POLL_SECONDS)
        raise StackError(f"the {self.name} does not answer: {self.last_words()}")

    def last_words(self) -> str:
        """Give what the server said last, and where it said more."""
        return f"{last_line(self.log)} (more in {self.log})"


def spawn(command: Sequence[str], log: BinaryIO) -> subprocess.Popen[bytes]:
    """Start a program that ends with this thread, and that Ctrl-C does not reach."""
    try:
        return subprocess.Popen(
            [*WITH_PARENT, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    except OSError as error:
        raise StackError(
            f"cannot run {WITH_PARENT[0]}: {error.strerror}; run `make setup`"
        ) from error


def exchange(port: int, request: bytes, size: int) -> bytes:
    """Send a request to a local port and give up to `size` bytes of the answer."""
    with socket.create_connection((HOST, port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(request)
        return connection.recv(size)


def free_port() -> int:
    """Find a port on which nothing listens; raise StackError where all are taken."""
    for _ in PORTS:
        port = secrets.choice(PORTS)
        if _is_free(port):
            return port
    raise StackError(f"no free port between {PORTS.start} and {PORTS.stop}: stop other servers")


def last_line(log: Path) -> str:
    """Give the last line of a log that says something."""
    lines = log.read_text("utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _kept_port(path: Path) -> int | None:
    try:
        port = int(path.read_text())
    except (OSError, ValueError):
        return None
    return port if port in PORTS and _is_free(port) else None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
