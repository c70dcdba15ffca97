"""The commands that run Likewave: up, worker, demo, topics."""

import asyncio
from typing import Annotated

import structlog
import typer

from models.errors import LikewaveError
from streams import logs, tables, topics
from streams.audit import render
from streams.demo import DemoOptions, demo
from streams.settings import load
from streams.stack import StackOptions
from streams.stack import up as run_stack
from streams.terminal import Json, say, write_json, write_table
from streams.topics import TopicState

Workers = Annotated[int, typer.Option(min=0, max=64, help="Workers to run.")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="A free one if absent.")]

app = typer.Typer()


@app.command(epilog="Example: likewave up --workers 2")
def up(*, workers: Workers = 1, kafka_port: Port = None, redis_port: Port = None) -> None:
    """Run broker, store, API, workers and monitor of this folder until Ctrl-C.

    Their data stays in .likewave/. The API is on port 8080 and the monitor on
    9108 where those are free; LIKEWAVE_API_PORT and LIKEWAVE_MONITOR_PORT name
    others.

    Every other command run in the folder finds them. LIKEWAVE_KAFKA and
    LIKEWAVE_REDIS name servers to use instead.
    """
    options = StackOptions(workers=workers, kafka_port=kafka_port, redis_port=redis_port)
    asyncio.run(run_stack(options, typer.echo))


@app.command(epilog="Example: LIKEWAVE_KAFKA=kafka:9092 likewave worker")
def worker() -> None:
    """Run one worker: it carries events from Kafka into the feeds until SIGTERM or Ctrl-C."""
    from streams.worker import serve  # noqa: PLC0415 - Faust takes a second to import

    logs.configure()
    try:
        settings = load()
    except LikewaveError as error:
        structlog.get_logger("streams").error(str(error))
        raise typer.Exit(1) from error
    asyncio.run(serve(settings))


@app.command("demo", epilog="Example: likewave demo --seconds 30")
def demo_(
    *,
    seconds: Annotated[float, typer.Option(min=0, max=1e9, help="0 is until Ctrl-C.")] = 0.0,
    users: Annotated[int, typer.Option(min=2, help="People who act.")] = 1_000,
    rate: Annotated[float, typer.Option(min=1, max=1e6, help="Events a second.")] = 1_000.0,
    workers: Workers = 1,
) -> None:
    """Show it all: stack, traffic and a live feed; at the end the audit's verdict.

    The exit code is 1 where the store is not as the log asks.
    """
    options = DemoOptions(users=users, rate=rate, seconds=seconds, workers=workers)
    verdict = asyncio.run(demo(options, say))
    typer.echo(render(verdict))
    raise typer.Exit(not verdict.is_equal)


@app.command("topics", epilog="Example: likewave topics --check")
def topics_(
    *,
    check: Annotated[bool, typer.Option("--check", help="Create nothing.")] = False,
    json: Json = False,
) -> None:
    """Create the missing topics, and check all; the exit code is 1 where one is not as needed."""
    states = asyncio.run(_topics(create=not check))
    if json:
        write_json(states)
    else:
        write_table(tables.topics(states))
        for fault in (fault for state in states for fault in state.faults):
            typer.echo(fault)
    raise typer.Exit(any(state.faults for state in states))


async def _topics(*, create: bool) -> list[TopicState]:
    settings = load()
    if create:
        await topics.ensure(settings)
    return await topics.check(settings)
