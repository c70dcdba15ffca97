"""The commands about dead letters: ls, show, redrive, drop, release."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import typer

from models.errors import SettingsError
from models.letters import Letter, Place, Selection, State
from streams import breakers, letter_tables, redrive, store
from streams import letter_choice as choice
from streams.clock import now_ms
from streams.inert import document, write_inert_json
from streams.letter_choice import (
    Everything,
    Partition,
    Places,
    Reasons,
    Since,
    Sources,
    Topic,
    Until,
    Yes,
)
from streams.letters import Progress, opened
from streams.settings import Settings, load
from streams.terminal import Json, Stages, is_terminal, say, ticker, write_table
from streams.topics import log_bounds

app = typer.Typer(no_args_is_help=True, help="Look at dead letters, send them again, drop them.")


@app.command(epilog="Example: likewave dlq ls --topic likes --since 1h")
def ls(  # noqa: PLR0913  what letters may be chosen by
    *,
    reason: Reasons = None,
    topic: Topic = None,
    partition: Partition = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=0, help="Letters to list, the newest.")] = 20,
    all_states: Annotated[
        bool, typer.Option("--all-states", help="Also those redriven or dropped.")
    ] = False,
    json: Json = False,
) -> None:
    """Count dead letters by reason and topic, and list the newest; also what a breaker holds.

    The exit code is 0 whether there are any or not.
    """
    settings = load()
    selection = choice.selection(settings, reason, topic, partition, since, until)
    if all_states:
        selection = replace(selection, states=frozenset(State))
    found, held = asyncio.run(_ls(settings, selection, quiet=json))
    if json:
        write_inert_json(letter_tables.listing_document(found, held, limit=limit))
    else:
        write_table(letter_tables.listing(found, held, limit=limit, now=now_ms()))


async def _ls(
    settings: Settings, selection: Selection, *, quiet: bool
) -> tuple[list[Letter], list[breakers.Held]]:
    async with store.opened(settings) as feeds, opened(settings) as letters:
        with ticker(quiet=quiet) as show:
            found = await letters.read(selection, Stages(show).report)
        return found, await breakers.held(feeds)


@app.command(epilog="Example: likewave dlq show 3:127 --raw > letter.json")
def show(
    place: Annotated[Place, typer.Argument(metavar="PARTITION:OFFSET", parser=choice.place)],
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Write the value's bytes to a pipe.")] = False,
    json: Json = False,
) -> None:
    """Show one dead letter: why it is one, key and value, with what is not printable escaped."""
    if raw and is_terminal():
        raise typer.BadParameter("--raw writes to a file or a pipe, never to a terminal")
    selection = Selection(places=frozenset({place}), states=frozenset(State))
    found = asyncio.run(_chosen(load(), selection, quiet=True))
    if not found:
        raise SettingsError(f"there is no dead letter {place}: `likewave dlq ls` names them")
    (letter,) = found
    if raw:
        sys.stdout.buffer.write(letter.value or b"")
    elif json:
        about = letter_tables.about(letter)
        write_inert_json({**about, "headers": letter.headers, **document("value", letter.value)})
    else:
        typer.echo("\n".join(letter_tables.lines(letter)))


async def _chosen(settings: Settings, selection: Selection, *, quiet: bool) -> list[Letter]:
    async with opened(settings) as letters:
        with ticker(quiet=quiet) as show:
            return await letters.read(selection, Stages(show).report)


@app.command("redrive", epilog="Example: likewave dlq redrive --reason future --yes")
def redrive_(  # noqa: PLR0913  what letters may be chosen by
    places: Places = None,
    *,
    reason: Reasons = None,
    topic: Topic = None,
    partition: Partition = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also those that failed again after a redrive.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Send open dead letters again, as they are, to the topics they came from.

    Without --yes, or a yes at the terminal, it only says what it would do with
    more than one letter. The exit code is 1 where nothing was sent, or something
    was left.
    """
    settings = load()
    selection = choice.selection(settings, reason, topic, partition, since, until, places)
    choice.check_chosen(selection, everything=everything)
    found = asyncio.run(_chosen(settings, selection, quiet=json))
    ready, left = (found, {}) if yes else asyncio.run(redrive.judge(settings, found, again=again))
    done = redrive.Redriven(0, left)
    is_agreed = bool(ready) and choice.is_agreed(
        found, _offer(len(ready), left), yes=yes, json=json
    )
    if is_agreed:
        with _reaching("redriven", quiet=json) as report:
            done = asyncio.run(_redrive(settings, found, again=again, progress=report))
    if json:
        write_inert_json({"matched": len(found), "redriven": done.redriven, "left": done.left})
    else:
        typer.echo(f"{_matched(found)}, {done.redriven:,} redriven")
        was_told = ready and not is_agreed  # by the offer
        for why, count in {} if was_told else done.left.items():
            typer.echo(f"{count:,} left: {why}")
    raise typer.Exit(not found or done.redriven < len(found))


