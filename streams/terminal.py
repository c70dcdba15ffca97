"""What a command writes: results to standard output, progress to standard error.

On a terminal progress is one line that changes, elsewhere a line now and then; a script that reads
JSON hears nothing of it.
"""

from __future__ import annotations

import re
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
import typer
from rich.console import Console

from models.events import AN_ID, ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from streams.progress import Progress

    Show: TypeAlias = Callable[[str], None]
    Clock: TypeAlias = Callable[[], float]  # seconds

Json = Annotated[bool, typer.Option("--json", help="Write JSON, and nothing else.")]
Meanings = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="KIND=MEANING", help="What a data set's kind is, as checkin=like."
    ),
]

LINE_EVERY_S = 5.0
UNCUT = 100_000  # columns


def an_id(given: str) -> str:
    """Read the id of a user or an item."""
    if not re.match(ID_PATTERN, given):
        raise typer.BadParameter(f"{given!r}: {AN_ID}")
    return given


def say(line: str) -> None:
    """Tell a person what happens, apart from the results."""
    typer.echo(line, err=True)


def write_json(value: object) -> None:
    """Write one JSON document, and nothing else, to standard output."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value)))


def write_json_line(value: object) -> None:
    """Write one JSON document in one line: an element of a stream of them."""
    typer.echo(msgspec.json.encode(value))


def write_table(found: RenderableType) -> None:
    """Write a table; where no person looks, each row is one line, not cut and not padded."""
    if is_terminal():
        Console().print(found)
        return
    console = Console(width=UNCUT)
    with console.capture() as written:
        console.print(found)
    typer.echo("\n".join(line.rstrip() for line in written.get().splitlines()))


def is_terminal() -> bool:
    """Tell whether a person looks at standard output."""
    return sys.stdout.isatty()


@contextmanager
def ticker(*, quiet: bool) -> Iterator[Show]:
    """Give a function that shows the present state of some long work; `quiet` shows nothing."""
    if quiet:
        yield _unseen
    elif sys.stderr.isatty():
        with Console(stderr=True).status("") as status:
            yield status.update
    else:
        yield Seldom(say, time.monotonic).show


def _unseen(line: str) -> None:
    """Show nothing."""


class Seldom:
    """Lets one line through every few seconds, the first of them after that time."""

    def __init__(self, show: Show, clock: Clock) -> None:
        self._show = show
        self._clock = clock
        self._shown = clock()

    def show(self, line: str) -> None:
        """Show `line`, unless one was shown just now."""
        now = self._clock()
        if now - self._shown >= LINE_EVERY_S:
            self._shown = now
            self._show(line)


class Stages:
    """Puts the progress of work that has stages into words, with rate and time left of each."""

    def __init__(self, show: Show, clock: Clock = time.monotonic) -> None:
        self._show = show
        self._clock = clock
        self._stage = ""
        self._began = 0.0

    def report(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` is done."""
        now = self._clock()
        if stage != self._stage:
            self._stage, self._began = stage, now
        self._show(stage_line(stage, done, total, seconds=now - self._began))


def stage_line(stage: str, done: int, total: int, *, seconds: float) -> str:
    """Say how far a stage is after `seconds`, how fast, and how long it will take.

    >>> stage_line("reading", 30_000, 120_000, seconds=3.0)
    'reading: 30,000 of 120,000, 10,000/s, 9 s left'
    """
    line = f"{stage}: {done:,} of {total:,}"
    if not done or not seconds:
        return line
    rate = done / seconds
    return f"{line}, {rate:,.0f}/s, {(total - done) / rate:.0f} s left"


def publication_line(progress: Progress) -> str:
    """Say how far a publication is.

    >>> from streams.producer import Counts
    >>> from streams.progress import Progress
    >>> publication_line(Progress(Counts(12_000, 11_900), 1_000.0, 12.0, 18.0))
    'published: 11,900 acknowledged, 1,000/s, 18 s left'
    >>> publication_line(Progress(Counts(12_000, 11_900), 0.0, 12.0, None))
    'published: 11,900 acknowledged, waiting for Kafka'
    """
    if progress.counts.unconfirmed and not progress.rate:
        return f"published: {progress.counts.acknowledged:,} acknowledged, waiting for Kafka"
    left = "" if progress.remaining_s is None else f", {progress.remaining_s:.0f} s left"
    return f"published: {progress.counts.acknowledged:,} acknowledged, {progress.rate:,.0f}/s{left}"
