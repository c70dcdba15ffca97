"""People who read their pages and answer: the loop from events to pages and back.

    store ──> draw ──> the page ──> what the viewer does ──> events ──> store

In a sandbox time is simulated, and people who come within the same five minutes see the same
feeds. On a running system the people are there in real time, and what they do goes through Kafka.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from models.candidate import Source
from models.page_policy import PagePolicy
from models.people import Behaviour, People
from models.policy import MINUTE
from models.present import Present
from models.ranking import rank
from models.viewers import Viewers
from streams import store as stores
from streams import topics
from streams.page_policies import LivePolicies
from streams.pager import Pager
from streams.pages import draw
from streams.producer import Producer
from streams.progress import Meter
from streams.simulate import Simulated, found, paced

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence

    from models.events import Event
    from models.ranking import Ranked
    from models.viewers import Served, Visit
    from streams.progress import Progress
    from streams.sandbox import Sandbox
    from streams.settings import Settings
    from streams.simulate import SimulateOptions

    Others: TypeAlias = Callable[[int, Sequence[Event]], Iterable[Event]]

STEP_MS = 5 * MINUTE  # of simulated time
VISITS = 20  # at most before looking at the clock again


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """How pages are made: under which policy, of what."""

    policy: PagePolicy = field(default_factory=PagePolicy)
    sources: frozenset[Source] = frozenset(Source)


async def show(sandbox: Sandbox, visit: Visit, showing: Showing) -> list[Ranked]:
    """Make the page of a visitor."""
    policy = sandbox.settings.policy
    drawn = await draw(
        sandbox.store, sandbox.settings, str(visit.user), page=showing.policy, whole=True
    )
    candidates = [one for one in drawn.candidates if one.sources & showing.sources]
    return rank(candidates, drawn.viewer, showing.policy, Present(policy, visit.at))


async def live_through(
    sandbox: Sandbox,
    viewers: Viewers,
    visits: Iterable[Visit],
    showing: Showing,
    others: Others = lambda *_: (),
) -> list[Served]:
    """Let people come and answer; give what was shown and done, visit by visit.

    `others` is asked after each step, with its end (Unix ms) and what people did in it, what others
    do upon that.
    """
    diary: list[Served] = []
    for step, some in itertools.groupby(visits, lambda visit: visit.at // STEP_MS):
        served = [viewers.answer(visit, await show(sandbox, visit, showing)) for visit in some]
        done = [event for one in served for event in one.done]
        await sandbox.carry([*done, *others((step + 1) * STEP_MS, done)])
        diary += served
    return diary


async def simulate(
    settings: Settings,
    options: SimulateOptions,
    report: Callable[[Progress], None],
    stop: asyncio.Event,
) -> Simulated:
    """Publish the network, then what its people do with their pages, until the time is over.

    Creates missing topics. A worker must be running: pages are read from the store. Raises
    BrokerError with the counts where Kafka is lost, StoreError where the store is.
    """
    await topics.ensure(settings)
    network = options.network()
    people = People(network, Behaviour(), np.random.default_rng([options.seed, 1]))
    viewers = Viewers(people, np.random.default_rng([options.seed, 2]))

    async def act(due: int, at: int) -> int:
        sent = 0
        for _ in range(VISITS):
            if sent >= due:
                break
            visit = viewers.visit(at)
            page = await pager.page(str(visit.user), now=at)
            served = viewers.answer(visit, page.items)
            await producer.publish(served.done)
            sent += len(served.done)
        return sent

    async with (
        stores.reading(settings) as store,
        Pager(store, settings, LivePolicies(settings)) as pager,
        Producer(settings, stop=stop) as producer,
    ):
        meter = Meter(producer, report)
        founded = await found(producer, network, meter, stop)
        await paced(act, options, meter, stop)
        await producer.flush()
        return Simulated(counts=producer.counts, founding=founded, seconds=meter.seconds)