def _matched(found: list[Letter]) -> str:
    if found:
        return f"{len(found):,} matched"
    return "0 matched (`likewave dlq ls --all-states` tells those redriven or dropped, too)"


def _offer(ready: int, left: dict[str, int]) -> str:
    if not left:
        return "redrive them"
    leave = ", ".join(f"{count:,} ({why})" for why, count in left.items())
    return f"redrive {ready:,}, leave {leave}"


@contextmanager
def _reaching(done: str, *, quiet: bool) -> Iterator[Progress]:
    """Show progress; where it is interrupted say how many letters are `done` (`redriven`)."""
    reached = 0

    def report(stage: str, count: int, total: int) -> None:
        nonlocal reached
        reached = count
        stages.report(stage, count, total)

    try:
        with ticker(quiet=quiet) as show:
            stages = Stages(show)
            yield report
    except KeyboardInterrupt:
        say(f"likewave: interrupted; {reached:,} {done}: run it again for the others")
        raise


async def _redrive(
    settings: Settings, found: list[Letter], *, again: bool, progress: Progress
) -> redrive.Redriven:
    async with opened(settings) as letters:
        return await redrive.redrive(letters, settings, found, again=again, progress=progress)


@app.command(epilog="Example: likewave dlq drop --topic views --until 1d --yes")
def drop(  # noqa: PLR0913  what letters may be chosen by
    places: Places = None,
    *,
    reason: Reasons = None,
    topic: Topic = None,
    partition: Partition = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Mark open dead letters as done with; they stay in Kafka until they expire.

    Without --yes, or a yes at the terminal, more than one letter is only
    counted. The exit code is 1 where nothing was dropped.
    """
    settings = load()
    selection = choice.selection(settings, reason, topic, partition, since, until, places)
    choice.check_chosen(selection, everything=everything)
    found = asyncio.run(_chosen(settings, selection, quiet=json))
    is_agreed = choice.is_agreed(found, "drop them", yes=yes, json=json)
    if is_agreed:
        with _reaching("dropped", quiet=json) as report:
            asyncio.run(_drop(settings, found, report))
    dropped = len(found) if is_agreed else 0
    if json:
        write_inert_json({"matched": len(found), "dropped": dropped})
    else:
        typer.echo(f"{_matched(found)}, {dropped:,} dropped")
    raise typer.Exit(not dropped)


async def _drop(settings: Settings, found: list[Letter], progress: Progress) -> None:
    async with opened(settings) as letters:
        await letters.drop(found, progress)


@app.command(epilog="Example: likewave dlq release likes:3")
def release(sources: Sources) -> None:
    """Let partitions go on whose breakers are open; what waits in them now passes.

    Valid events are applied, the others become dead letters as usual.
    """
    settings = load()
    places = [one.rpartition(":") for one in sources]
    held = [f"{choice.named(settings, topic)}:{number}" for topic, _, number in places]
    for source, end in asyncio.run(_release(settings, held)).items():
        typer.echo(f"{source} goes on; what is invalid in it before offset {end:,} passes")


async def _release(settings: Settings, sources: list[str]) -> dict[str, int]:
    ends = {}
    async with store.opened(settings) as feeds:
        for source in sources:
            await breakers.check_held(feeds, source)
            topic, _, number = source.partition(":")
            _, ends[source] = (await log_bounds(settings, [topic]))[topic, int(number)]
        for source, end in ends.items():
            await breakers.release(feeds, source, end)
    return ends
