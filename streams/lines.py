"""Events as JSON lines, from a file (also .gz) or from a pipe: read, and checked line by line.

Blank lines are skipped, and so is a byte order mark. An event that lies further ahead than clocks
may differ is refused here, as workers would refuse it.
"""

from __future__ import annotations

import asyncio
import codecs
import gzip
import os
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from models.decoding import admit
from models.errors import EventError, InputError
from models.events import LARGEST_EVENT
from streams.clock import now_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from io import BufferedReader
    from pathlib import Path

    from models.events import Event

LONGEST_LINE = LARGEST_EVENT + 1  # with its newline
GZIP = b"\x1f\x8b"  # begins what is compressed
PIPE_BYTES = 1 << 18  # taken from a pipe at a time


def read_events(path: Path) -> Iterator[Event]:
    """Read the events of a file in its order; raise InputError naming file and line."""
    number = 0
    with readable(path) as file:
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if not line.isspace():
                yield parse(line, f"{path}:{number}")


async def pipe_events(fd: int, name: str, stop: asyncio.Event) -> AsyncIterator[list[Event]]:
    """Read events from an open file as they come, until its end or until `stop` is set.

    What comes before a bad line is given first; then InputError is raised, naming the line.
    """
    number, rest = 0, b""
    while not stop.is_set():
        await _until_readable(fd, stop)
        if stop.is_set():
            return
        taken = os.read(fd, PIPE_BYTES)
        *lines, rest = (rest + taken).split(b"\n") if taken else (rest, b"")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
        events, error = _parse_all(lines, name, number)
        number += len(lines)
        yield events
        if error:
            raise error
        if not taken:
            return


def parse(line: bytes, place: str) -> Event:
    """Read one line; raise InputError naming `place` and field."""
    try:
        return admit(line.rstrip().removeprefix(codecs.BOM_UTF8), now=now_ms())
    except EventError as error:
        raise InputError(f"{place}: {error} (at {error.path}): mend or remove the line") from error


@contextmanager
def readable(path: Path) -> Iterator[gzip.GzipFile | BufferedReader]:
    """Open a file, unpacked where its name ends in .gz; raise InputError on whatever goes wrong."""
    try:
        with path.open("rb") as file:
            if path.suffix == ".gz":
                _check_packed(path, file)
                yield gzip.GzipFile(fileobj=file)
            else:
                yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path} is cut short or damaged ({error}): fetch or make the file again"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _check_packed(path: Path, file: BufferedReader) -> None:
    """Raise InputError where a file begins as none of gzip does."""
    if file.peek(len(GZIP))[: len(GZIP)] not in (GZIP, b""):
        raise InputError(
            f"{path} is not compressed: compress it, or name JSON lines without the .gz"
        )


def _parse_all(lines: list[bytes], name: str, before: int) -> tuple[list[Event], InputError | None]:
    events: list[Event] = []
    for number, line in enumerate(lines, before + 1):
        if not line or line.isspace():
            continue
        try:
            events.append(parse(line, f"{name}:{number}"))
        except InputError as error:
            return events, error
    return events, None


async def _until_readable(fd: int, stop: asyncio.Event) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(fd, ready.set)
    except PermissionError:  # a plain file, which is always readable
        return
    waits = [asyncio.ensure_future(event.wait()) for event in (ready, stop)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(fd)
        for wait in waits:
            wait.cancel()
