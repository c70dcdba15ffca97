"""Fan-out: likes become signals in full feeds, without Kafka.

    likewave     the shard functions: registers, proofs, exact scores, fences
    bare writes  ZADD and trim alone, encoded beforehand, as fast as a socket takes them
    redis-py     ZADD and trim in pipelines, as a consumer in Python sends them

Each has a store of its own, filled alike; rounds of fresh likes alternate between them.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from benchmarks import bare, workload
from benchmarks.contenders import pipelines
from benchmarks.lab import put_in
from benchmarks.report import Report, at_least, summarise
from benchmarks.stopwatch import Stopwatch
from models.policy import Policy

if TYPE_CHECKING:
    from benchmarks.lab import Lab
    from benchmarks.report import Sample
    from benchmarks.workload import Circle
    from models.events import Like
    from streams.feeds import Shards
    from streams.local import Store

MEASURE = "fan-out, signals"
LANES = 2  # partitions whose batches a worker carries side by side


async def run(lab: Lab) -> Report:
    """Measure signals a second."""
    circle = workload.circle(lab.sizes.users)
    template = await lab.full()
    likes = workload.likes(circle.users)
    samples: dict[str, list[Sample]] = {"likewave": [], "bare writes": [], "redis-py": []}
    with lab.copy(template) as ours, lab.copy(template) as raw, lab.copy(template) as theirs:
        async with lab.writer(ours) as shards, Redis.from_url(theirs.url) as client:
            for number in range(lab.sizes.rounds):
                acts = list(islice(likes, lab.sizes.fanned))
                few = acts[: lab.sizes.fanned_slowly]
                samples["likewave"].append(await _apply(ours, shards, acts, number))
                samples["bare writes"].append(await _send(raw, acts, circle))
                samples["redis-py"].append(await _pipeline(theirs, client, few, circle))
    report = Report([summarise(MEASURE, *taken) for taken in samples.items()])
    share = report.ratio(MEASURE, "likewave", "bare writes")
    return report + Report(figures=[at_least("fan-out, of the bare writes", share, 0.6, "x")])


async def _apply(store: Store, shards: Shards, acts: list[Like], number: int) -> Sample:
    with Stopwatch(store, len(acts) * workload.FANS) as watch:
        await asyncio.gather(
            *(
                put_in(shards, acts[lane::LANES], Policy(), f"likes-{number}-{lane}")
                for lane in range(LANES)
            )
        )
    return watch.sample


async def _send(store: Store, acts: list[Like], circle: Circle) -> Sample:
    commands, count = bare.encode(acts, circle.fans)
    with Stopwatch(store, len(acts) * workload.FANS) as watch:
        await asyncio.to_thread(bare.send, store.port, commands, count)
    return watch.sample


async def _pipeline(store: Store, client: Redis, acts: list[Like], circle: Circle) -> Sample:
    with Stopwatch(store, len(acts) * workload.FANS) as watch:
        for first in range(0, len(acts), pipelines.ACTS):
            pipeline = client.pipeline(transaction=False)
            for act in acts[first : first + pipelines.ACTS]:
                pipelines.show(pipeline, circle.fans[act.user], act.item, act.at)
            await pipeline.execute()
    return watch.sample
