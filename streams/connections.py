"""Connections to the store that let go of a task as soon as it is cancelled, and are then closed.

redis-py sends within `asyncio.wait_for`, which before Python 3.12 may forget that the task was
cancelled where what it waits for is done in the same turn of the event loop. `asyncio.timeout`
never does, and makes no task of its own for each command.

It closes a pool by a task for each connection, which leaves a connection open where the task is
cancelled before it has begun. Here all are closed before anybody else has a turn.

Its pool takes two locks and a timer for each command, and keeps statistics of what it does. Here
whoever finds a connection free takes it, and to give it back is no matter of waiting.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

from redis.asyncio import ConnectionPool
from redis.exceptions import ConnectionError as StoreGoneError
from redis.exceptions import TimeoutError as StoreSilentError

if TYPE_CHECKING:
    from asyncio import StreamWriter
    from collections.abc import Iterable

    from redis.asyncio.connection import AbstractConnection

    Base = AbstractConnection
else:
    Base = object

CLOSED_S = 1.0  # within which the last bytes are sent, or given up


class Obedient(Base):
    """A connection of redis-py, but for how it sends."""

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - redis-py's
    ) -> None:
        """Send a packed command; raise redis-py's TimeoutError or ConnectionError, as it does."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        parts = [command.encode()] if isinstance(command, str) else command
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command([parts] if isinstance(parts, bytes) else parts)
        except BaseException as error:
            await self.disconnect(nowait=True)  # what is half sent cannot be gone on with
            if isinstance(error, TimeoutError):
                raise StoreSilentError("Timeout writing to socket") from None
            if isinstance(error, OSError):
                raise StoreGoneError(f"Error while writing to socket. {error}") from error
            raise

    async def hang_up(self) -> StreamWriter | None:
        """Close without waiting for anything; give what can be waited for."""
        writer = self._writer if self.is_connected else None
        await self.disconnect(nowait=True)
        return writer


class ObedientPool(ConnectionPool):
    """A pool of such connections; who finds none free waits, at most `timeout` s.

    They are of the kind that the pool is told to make.
    """

    def __init__(self, *args: Any, timeout: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind = self.connection_class
        self.connection_class = type(f"Obedient{kind.__name__}", (Obedient, kind), {})
        self._timeout = timeout
        self._free = asyncio.Semaphore(self.max_connections)

    async def get_connection(
        self, command_name: object = None, *keys: object, **options: object
    ) -> AbstractConnection:
        """Give a connection; raise redis-py's ConnectionError where none is to be had."""
        del command_name, keys, options
        try:
            async with asyncio.timeout(self._timeout) if self._free.locked() else nullcontext():
                await self._free.acquire()
        except TimeoutError:
            raise StoreGoneError("No connection available.") from None
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        """Take a connection back."""
        if connection.should_reconnect():  # type: ignore[no-untyped-call]
            await connection.disconnect(nowait=True)
        self._in_use_connections.remove(connection)
        self._available_connections.append(connection)
        self._free.release()

    async def disconnect(
        self,
        inuse_connections: bool = True,  # noqa: FBT001, FBT002 - redis-py's
    ) -> None:
        """Close all connections, or the idle ones, before a cancellation can come between."""
        used = self._in_use_connections if inuse_connections else ()
        connections = [*self._available_connections, *used]
        writers = [await connection.hang_up() for connection in connections]
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSED_S):
                await asyncio.gather(
                    *(writer.wait_closed() for writer in filter(None, writers)),
                    return_exceptions=True,
                )
