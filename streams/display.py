"""Shows what was read: as a table or as JSON, once or whenever it changes."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from rich.live import Live

from streams.terminal import is_terminal, write_json, write_json_line, write_table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from rich.console import RenderableType

T = TypeVar("T")

EVERY_S = 1.0
NOTHING_YET = ""


async def show(
    read: Callable[[], Awaitable[T]],
    table: Callable[[T], RenderableType],
    document: Callable[[T], object] | None,
    *,
    watch: bool,
    every_s: float = EVERY_S,
) -> None:
    """Read and write; with `watch`, again and again where something changed, until Ctrl-C.

    With a `document` it is JSON: one document, or one line a change.
    """
    with _writer(table, document, watch=watch) as write:
        write(last := await read())
        while watch:
            await asyncio.sleep(every_s)
            if (found := await read()) != last:
                write(last := found)


@contextmanager
def _writer(
    table: Callable[[T], RenderableType], document: Callable[[T], object] | None, *, watch: bool
) -> Iterator[Callable[[T], None]]:
    if document:
        write = write_json_line if watch else write_json
        yield lambda found: write(document(found))
    elif watch and is_terminal():
        latest = deque[T](maxlen=1)
        with Live(get_renderable=lambda: table(latest[0]) if latest else NOTHING_YET):
            yield latest.append
    else:
        yield lambda found: write_table(table(found))
