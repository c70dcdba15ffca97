"""The sizes in the documentation: formulas against measured fills, tables against formulas."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from models.events import Befriend, Event, Like, Post, Share, View
from models.network import make_network
from models.policy import HOUR
from models.traffic import Traffic, founding
from tests.feeder import Feeder, feeding
from tests.test_docs import blocks, page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.settings import Settings

START = 1_790_000_000_000
AGREES = 0.25
BATCH = 2_000


def formulas() -> dict[str, Any]:
    """Run the formulas of the page."""
    names: dict[str, Any] = {}
    for block in blocks(page("deployment.md"), "python"):
        exec(block, names)  # noqa: S102  our own page
    return names


def told(history: Sequence[Event]) -> dict[str, int]:
    """Count what the formula asks for, once each."""
    acts, direct, views, items = set(), set(), set(), set()
    for event in history:
        match event:
            case Share(user=user, item=item, to=list(to)):
                direct |= {(user, item, one) for one in to}
            case (
                Like(user=user, item=item)
                | Share(user=user, item=item)
                | Post(user=user, item=item)
            ):
                acts.add((event.kind, user, item))
            case View(user=user, item=item, at=at):
                views.add((user, item, at // (HOUR // 2)))
        items |= {event.item} if isinstance(event, Like | Share | Post | View) else set()
    counted = {"acts": acts, "direct": direct, "views": views, "items": items}
    return {name: len(found) for name, found in counted.items()}


async def carry_all(feeder: Feeder) -> None:
    """Carry the log into the store in turns, topic by topic."""
    ends = {source: len(log) for source, log in feeder.log.items()}
    for begin in range(0, max(ends.values()), BATCH):
        for source, end in ends.items():
            if begin < end:
                await feeder.carry(source, begin, min(begin + BATCH, end))


@pytest.mark.parametrize("partitions", [1])
@pytest.mark.parametrize(
    ("users", "count", "all_friends"),
    [(500, 12_000, False), (2_000, 10_000, False), (150, 3_000, True)],
    ids=["few and busy", "many and idle", "all friends of each other"],
)
async def test_a_shard_takes_the_memory_that_the_page_says(
    settings: Settings, seed: int, users: int, count: int, *, all_friends: bool
) -> None:
    """Within a quarter, whoever the users are and whatever they do."""
    chance = np.random.default_rng(seed)
    network = make_network(users, chance)
    traffic = Traffic(network, chance)
    history = [*founding(network, START)]
    if all_friends:
        pairs = combinations(map(str, range(users)), 2)
        history += [Befriend(at=START, user=user, friend=friend) for user, friend in pairs]
    history += [traffic.next(START + number * 150 * HOUR // count) for number in range(count)]
    async with feeding(settings, read=False) as feeder:
        empty: Any = await feeder.store.info("memory")
        feeder.append(history)
        await carry_all(feeder)
        full: Any = await feeder.store.info("memory")
        sizes = {name: await mean(feeder, name, users) for name in ("feed", "circle")}
    measured = full["used_memory"] - empty["used_memory"]
    size = formulas()["shard_bytes"](
        users=users, friends=sizes["circle"], feed=sizes["feed"], **told(history)
    )

    assert size == pytest.approx(measured, rel=AGREES)


async def mean(feeder: Feeder, name: str, users: int) -> float:
    """Give the mean size of a user's feed or circle."""
    async with feeder.store.pipeline(transaction=False) as ask:
        for user in range(users):
            count = ask.zcard if name == "feed" else ask.scard
            count(f"{name}:{{0}}:{user}")
        return float(np.mean(await ask.execute()))


def test_the_table_is_what_the_formulas_give() -> None:
    """Memory of users and the load of a shard, as rounded there."""
    found = formulas()
    rows = re.findall(
        r"^\| ([\d,]+) \| (\d+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) GB \| ([\d.]+), ([\d.]+) \|",
        page("deployment.md"),
        re.MULTILINE,
    )
    for row in rows:
        users, friends, acts, views, memory, one, four = (
            float(cell.replace(",", "")) for cell in row
        )
        size = found["shard_bytes"](users, friends, 120, acts=0, direct=0, views=0, items=0)
        assert size / 1e9 == pytest.approx(memory, rel=0.05)
        for load, shards in ((one, 1), (four, 4)):
            assert found["shard_load"](acts, views, friends, shards) == pytest.approx(load, rel=0.1)

    assert len(rows) == 3
