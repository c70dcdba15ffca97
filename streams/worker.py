"""The worker: checks what it needs, carries batches until told to stop, crashes loudly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
from redis.exceptions import RedisError

from models.errors import LikewaveError, StoreError
from models.events import TOPICS
from streams import exits, garbage, metrics, store, topics, worker_metrics
from streams.agents import Carrier, Tally, create_app
from streams.breakers import Breakers
from streams.dead_letters import DeadLetters
from streams.feeds import Shards
from streams.fences import Fences
from streams.shedding import Shedding
from streams.transport import check_internals
from streams.watchdog import Watchdog

if TYPE_CHECKING:
    import faust

    from streams.agents import Lanes
    from streams.settings import Settings

FINISH_S = 3.0  # for the batches in hand, when asked to stop
LEAVE_S = 1.5  # for leaving the group

NEXT = "exit code 1: whoever supervises this worker starts it again"

log = structlog.get_logger()


async def serve(settings: Settings) -> NoReturn:
    """Run one worker, say why it leaves, and end the process.

    At once: threads of Faust and clients that were left may wait for a broker for ever.
    """
    code = 1
    try:
        await work(settings)
        code = 0
    except LikewaveError as error:
        log.error(str(error), next=NEXT)  # noqa: TRY400 - its trace tells a person nothing
    except Exception as error:
        log.exception("worker crashed", error=repr(error), next=NEXT)
    logging.shutdown()
    os._exit(code)


async def work(settings: Settings) -> None:
    """Run one worker until SIGTERM or Ctrl-C; raise LikewaveError where it cannot go on."""
    check_internals()
    garbage.look_seldom()
    await topics.ensure(settings)
    log_ids = await topics.log_ids(settings, TOPICS)
    name = store.worker_name(settings)
    async with store.opened(settings, name) as feeds, DeadLetters(settings) as dead_letters:
        await store.prepare(feeds, settings)
        shards, fences = Shards(feeds, settings), Fences(feeds, settings, log_ids)
        breakers, shedding = Breakers(feeds), Shedding(feeds, settings)
        carrier = Carrier(settings, shards, fences, dead_letters, breakers, shedding, Tally())
        app, lanes = create_app(settings, carrier)
        watchdog = Watchdog(app, carrier, feeds)
        async with metrics.served(worker_metrics.REGISTRY, settings, lambda: watchdog.lack):
            await exits.show(feeds)
            try:
                await _run(app, lanes, watchdog.run())
            except LikewaveError as error:
                await exits.record(feeds, error)
                raise


async def _run(app: faust.App, lanes: Lanes, watch: Any) -> None:
    stop = _stop_signal()
    await app.start()
    log.info("worker started")
    watching = asyncio.create_task(watch, name="watchdog")
    waits = [asyncio.create_task(stop.wait()), asyncio.create_task(_crash(app)), watching]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        await lanes.close(FINISH_S)
    for task in waits:
        task.cancel()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(app.stop(), LEAVE_S)
    if app.crash_reason is not None:
        raise _reason(app.crash_reason) from app.crash_reason
    if watching.done() and not watching.cancelled():
        watching.result()
    log.info("worker stopped")


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _crash(app: faust.App) -> None:
    while app.crash_reason is None:  # noqa: ASYNC110  Faust sets no event of ours
        await asyncio.sleep(0.1)


def _reason(error: BaseException) -> BaseException:
    """Give what is to be said of a crash: of the store's errors whoever opened it knows more."""
    known = isinstance(error, (LikewaveError, RedisError))
    return error if known else StoreError(f"worker crashed: {error!r}")
