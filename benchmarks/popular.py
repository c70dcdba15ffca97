"""A user with 5,000 fans: how long one act takes until every feed has it, or has it no more.

Half of what fills the fans' feeds is by the one, half by another whom they all follow. Likes are of
items nobody likes yet, and of items the other likes; taken back are both kinds.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.report import Report, at_most, quantile
from benchmarks.workload import FIRST_FILLER, FIRST_USER, START, STEP_MS
from models.columns import rows
from models.events import Follow, Like, Unlike
from models.policy import Policy
from streams.feeds import Span

if TYPE_CHECKING:
    from benchmarks.lab import Lab
    from models.events import Event
    from streams.feeds import Shards

FANS = 5_000
ONE, OTHER = "1", "2"
ITEMS = 130  # of which each of the two likes every second
HOUR_MS = 3_600_000


async def run(lab: Lab) -> Report:
    """Measure single acts, each until the shard has no open job."""
    template = await lab.fill("popular", [_follows(), _filling()])
    acts = _acts(lab.sizes.repeats)
    took_ms: dict[str, list[float]] = {"like": [], "unlike": []}
    with lab.copy(template) as store:
        async with lab.writer(store) as shards:
            for offset, act in enumerate(acts):
                took_ms[act.kind].append(await apply(shards, act, offset))
    return Report(
        figures=[
            at_most(f"{kind} by a user with 5,000 fans, p90", quantile(took, 0.9), 50, "ms")
            for kind, took in took_ms.items()
        ]
    )


def _follows() -> list[Event]:
    fans = [str(FIRST_USER + number) for number in range(FANS)]
    return [Follow(at=1, user=fan, friend=actor) for actor in (ONE, OTHER) for fan in fans]


def _filling() -> list[Event]:
    return [
        Like(at=START + STEP_MS * number, user=(ONE, OTHER)[number % 2], item=_item(number))
        for number in range(ITEMS)
    ]


def _acts(repeats: int) -> list[Event]:
    """Give likes of new items and of the other's, then take the new ones back, then old ones."""
    at = START + HOUR_MS
    new = [_item(1_000 + number) for number in range(repeats)]
    others = [_item(ITEMS - 1 - 2 * number) for number in range(repeats)]
    liked = [Like(at=at + place, user=ONE, item=item) for place, item in enumerate(new + others)]
    return [*liked, *(Unlike(at=at + HOUR_MS, user=ONE, item=like.item) for like in liked)]


def _item(number: int) -> str:
    return str(FIRST_FILLER + number)


async def apply(shards: Shards, act: Event, offset: int) -> float:
    """Carry one act of the topic `likes` into the shards, jobs included; give its time, ms."""
    began = time.perf_counter()
    span = Span("likes", 0, offset, offset + 1, "log", from_start=offset == 0)
    await shards.apply(rows("likes", [act], [offset], Policy()), span, act.at)
    return 1_000 * (time.perf_counter() - began)
