"""Children that end are started again, each time a little later, and with a word."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from models.errors import StackError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from streams.child import Child

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 10.0  # also from when a fault is mended that a child refuses over
HEALTHY_S = 60.0  # a child that ran this long begins again with the first pause
POLL_S = 0.1


@asynccontextmanager
async def together(children: Sequence[Child]) -> AsyncIterator[None]:
    """Start children, and in the end stop them all at the same time."""
    try:
        for child in children:
            child.start()
        yield
    finally:
        await asyncio.gather(*(asyncio.to_thread(child.stop) for child in children))


@asynccontextmanager
async def supervised(children: Sequence[Child], say: Callable[[str], None]) -> AsyncIterator[None]:
    """Keep started children running; `say` tells a person what happened to whom."""
    tasks = [asyncio.create_task(keep(child, say)) for child in children]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def keep(child: Child, say: Callable[[str], None]) -> None:
    """Start a child again whenever it ends; who ends it for good cancels this first."""
    pause_s, started = FIRST_PAUSE_S, time.monotonic()
    while True:
        await _end_of(child)
        if time.monotonic() - started > HEALTHY_S or child.exit_code == 0:  # it was told to leave
            pause_s = FIRST_PAUSE_S
        say(f"{child.name} {child.ending()}; starts again in {pause_s:g} s")
        await asyncio.sleep(pause_s)
        pause_s, started = min(2 * pause_s, LONGEST_PAUSE_S), time.monotonic()
        try:
            child.start()
        except StackError as error:
            say(str(error))


async def _end_of(child: Child) -> None:
    while child.exit_code is None:  # noqa: ASYNC110  a process sets no event
        await asyncio.sleep(POLL_S)
