"""A server of the local stack: a child on a loopback port that is started once it answers."""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import socket
import tempfile
import time
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import StackError
from streams.child import Child

if TYPE_CHECKING:
    from contextlib import ExitStack

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)  # below those that Linux lends to outgoing connections
START_SECONDS = 60.0
ANSWER_SECONDS = 2.0
POLL_SECONDS = 0.02


class Server(Child):
    """A server with a folder of its own; started again it has the same port and the same data."""

    def __init__(self, name: str, data_dir: Path, port: int | None) -> None:
        self.data_dir = data_dir.absolute()
        super().__init__(name, self.data_dir / f"{name}.log")
        self._port = port
        self._port_file = self.data_dir / "port"

    @abstractmethod
    def prepare(self) -> None:
        """Write what the server reads at its start."""

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether the server does its work; an OSError counts as no."""

    @cached_property
    def port(self) -> int:
        """The configured port, else the one this data had last, else a free one."""
        return self._port or _kept_port(self._port_file) or free_port()

    @property
    def address(self) -> str:
        """The host and port on which the server listens."""
        return f"{HOST}:{self.port}"

    def start(self) -> None:
        """Start, and return once the server answers; raise StackError with what is in the way."""
        if not is_free(self.port):
            raise StackError(
                f"the {self.name} cannot start: port {self.port} is taken; "
                "stop what listens there, or choose another"
            )
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._port_file.write_text(f"{self.port}\n")
        self.prepare()
        super().start()
        try:
            self._await_answer()
        except BaseException:
            self.kill()
            raise

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.exit_code is not None:
                raise StackError(f"the {self.name} did not start: it {self.ending()}")
            with contextlib.suppress(OSError):
                if self.answers():
                    return
            time.sleep(POLL_SECONDS)
        raise StackError(f"the {self.name} does not answer: {self.last_words()}")


def exchange(port: int, request: bytes, size: int) -> bytes:
    """Send a request to a local port and give up to `size` bytes of the answer."""
    with socket.create_connection((HOST, port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(request)
        return connection.recv(size)


def free_port() -> int:
    """Find a port on which nothing listens; raise StackError where all are taken."""
    for _ in PORTS:
        port = secrets.choice(PORTS)
        if is_free(port):
            return port
    raise StackError(f"no free port between {PORTS.start} and {PORTS.stop}: stop other servers")


def usual_port(port: int, running: ExitStack) -> int | None:
    """Give `port` where nothing listens, and no other stack is about to, until `running` ends."""
    claim = Path(tempfile.gettempdir()) / f"likewave-{port}.lock"
    try:
        fcntl.flock(running.enter_context(claim.open("a")), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # claimed, or of another user
        return None
    return port if is_free(port) else None


def is_free(port: int) -> bool:
    """Tell whether nothing listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _kept_port(path: Path) -> int | None:
    try:
        port = int(path.read_text())
    except (OSError, ValueError):
        return None
    return port if port in PORTS and is_free(port) else None
