"""The live view: one feed as it moves, with what moves it, and the pulse of the stream."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from streams import clock, reader, tables, wording
from streams.terminal import Seldom, is_terminal, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from streams.pulse import Pulse, Pulses
    from streams.reader import Entry
    from streams.settings import Settings
    from streams.store import Store

FRAME_S = 0.25
FRAMES_A_PULSE = 4
ENTRIES = 10
MARKED_S = 2.0  # for which an arrow stands


class Movements:
    """Remembers where the items of a feed stood, and for a while which way they went."""

    def __init__(self) -> None:
        self._ranks: dict[str, int] = {}
        self._marks: dict[str, tuple[str, float]] = {}

    def marks(self, items: Sequence[str], now: float) -> list[str]:
        """Give the mark of each item, best first, at `now` (seconds): ▲, ▼, + for a new one.

        >>> movements = Movements()
        >>> movements.marks(["a", "b"], 0.0), movements.marks(["b", "c", "a"], 1.0)
        (['', ''], ['▲', '+', '▼'])
        """
        for rank, item in enumerate(items if self._ranks else ()):
            if mark := _mark(self._ranks.get(item), rank):
                self._marks[item] = mark, now + MARKED_S
        self._ranks = {item: rank for rank, item in enumerate(items)}
        self._marks = {
            item: (mark, until) for item, (mark, until) in self._marks.items() if until > now
        }
        return [self._marks.get(item, ("", now))[0] for item in items]


def _mark(before: int | None, rank: int) -> str:
    if before is None:
        return "+"
    return "▲" if rank < before else "▼" if rank > before else ""


class View:
    """Shows the feed of `user` until told to stop."""

    def __init__(self, settings: Settings, store: Store, pulses: Pulses, user: str) -> None:
        self._settings = settings
        self._store = store
        self._pulses = pulses
        self._user = user

    async def run(self, stop: asyncio.Event) -> None:
        """Show frames on a terminal, elsewhere a line every few seconds."""
        await (self._frames(stop) if is_terminal() else self._lines(stop))

    async def _frames(self, stop: asyncio.Event) -> None:
        movements, frame = Movements(), 0
        with Live(console=Console(), auto_refresh=False) as live:
            while not stop.is_set():
                if frame % FRAMES_A_PULSE == 0:
                    pulse = await self._pulses.take(time.monotonic())
                frame += 1
                live.update(await self._frame(pulse, movements), refresh=True)
                await asyncio.sleep(FRAME_S)

    async def _frame(self, pulse: Pulse, movements: Movements) -> RenderableType:
        entries = await self._page()
        marks = movements.marks([entry.item for entry in entries], time.monotonic())
        feed = tables.live_feed(
            entries,
            marks,
            now=clock.now_ms(),
            half_life_ms=self._settings.policy.half_life_ms,
        )
        title = Text(f"The feed of user {self._user}, live (Ctrl-C ends it)", style="bold")
        more = Text(self._more(entries), style="dim")
        return Group(title, feed, "", pulse.flow, pulse.delay, more)

    def _more(self, entries: Sequence[Entry]) -> str:
        """Name what a second terminal in this folder can show meanwhile."""
        page = f"in another terminal: likewave page {self._user} --watch"
        return f"{page}, likewave explain {self._user} {entries[0].item}" if entries else page

    async def _page(self) -> list[Entry]:
        shards = self._settings.shards
        return await reader.page(
            self._store, shards, self._user, limit=ENTRIES, proofs=wording.PROOFS
        )

    async def _lines(self, stop: asyncio.Event) -> None:
        seldom = Seldom(say, time.monotonic)
        while not stop.is_set():
            seldom.show(str(await self._pulses.take(time.monotonic())))
            await asyncio.sleep(FRAME_S * FRAMES_A_PULSE)
        say(str(await self._pulses.take(time.monotonic())))
