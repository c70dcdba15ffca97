"""The command that keeps a store in good order: rebuild."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated

import typer

from models.counting import counted
from models.errors import BrokerError, StoreError
from streams import garbage
from streams.audit import render
from streams.generations import find, has_swapped
from streams.policy_file import read_policies
from streams.rebuild import Options, Rebuilt, abort, changes, rebuild
from streams.settings import Settings, load, tell_stack
from streams.store import opened
from streams.terminal import Json, Stages, is_terminal, say, ticker, write_json

app = typer.Typer()


@app.command("rebuild", epilog="Example: likewave rebuild --shards 4")
def rebuild_(  # noqa: PLR0913 - each is an option
    *,
    shards: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Shards from now on; as before if absent.")
    ] = None,
    users: Annotated[
        int,
        typer.Option(min=1, help="Users to check; fewer where others joined circles meanwhile."),
    ] = 200,
    database: Annotated[
        int | None, typer.Option(min=0, help="To fill; the highest empty one if absent.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="However little memory is left.")] = False,
    another_log: Annotated[
        bool,
        typer.Option(
            "--another-log", help="Without what Kafka lost: of topics made anew, or cut short."
        ),
    ] = False,
    give_up: Annotated[
        bool, typer.Option("--abort", help="Drop what an unfinished rebuild has filled.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask, though numbers of the policy change.")
    ] = False,
    json: Json = False,
) -> None:
    """Fill the feeds anew from the log while the old ones serve, check them, and swap.

    With another number of shards, or another policy, workers and readers end and
    must be started with it; those of a local stack do so by themselves. What
    changes is said first, and agreed to where it is the policy: by --yes, or at a
    terminal. What is interrupted goes on when it is run again. The exit code is 1
    where a feed is not as the log asks; then nothing is dropped.
    """
    settings = _settings(shards)
    if give_up:
        _abort(settings, json=json)
        return
    changed = asyncio.run(changes(settings))
    if not _is_agreed(changed, yes=yes, json=json):
        if json:
            write_json({"swapped": False, "changes": changed})
        raise typer.Exit(1)
    options = Options(database=database, users=users, force=force, another_log=another_log)
    try:
        done = _rebuild(settings, options, quiet=json)
    except KeyboardInterrupt:
        if left := asyncio.run(_left(settings)):
            say(f"likewave: interrupted; {left}")
        raise
    except BrokerError as error:
        if left := asyncio.run(_left(settings)):
            raise BrokerError(f"{error}; {left}") from error
        raise
    if json:
        write_json(asdict(done) | {"changes": changed})
    else:
        typer.echo(_told(done))
    raise typer.Exit(not done.verdict.is_equal)


def _is_agreed(changed: Mapping[str, Sequence[str | None]], *, yes: bool, json: bool) -> bool:
    """Say what changes; of the policy, which makes all scores anew, somebody has to agree."""
    if changed:
        listed = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in changed.items())
        say(f"The rebuild changes {listed}.")
    if yes or changed.keys() <= {"shards"}:
        return True
    if json or not is_terminal():
        say("likewave: the policy makes everybody's scores anew: --yes, or set it back")
        return False
    return typer.confirm("The policy makes everybody's scores anew: go on?", err=True)


def _rebuild(settings: Settings, options: Options, *, quiet: bool) -> Rebuilt:
    garbage.look_seldom()
    with ticker(quiet=quiet) as show:
        return asyncio.run(
            rebuild(
                settings,
                options,
                progress=Stages(show).report,
                swapped=lambda: tell_stack(settings),
            )
        )


async def _left(settings: Settings) -> str:
    """Say what an interrupted rebuild leaves, and how to go on; nothing where it leaves nothing."""
    with suppress(StoreError):  # it is away: there is no more to say
        async with opened(settings) as home:
            if (database := await find(settings, home)) is None:
                return ""
        if await has_swapped(settings, database):
            return "it has swapped already: run it again, it checks and drops the old feeds"
        return (
            f"what is filled stays in database {database}: run it again to go on, or give it up by "
            "`likewave rebuild --abort`"
        )
    return ""


def _settings(shards: int | None) -> Settings:
    """Load settings with the numbers that the policy file has now, whatever a stack runs with."""
    settings = load(shards=shards)
    path = settings.policy_file
    return settings.model_copy(update={"policy": read_policies(path).feeds}) if path else settings


def _abort(settings: Settings, *, json: bool) -> None:
    with ticker(quiet=json) as show:
        database = asyncio.run(abort(settings, Stages(show).report))
    if json:
        write_json({"database": database})
    else:
        say("No rebuild is unfinished." if database is None else f"Database {database} is empty.")


def _told(done: Rebuilt) -> str:
    summary = (
        f"rebuilt: {counted(done.events, 'event')}, {counted(done.warm, 'warm user')}, "
        f"{counted(done.shards, 'shard')}, "
        f"{done.seconds:.1f} s; workers waited {done.held_ms:,} ms"
    )
    lines = [summary, render(done.verdict)]
    if not done.swapped:
        lines.append(
            f"Nothing was swapped. The new feeds are in database {done.database}: look at them, "
            "then `likewave rebuild --abort`"
        )
    return "\n".join(lines)
