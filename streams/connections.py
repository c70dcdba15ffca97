"""Connections to the store that let go of a task as soon as it is cancelled.

redis-py sends within `asyncio.wait_for`, which before Python 3.12 may forget that the task was
cancelled where what it waits for is done in the same turn of the event loop. `asyncio.timeout`
never does, and makes no task of its own for each command.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from redis.exceptions import ConnectionError as StoreGoneError
from redis.exceptions import TimeoutError as StoreSilentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio.connection import AbstractConnection, ConnectionPool

    Base = AbstractConnection
else:
    Base = object


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


def make_obedient(pool: ConnectionPool) -> None:
    """Let a pool make such connections, of the kind that it makes."""
    kind = pool.connection_class
    pool.connection_class = type(f"Obedient{kind.__name__}", (Obedient, kind), {})
