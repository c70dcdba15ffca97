"""The bare writes: commands encoded beforehand, sent at the speed at which a socket takes them.

No client can do less and have the feeds: this is the ceiling for whoever sends commands.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from models.policy import Policy
from streams.server import HOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.workload import Fans
    from models.events import Like

ANSWERS = 1 << 20  # bytes read at a time
TRIM = str(-1 - Policy().feed_size)


def encode(likes: Iterable[Like], fans: Fans) -> tuple[bytes, int]:
    """Encode an add and a trim for every fan of every like; give the bytes and their number."""
    commands = [command for like in likes for command in _commands(like, fans)]
    return b"".join(commands), len(commands)


def send(port: int, commands: bytes, count: int) -> None:
    """Send all commands, and return once all are answered."""
    with socket.create_connection((HOST, port)) as connection:
        sender = threading.Thread(target=connection.sendall, args=(commands,))
        sender.start()
        while count > 0:
            count -= connection.recv(ANSWERS).count(b"\r\n")
        sender.join()


def _commands(like: Like, fans: Fans) -> Iterator[bytes]:
    for fan in fans[like.user]:
        feed = f"feed:{{0}}:{fan}"
        yield _command("ZADD", feed, str(like.at), like.item)
        yield _command("ZREMRANGEBYRANK", feed, "0", TRIM)


def _command(*words: str) -> bytes:
    body = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    return f"*{len(words)}\r\n{body}".encode()
