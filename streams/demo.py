"""The demonstration: a stack, traffic, a live view, and in the end the audit's verdict."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.counting import counted
from models.errors import StackError
from streams import audit, store
from streams.clock import now_ms
from streams.interrupts import Interrupts
from streams.keys import local_signer
from streams.lag import gauge
from streams.live import View
from streams.probe import Probe
from streams.pulse import Pulses
from streams.settings import DATA_DIR, load, stack_runs
from streams.simulate import SimulateOptions, busiest_user, simulate
from streams.snapshots import Snapshots
from streams.stack import StackOptions, local_stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from streams.audit import Verdict
    from streams.lag import Gauge
    from streams.progress import Progress
    from streams.settings import Settings
    from streams.store import Store

AUDITED_WHOLE = 2_000  # users up to whom all are audited
SAMPLE = 1_000
TOKEN_MINUTES = 24 * 60
DRAIN_S = 120.0
DRAIN_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """How large the demonstration is, and how long."""

    users: int = 1_000
    rate: float = 1_000.0  # events a second
    seconds: float = 0.0  # 0: until Ctrl-C
    workers: int = 1


async def demo(options: DemoOptions, say: Callable[[str], None]) -> Verdict:
    """Run the demonstration; `say` tells a person what happens before and after the live view.

    Uses the stack that is running in this folder, else one of its own.
    """
    async with (
        _stack(options, say) as settings,
        store.opened(settings) as feeds,
        gauge(settings, feeds) as lag,
    ):
        say(f"In a browser, as somebody with many friends: {_address(options, settings)}")
        say(f"{options.users:,} people act about {options.rate:,.0f} times a second.")
        await _perform(options, settings, feeds, lag)
        say("The traffic has ended. Waiting until all of it is applied, then auditing.")
        await _drained(lag)
        return await audit.audit(
            settings,
            Snapshots(feeds, settings),
            users=None if options.users <= AUDITED_WHOLE else SAMPLE,
            seed=1,
        )


def _address(options: DemoOptions, settings: Settings) -> str:
    """Give the address of the page, with a token where this stack has a key to sign one."""
    page, signer = f"{settings.api_url}/", local_signer(settings)
    if signer is None:
        return page
    user = busiest_user(_traffic(options))
    return f"{page}#token={signer.token(user, now=now_ms(), minutes=TOKEN_MINUTES)}"


def _traffic(options: DemoOptions) -> SimulateOptions:
    return SimulateOptions(users=options.users, rate=options.rate)


async def _perform(options: DemoOptions, settings: Settings, feeds: Store, lag: Gauge) -> None:
    traffic = _traffic(options)
    probe = Probe(settings, feeds)
    view = View(settings, feeds, Pulses(lag, feeds, settings.shards, probe), busiest_user(traffic))
    with Interrupts() as interrupts:
        stop = interrupts.stop
        if options.seconds:
            asyncio.get_running_loop().call_later(options.seconds, stop.set)
        tasks = [
            asyncio.create_task(simulate(settings, traffic, _unseen, stop)),
            asyncio.create_task(probe.run(stop)),
            asyncio.create_task(view.run(stop)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        stop.set()
        await asyncio.gather(*tasks)


def _unseen(progress: Progress) -> None:
    """Show nothing: the live view does."""


async def _drained(lag: Gauge) -> None:
    waiting = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            while waiting := sum(one.lag for one in await lag.positions()):  # noqa: ASYNC110 - a worker does it
                await asyncio.sleep(DRAIN_POLL_S)
    except TimeoutError as error:
        raise StackError(
            f"{counted(waiting, 'event still waits', 'events still wait')} after {DRAIN_S:.0f} s: "
            f"see why in {DATA_DIR}/worker-*.log"
        ) from error


@asynccontextmanager
async def _stack(options: DemoOptions, say: Callable[[str], None]) -> AsyncIterator[Settings]:
    if stack_runs():
        say("Using the stack that runs in this folder.")
        yield load()
        return
    say(f"Starting broker, store, API and workers ({options.workers}); data and logs: {DATA_DIR}/")
    async with local_stack(StackOptions(workers=options.workers), say) as settings:
        yield settings
