"""The whole job: a log of events becomes feeds, from Kafka to the store.

    likewave             the worker: registers, proofs, exact scores, dead letters, fences
    Faust, redis-py      plain agents over Records, a pipeline an event
    aiokafka, redis-py   a pipeline for a hundred events

Every round starts with the same filled store, at the start of the same log. Likes alone fall into
full feeds, each on 20 of them; the mix is the simulator's: views, likes, shares, friendships, and
what takes them back.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import workload
from benchmarks.lab import by_topic, preload
from benchmarks.programs import contend
from benchmarks.report import Report, at_least, at_most, summarise
from benchmarks.workers import drain
from models.network import make_network
from models.traffic import Traffic, founding

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.lab import Lab
    from benchmarks.report import Sample
    from streams.settings import Settings

COMMON = ("likes", "views", "shares", "friendships")
LIKES, MIX, POISON = "job, likes", "job, mix", "job, likes, 1 % poison"
OPPONENTS = {"Faust, redis-py": "faust_pipeline", "aiokafka, redis-py": "aiokafka_pipeline"}


@dataclass(frozen=True, slots=True)
class Course:
    """One log to carry, and the store in which it begins."""

    measure: str
    log: Settings
    template: Path
    opponents: dict[str, str] = field(default_factory=dict)
    slowly: int = 0  # how many of its events those carry


async def run(lab: Lab) -> Report:
    """Measure events a second, on likes alone, with poison, and on the simulator's mix."""
    courses = [await _likes(lab), await _poisoned(lab), await _mix(lab)]
    samples: dict[tuple[str, str], list[Sample]] = {}
    for number in range(lab.sizes.rounds):
        for course in courses:
            for name in ("likewave", *course.opponents):
                taken = await _round(lab, course, name, number)
                samples.setdefault((course.measure, name), []).append(taken)
    report = Report([summarise(*name, taken) for name, taken in samples.items()])
    lost = 100 * (1 - report.rate(POISON, "likewave") / report.rate(LIKES, "likewave"))
    against = "Faust, redis-py"
    return report + Report(
        figures=[
            at_least("job, mix, of plain Faust", report.ratio(MIX, "likewave", against), 12, "x"),
            at_least(
                "job, likes, of plain Faust", report.ratio(LIKES, "likewave", against), 5, "x"
            ),
            at_most("job, throughput lost to 1 % poison", lost, 10, "%"),
        ]
    )


async def _round(lab: Lab, course: Course, name: str, number: int) -> Sample:
    with lab.copy(course.template) as server:
        update = {
            "redis": server.url,
            "group": f"{course.log.group}-{name.partition(',')[0]}-{number}",
        }
        settings = course.log.model_copy(update=update)
        if name == "likewave":
            return await drain(settings, server)
        return await contend(course.opponents[name], settings, course.slowly, server)


async def _likes(lab: Lab) -> Course:
    return Course(LIKES, await lab.likes("likes"), await lab.full(), OPPONENTS, lab.sizes.slowly)


async def _poisoned(lab: Lab) -> Course:
    return Course(POISON, await lab.likes("poisoned", workload.poisoned), await lab.full())


async def _mix(lab: Lab) -> Course:
    chance = np.random.default_rng(1)
    network = make_network(lab.sizes.users, chance)
    traffic = Traffic(network, chance)
    first = workload.START
    before = [
        traffic.next(first + workload.STEP_MS * number) for number in range(lab.sizes.drained)
    ]
    template = await lab.fill("mixed", [list(founding(network, 1)), *by_topic(before)])
    first += workload.STEP_MS * len(before)
    log = await lab.topics("mix")
    passing = (traffic.next(first + workload.STEP_MS * number) for number in itertools.count())
    known = (event for event in passing if event.topic in COMMON)  # to the opponents, too
    events = itertools.islice(known, lab.sizes.drained)
    await preload(log, workload.records(events))
    return Course(MIX, log, template, OPPONENTS, lab.sizes.drained)
