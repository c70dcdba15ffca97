"""The commands that look at Likewave: feed, shards, audit, config."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import RenderableType

from streams import audit as auditor
from streams import clock, display, garbage, logs, reader, store, tables, wording
from streams.continuous import Audited, ContinuousAudit, render
from streams.interrupts import Interrupts
from streams.known import check_known, check_possible
from streams.origins import Setting, effective
from streams.reader import Census, Entry
from streams.settings import Settings, load, resolve, stranded, strangers
from streams.snapshots import Snapshots
from streams.terminal import (
    Json,
    Stages,
    an_id,
    say,
    ticker,
    write_json,
    write_json_line,
    write_table,
)

Watch = Annotated[bool, typer.Option("--watch", help="Go on every second until Ctrl-C.")]

USERS = 20  # of a continuous audit

app = typer.Typer()


@app.command(epilog="Example: likewave feed ann --watch")
def feed(
    user: Annotated[str, typer.Argument(metavar="USER", parser=an_id, help="Whose feed.")],
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Entries to show.")] = 20,
    watch: Watch = False,
    json: Json = False,
) -> None:
    """Show the top of a user's feed, best first, with the acts that put each item there.

    With --watch it waits for who is unknown so far.
    """
    asyncio.run(_feed(user, limit, watch=watch, json=json))


async def _feed(user: str, limit: int, *, watch: bool, json: bool) -> None:
    settings = load()
    async with store.reading(settings) as feeds:
        await (check_possible if watch else check_known)(feeds, settings, user)

        async def read() -> list[Entry]:
            return await reader.page(
                feeds, settings.shards, user, limit=limit, proofs=wording.PROOFS
            )

        def table(entries: Sequence[Entry]) -> RenderableType:
            return tables.feed(
                entries, now=clock.now_ms(), half_life_ms=settings.policy.half_life_ms
            )

        await display.show(read, table, _feed_document if json else None, watch=watch)


def _feed_document(entries: Sequence[Entry]) -> list[dict[str, object]]:
    return [
        {
            "item": entry.item,
            "score": entry.score,
            "at": entry.proofs[0].at,
            "proofs": entry.proofs,
            "proofs_total": entry.proofs_total,
        }
        for entry in entries
    ]


@app.command(epilog="Example: likewave shards --json")
def shards(*, json: Json = False) -> None:
    """Show who and what is in each shard: warm users, stream time, work done, an open job."""
    found = asyncio.run(_shards())
    if json:
        write_json(found)
    else:
        write_table(tables.shards(found))


async def _shards() -> list[Census]:
    settings = load()
    async with store.reading(settings) as feeds:
        return await reader.censuses(feeds, settings.shards)


@app.command(epilog="Example: likewave audit --users 500 --json")
def audit(  # noqa: PLR0913 - each is an option
    *,
    users: Annotated[
        int | None, typer.Option(min=1, help="Users to compare, by chance; all if absent.")
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="USER", parser=an_id, help="Compare this one alone."),
    ] = None,
    continuous: Annotated[
        bool, typer.Option("--continuous", help="Go on with 20 users, others every hour or sooner.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two such checks.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of users.")] = 1,
    json: Json = False,
) -> None:
    """Compare the store with what the log asks for; the exit code is 1 where it differed.

    Of users: circle, feed, proofs, and what a page of theirs is made of. Of the
    items met with them: what counts, and the lists of what trends. Exact while
    events flow: the log counts up to the offsets that are in the store.
    """
    if user is not None and (users is not None or continuous):
        raise typer.BadParameter("--user is about one, --users and --continuous about others")
    garbage.look_seldom()
    if continuous:
        raise typer.Exit(asyncio.run(_audit_on(users or USERS, every, json=json)))
    verdict = asyncio.run(_audit(users, seed, user, quiet=json))
    if json:
        write_json(verdict)
    else:
        typer.echo(auditor.render(verdict))
    raise typer.Exit(not verdict.is_equal)


async def _audit(users: int | None, seed: int, user: str | None, *, quiet: bool) -> auditor.Verdict:
    settings = load()
    async with store.reading(settings) as feeds:
        if user is not None:
            await check_known(feeds, settings, user)
        with ticker(quiet=quiet) as show:
            return await auditor.audit(
                settings,
                Snapshots(feeds, settings),
                users=users if user is None else [user],
                seed=seed,
                progress=Stages(show).report,
            )


async def _audit_on(users: int, every: float, *, json: bool) -> int:
    """Audit until told to stop; give the exit code: 1 where anything ever differed."""
    settings, differed = load(), False

    def hear(found: Audited) -> None:
        nonlocal differed
        differed = found.differences_total > 0
        if json:
            write_json_line(found)
        else:
            typer.echo(render(found))

    logs.configure()
    async with store.reading(settings) as feeds:
        auditing = ContinuousAudit(feeds, settings, users=users, every_s=every, hear=hear)
        with Interrupts() as interrupts:
            await auditing.run(interrupts.stop)
    return 1 if differed else interrupts.exit_code


@app.command(epilog='Example: redis-cli -u "$(likewave config redis)" PING')
def config(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print the value of this one alone.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Show the effective settings, and where each comes from; passwords are masked.

    With NAME the value stands alone, as other programs take it, with the password
    or the secret that is in it.
    """
    if name is not None:
        if json:
            raise typer.BadParameter("NAME is about one setting, --json about all")
        typer.echo(_value(name))
        return
    settings = resolve()
    listed = effective(settings)
    if json:
        write_json(_config_document(settings, listed))
        return
    write_table(tables.config(listed))
    for stranger, remedy in strangers().items():
        say(f"{stranger} is no setting: {remedy}")
    if complaint := stranded(settings):
        say(complaint)


def _value(name: str) -> str:
    settings = load()
    listed = {one.name: one.value for one in effective(settings)}
    if name not in listed:
        raise typer.BadParameter(f"{name} is no setting: `likewave config` lists them")
    value = getattr(settings, name, listed[name])  # as it is, where it is shown masked
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


def _config_document(settings: Settings, listed: list[Setting]) -> dict[str, object]:
    redis_url = next(one.value for one in listed if one.name == "redis")
    where = {"kafka": settings.kafka, "redis_url": redis_url, "api_url": settings.api_url}
    return {**where, "settings": listed}
