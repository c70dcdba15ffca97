"""The live view for operators: one picture, or one after the other until q or Ctrl-C."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from streams import clock, top_tables
from streams.interrupts import Interrupts, dismiss
from streams.keyboard import pressed
from streams.outlook import Outlook
from streams.terminal import is_terminal, write_json, write_json_line, write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from streams.outlook import Sight
    from streams.settings import Settings
    from streams.verdicts import Diagnosis

    Write = Callable[[Sight], None]

LOOKS = 3  # where no monitor runs: verdicts need some seconds
LOOK_S = 1.0
ENDS = "q"


async def once(settings: Settings, *, json: bool) -> Diagnosis:
    """Write one picture, and give the diagnosis in it."""
    async with Outlook(settings, recent_s=LOOKS * LOOK_S) as outlook:
        sight = await outlook.sight()
        for _ in range(LOOKS):
            if sight.by_monitor or sight.report.diagnosis.error:
                break
            await asyncio.sleep(LOOK_S)
            sight = await outlook.sight()
    (write_json if json else _print)(sight)
    return sight.report.diagnosis


async def watch(settings: Settings, *, every_s: float, json: bool) -> int:
    """Write pictures until told to end, and give the exit code."""
    with (
        Interrupts() as interrupts,
        pressed(ENDS, interrupts.stop.set),
        _writer(json=json) as write,
    ):
        looking = asyncio.create_task(_look(settings, every_s, write))
        stopping = asyncio.create_task(interrupts.stop.wait())
        await asyncio.wait([looking, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await dismiss(looking)
    return interrupts.exit_code


async def _look(settings: Settings, every_s: float, write: Write) -> None:
    async with Outlook(settings) as outlook:
        while True:
            write(await outlook.sight())
            await asyncio.sleep(every_s)


@contextmanager
def _writer(*, json: bool) -> Iterator[Write]:
    if json:
        yield write_json_line
    elif is_terminal():
        with Live(Text("asking …"), screen=True, auto_refresh=False) as live:
            yield lambda sight: live.update(_picture(sight), refresh=True)
    else:
        yield _print


def _picture(sight: Sight) -> RenderableType:
    return top_tables.top(sight, now=clock.now_ms())


def _print(sight: Sight) -> None:
    write_table(_picture(sight))
