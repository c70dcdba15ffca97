"""Load shedding: a sample of views counts for all, nothing else is shed, and audits are equal."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from faust.types.tuples import TP
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from models import events
from models.columns import rows
from models.errors import StoreError
from models.events import Befriend, Like, Takedown, Unlike, View
from models.policy import DAY, HOUR, Policy
from models.shedding import MOST_HALVINGS, halvings, is_counted, sampled
from models.verdict import Verdict
from streams import reader, store, topics
from streams.clock import now_ms
from streams.feeds import Shards
from streams.producer import Producer
from streams.rebuild import Options, rebuild
from streams.shedding import Shedding
from streams.verdicts import Lookout
from tests.crew import crew
from tests.feeder import feeding
from tests.hostile import NOON, World, history

if TYPE_CHECKING:
    from pathlib import Path

    from models.columns import Rows
    from streams.settings import Settings
    from tests.feeder import Feeder

POLICY = Policy()
LIMIT = 500


def laid(happened: list[Any]) -> Rows:
    """Lay out events of one topic."""
    return rows(happened[0].topic, happened, range(len(happened)), POLICY)


@given(st.lists(st.integers(0, 40 * LIMIT), min_size=1, max_size=40))
def test_shedding_follows_what_waits_and_does_not_come_and_go(waiting: list[int]) -> None:
    """It begins at the limit, ends below half of it, and keeps still in between."""
    now = 0
    for count in waiting:
        before, now = now, halvings(count, LIMIT, now)
        assert now > 0 or count < LIMIT
        assert now == 0 or count >= LIMIT / 2
        assert halvings(count, LIMIT, now) == now <= MOST_HALVINGS
        assert now >= before or count < LIMIT * 2 ** (before - 2)
        assert halvings(count, 0, before) == 0


async def test_it_is_said_when_it_begins_and_when_it_ends(settings: Settings) -> None:
    """The one is a warning, the other none."""
    async with store.opened(settings) as feeds:
        shedding = Shedding(feeds, settings.model_copy(update={"shed_lag": LIMIT}))
        with capture_logs() as said:
            for waiting in (LIMIT, 2 * LIMIT, LIMIT, LIMIT // 4, 0):
                await shedding.follow({TP(settings.topic("views"), 0): waiting})

    assert [(one["log_level"], one["event"]) for one in said] == [
        ("warning", "views are sampled"),
        ("warning", "views are sampled"),
        ("info", "all views are counted again"),
    ]


def test_a_sample_weighs_as_much_as_all_and_is_in_every_larger_one() -> None:
    """Of 20,000 views: how many are kept, what they weigh together, and repeats."""
    views = [View(user=f"u{k}", item=f"i{k % 7}", at=NOON, completion=1.0) for k in range(20_000)]
    every = laid(views)
    samples = [sampled(every, halved, POLICY.trending_half_life_ms) for halved in range(5)]
    kept = [{k for k, kind in enumerate(sample.kind) if kind == "view"} for sample in samples]

    for halved, sample in enumerate(samples):
        scores = np.array([float(score) - NOON for score in sample.score if score])
        weights = np.exp2(scores / POLICY.trending_half_life_ms)
        assert weights.sum() == pytest.approx(20_000 * POLICY.view_weight, rel=0.08)
        assert len(weights) == pytest.approx(20_000 / 2**halved, rel=0.08)
    for more, fewer in pairwise(kept):
        assert fewer <= more
    assert is_counted("u1", "i1", NOON, 2) == is_counted("u1", "i1", NOON + 1, 2)


def test_nothing_but_views_is_shed() -> None:
    """Of any other topic the rows are what they were, and of views all but kind and score."""
    world = Watched(5, 9, 50, 48 * HOUR, 600, POLICY, step=512, whole=True)
    by_topic = defaultdict(list)
    for event in history(world, random.Random(3)):
        by_topic[event.topic].append(event)
    for topic, happened in by_topic.items():
        every = laid(happened)
        shed = sampled(every, MOST_HALVINGS, POLICY.trending_half_life_ms)
        assert (shed == every) == (topic != "views")
        assert replace(shed, kind=every.kind, score=every.score) == every
    assert by_topic.keys() == set(events.TOPICS)


@dataclass(frozen=True)
class Watched(World):
    """A world in which most of what happens are views."""

    @property
    def shares(self) -> dict[str, float]:
        """Give how often each thing happens here."""
        return super().shares | {"view": 100}


class Mortal:
    """A store that answers some calls, and then no more."""

    def __init__(self, alive: store.Store, calls: int) -> None:
        self._alive = alive
        self._calls = calls

    async def fcall(self, *arguments: Any) -> Any:
        """Answer, or end the worker."""
        self._calls -= 1
        if self._calls < 0:
            raise StoreError("killed")
        return await self._alive.fcall(*arguments)


async def pour(feeder: Feeder, chance: random.Random, happened: list[events.Event]) -> None:
    """Carry events over, each batch as far shed as it comes; after a crash it may be another."""
    begins = {source: len(log) for source, log in feeder.log.items()}
    feeder.append(happened)
    for source, log in sorted(feeder.log.items()):
        begin = begins.get(source, 0)
        while begin < len(log):
            upto = min(begin + chance.randint(1, 60), len(log))
            whole, mortal = feeder.shards, Mortal(feeder.store, chance.randint(0, 4))
            feeder.shards = Shards(mortal, feeder.settings, step=8)  # type: ignore[arg-type]
            with suppress(StoreError):
                await feeder.carry(source, begin, upto, chance.randint(0, MOST_HALVINGS))
            feeder.shards = whole
            await feeder.carry(source, begin, upto, chance.randint(0, MOST_HALVINGS))
            begin = upto


@pytest.mark.parametrize("shards", [1, 3])
async def test_what_is_counted_is_what_the_shards_say_of_each_stretch(
    settings: Settings, seed: int, shards: int
) -> None:
    """Whatever is shed, and whenever a worker dies over it; with the horizon all of it is gone."""
    chance = random.Random(seed)
    policy = Policy(horizon_ms=60 * HOUR)
    settings = settings.model_copy(update={"policy": policy})
    world = Watched(12, 20, 5_000, 4 * DAY, 400, policy, step=8, whole=True)
    async with feeding(settings) as feeder:
        for _ in range(3):
            await pour(feeder, chance, history(world, chance))
            assert await feeder.differing() == []
            assert await feeder.miscounted() == []
        views = [one for one in feeder.history if isinstance(one, View)]
        counted = [await reader.engagement(feeder.store, shards, f"i{k}") for k in range(20)]
        assert 0 < sum(one.views for one in counted) < len(views) / 4
        assert len(await feeder.store.keys("shed:*")) > shards
        for day in range(60):
            late = Like(user="u0", item="i0", at=NOON + (20 + day) * DAY)
            await feeder.feed([late], chance)
        assert await feeder.miscounted() == []
        assert await feeder.store.keys("shed:*") == []


@pytest.mark.parametrize("partitions", [1])
async def test_a_worker_sheds_until_it_has_caught_up(settings: Settings, tmp_path: Path) -> None:
    """It says so while it does; feeds are exact, nothing gone is left, and a rebuild counts all."""
    now, settings = now_ms(), settings.model_copy(update={"shed_lag": LIMIT})
    await topics.ensure(settings)
    async with Producer(settings) as producer:
        await producer.publish([Befriend(user="ann", friend="bob", at=now)])
        await producer.publish(Like(user="bob", item=f"i{k}", at=now) for k in range(50))
        await producer.publish(
            View(user=f"u{k % 100}", item=f"i{k // 100}", at=now) for k in range(60_000)
        )
        await producer.publish(Unlike(user="bob", item=f"i{k}", at=now + 1) for k in range(25))
        await producer.publish([Takedown(item="i49", at=now)])
    async with (
        crew(settings, tmp_path, workers=1) as workers,
        Lookout(settings, window_s=60, recent_s=60) as lookout,
    ):
        shed = await said(lookout, "load is shed: of views one in")
        await workers.assert_equal()
        over = await said(lookout, "all applied")
        async with store.opened(settings) as feeds:
            counted = [await reader.engagement(feeds, 1, f"i{k}") for k in range(600)]
            page = await reader.page(feeds, 1, "ann", limit=100)
            await rebuild(settings, Options(users=5))
            anew = [await reader.engagement(feeds, 1, f"i{k}") for k in range(600)]

    assert (shed.verdict, over.verdict) == (Verdict.WARN, Verdict.OK)
    assert {one.item for one in page} == {f"i{k}" for k in range(25, 49)}
    assert [one.likes for one in counted[:50]] == [0] * 25 + [1] * 24 + [0]
    assert 60_000 / 17 < sum(one.views for one in counted) < 30_000
    assert [one.views for one in anew] == [100 * (k != 49) for k in range(600)]


async def said(lookout: Lookout, words: str) -> Any:
    """Look until the one partition of views has a sentence with `words`."""
    async with asyncio.timeout(60):
        while True:
            for one in (await lookout.look()).partitions:
                if one.topic == "views" and words in one.sentence:
                    return one
            await asyncio.sleep(0.02)
