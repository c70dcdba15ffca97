"""What commands show to a person, as tables of 80 columns on light and dark terminals.

Elsewhere than on a terminal they are as wide as what is in them: `streams/terminal.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from models.moments import moment
from streams import wording

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from rich.console import RenderableType

    from streams.origins import Setting
    from streams.reader import Census, Entry
    from streams.topics import TopicState

COLUMNS = 80
MARKS = {"▲": "green", "▼": "red", "+": "cyan"}
RIGHT = (
    *("rank", "partition", "lag", "seconds", "partitions", "in/s", "applied/s", "level in"),
    *("shard", "warm", "kept back", "erased", "down", "signals"),
)


def feed(entries: Sequence[Entry], *, now: int, half_life_ms: int) -> RenderableType:
    """Lay out a feed, best first, as it looks at `now` (Unix ms)."""
    if not entries:
        return "The feed is empty: nobody in this user's circle has acted."
    table = plain("rank", "item", "effective time", "why")
    for rank, entry in enumerate(entries, start=1):
        table.add_row(
            str(rank),
            entry.item,
            wording.effective_time(entry, now, half_life_ms),
            wording.proof(entry),
        )
    return table


def live_feed(
    entries: Sequence[Entry], marks: Sequence[str], *, now: int, half_life_ms: int
) -> RenderableType:
    """Lay out the top of a feed that moves; each entry has a mark that says which way it went."""
    table = Table(box=None, header_style="dim", pad_edge=False, width=COLUMNS)
    table.add_column("#", justify="right", width=2)
    table.add_column("", width=1)
    table.add_column("item", width=12, no_wrap=True)
    table.add_column("effective time", width=28, no_wrap=True)
    table.add_column("why", no_wrap=True, ratio=1)
    for rank, (entry, mark) in enumerate(zip(entries, marks, strict=True), start=1):
        table.add_row(
            str(rank),
            Text(mark, style=MARKS.get(mark, "")),
            Text(entry.item, style="bold"),
            wording.effective_time(entry, now, half_life_ms),
            wording.proof(entry),
        )
    return table


def shards(found: Sequence[Census]) -> RenderableType:
    """Lay out what is in each shard; times are those of events."""
    table = plain("shard", "warm", "kept back", "erased", "down", "signals", "stream time", "job")
    for one in found:
        table.add_row(
            str(one.shard),
            *(f"{count:,}" for count in (one.warm, one.kept_back, one.erased, one.down, one.work)),
            moment(one.stream_time) if one.stream_time else "-",
            "open" if one.busy else "-",
        )
    return table


def topics(states: Sequence[TopicState]) -> RenderableType:
    """Lay out the topics."""
    table = plain("topic", "partitions", "state")
    for state in states:
        found = str(state.partitions) if state.exists else "-"
        table.add_row(state.topic, found, "not as needed" if state.faults else "ok")
    return table


def config(settings: Sequence[Setting]) -> RenderableType:
    """Lay out the effective settings."""
    table = plain("setting", "value", "from")
    for one in settings:
        table.add_row(one.name, "-" if one.value is None else str(one.value), one.source)
    return table


def plain(*headings: str, right: Container[str] = RIGHT) -> Table:
    """Begin a table without lines; what stands under a heading of `right` is set to the right."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left")
    return table
