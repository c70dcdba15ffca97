"""Simulated traffic: people of a made-up network act in real time, at a steady rate."""

from __future__ import annotations

import asyncio
import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.errors import SettingsError
from models.network import make_network
from models.traffic import Traffic, founding
from streams import topics
from streams.clock import now_ms
from streams.noise import Mixer, Noise
from streams.producer import DELIVERY_S, Counts, Producer
from streams.progress import Meter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from models.network import Network
    from streams.progress import Progress
    from streams.settings import Settings

SLICE_S = 0.02
SLICE = 5_000  # records handed over at most before looking at the clock again
MOST_USERS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """Who acts, how fast, for how long, and what goes wrong; equal seeds make equal events."""

    users: int = 1_000
    rate: float = 1_000.0  # records a second; 0 is as fast as Kafka takes them
    seconds: float | None = None  # without: until it is stopped
    seed: int = 1
    noise: Noise = field(default_factory=Noise)

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if not 2 <= self.users <= MOST_USERS:
            raise SettingsError(f"--users is {self.users}: give 2 to {MOST_USERS}")
        if not 0 <= self.rate < math.inf:
            raise SettingsError(f"--rate is {self.rate:g}: give events a second, or 0 for no limit")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise SettingsError(f"--seconds is {self.seconds:g}: give more than 0")
        if self.seed < 0:
            raise SettingsError(f"--seed is {self.seed}: give 0 or more")

    def network(self) -> Network:
        """Make the network of these users; it is theirs alone, whatever they do."""
        return make_network(self.users, np.random.default_rng([self.seed, 0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What a simulation has published."""

    counts: Counts
    founding: int  # of the records: friendships and follows that were there before anybody acted
    poisoned: int = 0  # of the records: no valid events
    repeated: int = 0  # of the records: published before
    seconds: float


async def simulate(
    settings: Settings,
    options: SimulateOptions,
    report: Callable[[Progress], None],
    stop: asyncio.Event | None = None,
) -> Simulated:
    """Publish the network, then what its people do until the time is over or `stop` is set.

    Creates missing topics. Raises BrokerError with the counts where Kafka is lost.
    """
    stop = stop or asyncio.Event()
    await topics.ensure(settings)
    network = options.network()
    traffic = Traffic(network, np.random.default_rng([options.seed, 1]))
    mixer = Mixer(traffic, options.noise, np.random.default_rng([options.seed, 2]))

    async def act(due: int, at: int) -> int:
        await producer.publish_raw(mixer.records(due, at))
        return due

    async with (
        Producer(settings, patience_s=DELIVERY_S, stop=stop) as producer,
        Meter(producer, report) as meter,
    ):
        founded = await found(producer, network, meter, stop)
        await paced(act, options, meter, stop)
        await producer.flush()
        return Simulated(
            counts=producer.counts,
            founding=founded,
            poisoned=mixer.poisoned,
            repeated=mixer.repeated,
            seconds=meter.seconds,
        )


def busiest_user(options: SimulateOptions) -> str:
    """Name the user with the most friends, whose feed moves fastest."""
    return options.network().busiest


async def found(producer: Producer, network: Network, meter: Meter, stop: asyncio.Event) -> int:
    """Publish the friendships and follows that are there before anybody acts; count them."""
    events = founding(network, now_ms())
    while not stop.is_set() and (some := list(itertools.islice(events, SLICE))):
        await producer.publish(some)
        meter.tick()
    return producer.counts.published


async def paced(
    act: Callable[[int, int], Awaitable[int]],
    options: SimulateOptions,
    meter: Meter,
    stop: asyncio.Event,
) -> None:
    """Let `act` publish what is due, until the time is over or `stop` is set.

    It is given how many records are due, and the moment (Unix ms); it gives how many it published,
    which may be fewer, or a few more.
    """
    began, sent, latest = meter.seconds, 0, 0
    over = False
    while not over and not stop.is_set():
        passed = meter.seconds - began
        over = options.seconds is not None and passed >= options.seconds
        passed = min(passed, options.seconds or passed)
        due = min(round(options.rate * passed) - sent, SLICE) if options.rate else SLICE
        latest = max(latest, now_ms())  # a clock set back must not reorder a register
        done = await act(due, latest)
        sent += done
        meter.tick(passed / options.seconds if options.seconds else None)
        await asyncio.sleep(SLICE_S if done >= due and options.rate and due < SLICE else 0)
