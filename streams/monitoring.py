"""The commands that watch over the stream: lag, top, monitor."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from models.errors import LikewaveError
from models.verdict import Verdict
from streams import display, lag_tables, logs
from streams.clock import now_ms
from streams.settings import Settings, load
from streams.terminal import Json, say, ticker, write_json, write_json_line, write_table
from streams.verdicts import Diagnosis, Lookout

EVERY_S = 0.5
WATCHED_S = 60.0  # what is remembered with --watch
UNKNOWN = 3  # exit code where nothing can be said
CODES = {Verdict.OK: 0, Verdict.WARN: 1}
WORSE = 2

Watch = Annotated[bool, typer.Option("--watch", help="Go on every second until Ctrl-C.")]
Window = Annotated[
    float, typer.Option(min=1, max=60, metavar="SECONDS", help="To judge by: rates, what moves.")
]
Interval = Annotated[
    float, typer.Option(min=0.5, max=60, metavar="SECONDS", help="Between two pictures.")
]
Once = Annotated[bool, typer.Option("--once", help="Show one picture, and end.")]

app = typer.Typer()


@app.command(epilog="Example: likewave lag --watch")
def lag(*, watch: Watch = False, window: Window = 3.0, json: Json = False) -> None:
    """Show how far the feeds are behind the log, why, and what to do.

    Asked from Kafka and Redis alone, over some seconds: it is right when no
    worker runs. Verdicts: OK; WARN, more arrives than is applied; STALL, a
    worker is there and applies nothing; STOP, none is there; REWIND, the
    store went back; ERR, it cannot be measured.

    The exit code is 0 where all is OK, 1 with a WARN, 2 with anything worse,
    and 3 where Kafka or Redis cannot be asked. --watch --json writes one line
    a look, changed or not, with the moment `at` (Unix ms) of this machine.
    """
    try:
        found = asyncio.run(_lag(load(), window, watch=watch, json=json))
    except LikewaveError as error:
        say(f"likewave: {error}")
        raise typer.Exit(UNKNOWN) from error
    if found.error:
        say(f"likewave: {found.error}")
        raise typer.Exit(UNKNOWN)
    if json:
        write_json(found)
    else:
        write_table(lag_tables.lag(found))
    raise typer.Exit(CODES.get(found.verdict, WORSE))


@app.command(epilog="Example: likewave top --once")
def top(*, interval: Interval = 1.0, once: Once = False, json: Json = False) -> None:
    """Show how the stream does, live: verdicts, rates, freshness, dead letters, store.

    From the last report of a monitor, or asked from here where none runs; it
    says which. On a terminal until q or Ctrl-C, elsewhere one picture after the
    other (--json: one a line).

    With --once the exit code is that of `likewave lag`.
    """
    from streams import top as tops  # noqa: PLC0415 - only this command has a screen

    settings = load()
    if not once:
        raise typer.Exit(asyncio.run(tops.watch(settings, every_s=interval, json=json)))
    found = asyncio.run(tops.once(settings, json=json))
    raise typer.Exit(UNKNOWN if found.error else CODES.get(found.verdict, WORSE))


@app.command(epilog="Example: LIKEWAVE_MONITOR_PORT=9108 likewave monitor")
def monitor() -> None:
    """Watch log, store and freshness, and serve what is found as Prometheus metrics.

    At /metrics, until SIGTERM or Ctrl-C; /health says that it lives. It goes on
    whatever is away. An account of its own acts every 2 s: how long that takes to
    be visible is how fresh feeds are.
    """
    from streams.monitor import monitor as watch  # noqa: PLC0415 - its imports take a second

    logs.configure()
    asyncio.run(watch(load()))


async def _lag(settings: Settings, window_s: float, *, watch: bool, json: bool) -> Diagnosis:
    remembered_s = WATCHED_S if watch else window_s
    async with Lookout(settings, window_s=remembered_s, recent_s=window_s) as lookout:
        while watch and json:  # a line a look: a script hears that it lives where nothing changes
            write_json_line({"at": now_ms()} | asdict(await lookout.look()))
            await asyncio.sleep(display.EVERY_S)
        if watch:
            await display.show(lookout.look, lag_tables.lag, None, watch=True)
        with ticker(quiet=json) as show:
            show(f"judging by {window_s:g} s")
            return await lookout.watch(window_s, every_s=EVERY_S)
