"""Simulated people who live with the pages of one policy, in a private store and simulated time.

The same seed gives the same people, visits and posts under every policy; what they see and like
differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.diary import Diary
from models.network import make_network
from models.people import Behaviour, People
from models.policy import HOUR
from models.traffic import founding
from models.viewers import Viewers
from streams.audience import live_through

if TYPE_CHECKING:
    from benchmarks.lab import Sizes
    from streams.audience import Others, Showing
    from streams.sandbox import Sandbox

SEED = 1
BEGIN = 1_790_000_000_000  # Unix ms


def everybody(sizes: Sizes) -> People:
    """Make the people of a run."""
    network, people, _ = np.random.default_rng(SEED).spawn(3)
    return People(make_network(sizes.people, network), Behaviour(), people)


async def lived(
    box: Sandbox, sizes: Sizes, showing: Showing, others: Others | None = None
) -> Diary:
    """Let everybody live for the hours of a run."""
    people = everybody(sizes)
    viewers = Viewers(people, np.random.default_rng(SEED).spawn(3)[2])
    await box.carry(founding(people.network, BEGIN))
    visits = viewers.visits(BEGIN, BEGIN + sizes.hours * HOUR)
    return Diary(
        await live_through(box, viewers, visits, showing, others or (lambda *_: ())), people
    )
