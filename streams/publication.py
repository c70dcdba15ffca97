"""The commands that publish events, and the one that says what an event is."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from models.counting import counted
from models.errors import SettingsError
from streams import contract as documents
from streams.audience import simulate as publish_audience
from streams.datasets import Edges
from streams.interrupts import Interrupts
from streams.noise import Noise
from streams.producer import Counts
from streams.progress import Progress
from streams.replay import Replayed, ReplayOptions, parse_meanings, parse_speed
from streams.replay import replay as publish_replay
from streams.settings import Settings, load, read
from streams.simulate import Simulated, SimulateOptions
from streams.simulate import simulate as publish_simulation
from streams.terminal import Json, Meanings, publication_line, ticker, write_json

app = typer.Typer()

Simulation: TypeAlias = Callable[
    [Settings, SimulateOptions, Callable[[Progress], None], asyncio.Event], Awaitable[Simulated]
]


@app.command(
    epilog="Example: likewave simulate --users 5000 --rate 2000 --seconds 60 --poison 0.01"
)
def simulate(  # noqa: PLR0913 - a person chooses each of them
    *,
    users: Annotated[int, typer.Option(min=2, help="People in the network.")] = 1_000,
    rate: Annotated[
        float, typer.Option(min=0, help="Events a second; 0 is as fast as possible.")
    ] = 1_000,
    seconds: Annotated[
        float | None, typer.Option(help="For how long; if absent, until Ctrl-C.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds make equal events.")] = 1,
    poison: Annotated[float, typer.Option(min=0, max=1, help="Part that is no valid event.")] = 0.0,
    duplicates: Annotated[
        float, typer.Option(min=0, max=1, help="Part that is published twice.")
    ] = 0.0,
    disorder: Annotated[
        int, typer.Option(min=0, help="Milliseconds by which an act may come late.")
    ] = 0,
    viewers: Annotated[
        bool, typer.Option("--viewers", help="People read their pages, and answer what they see.")
    ] = False,
    json: Json = False,
) -> None:
    """Publish what the people of a made-up network do, in real time.

    With --viewers they have hidden interests, and look at the pages that
    the store has for them: a worker must be running, and what they see and
    like depends on it, and on the page policy. It ends where the store does.
    """
    noise = Noise(poison=poison, duplicates=duplicates, disorder_ms=disorder)
    if viewers and noise != Noise():
        raise typer.BadParameter("--viewers goes without --poison, --duplicates and --disorder")
    options = SimulateOptions(users=users, rate=rate, seconds=seconds, seed=seed, noise=noise)
    asyncio.run(_simulate(publish_audience if viewers else publish_simulation, options, json=json))


async def _simulate(publish: Simulation, options: SimulateOptions, *, json: bool) -> None:
    with Interrupts() as interrupts, ticker(quiet=json) as show:
        done = await publish(
            load(), options, lambda progress: show(publication_line(progress)), interrupts.stop
        )
    if json:
        write_json(done)
    else:
        typer.echo(simulated_line(done))
    raise typer.Exit(interrupts.exit_code)


@app.command(epilog="Example: likewave replay gowalla1k --map checkin=like --speed 60x")
def replay(  # noqa: PLR0913 - a person chooses each of them
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="JSON lines, a data set folder, or - for stdin.")
    ],
    *,
    meanings: Meanings = None,
    edges: Annotated[Edges, typer.Option(help="What a data set's friends are.")] = "befriend",
    speed: Annotated[str, typer.Option(help="max, or times as fast as it happened: 60x.")] = "max",
    ends_now: Annotated[
        bool, typer.Option("--ends-now", help="Move all moments, so that the last is this one.")
    ] = False,
    json: Json = False,
) -> None:
    """Publish the events of a file, of standard input, or of a data set.

    A data set is a folder of friends.csv.gz and interactions.csv.gz; what
    --map does not name is left out. Files are checked whole before the
    first event is published. What is older than the horizon (7 days before the
    newest event of all) changes nothing: --ends-now brings it up to date.
    """
    try:
        pace, mapping = parse_speed(speed), parse_meanings(meanings or ())
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
    options = ReplayOptions(path=path, meanings=mapping, edges=edges, speed=pace, ends_now=ends_now)
    asyncio.run(_replay(options, json=json))


async def _replay(options: ReplayOptions, *, json: bool) -> None:
    with Interrupts() as interrupts, ticker(quiet=json) as show:
        done = await publish_replay(
            load(), options, lambda progress: show(publication_line(progress)), interrupts.stop
        )
    if json:
        write_json(done)
    else:
        typer.echo(replayed_line(done))
    raise typer.Exit(interrupts.exit_code)


@app.command(epilog="Example: likewave contract docs")
def contract(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", exists=True, file_okay=False, writable=True, help="Where to write."
        ),
    ] = Path("docs"),
) -> None:
    """Write what an event is, for producers: JSON Schema, and AsyncAPI with the topics."""
    for path in documents.write(folder, read().topic_prefix):
        typer.echo(path)


def simulated_line(done: Simulated) -> str:
    """Say what a simulation has published.

    >>> simulated_line(Simulated(
    ...     counts=Counts(9_000, 9_000), founding=4_000, poisoned=50, repeated=0, seconds=5.0))
    'published 9,000 events, 9,000 acknowledged, in 5.0 s: 4,000 founding, 50 poison, 0 repeated'
    """
    return (
        f"{_published(done.counts, done.seconds)}: {done.founding:,} founding, "
        f"{done.poisoned:,} poison, {done.repeated:,} repeated"
    )


def replayed_line(done: Replayed) -> str:
    """Say what a replay has published, and what it left out.

    >>> replayed_line(Replayed(
    ...     counts=Counts(12, 12), edges=1, skipped={"visit": 3}, seconds=0.1))
    'published 12 events, 12 acknowledged, in 0.1 s: 1 edge; left out: 3 visit'
    """
    skipped = ", ".join(f"{count:,} {kind}" for kind, count in done.skipped.items())
    line = _published(done.counts, done.seconds)
    line = f"{line}: {counted(done.edges, 'edge')}" if done.edges else line
    return f"{line}; left out: {skipped}" if skipped else line


def _published(counts: Counts, seconds: float) -> str:
    return (
        f"published {counted(counts.published, 'event')}, {counts.acknowledged:,} acknowledged, "
        f"in {seconds:.1f} s"
    )
