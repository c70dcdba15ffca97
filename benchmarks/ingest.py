"""Ingest: a log of likes becomes columns that are decoded, validated and weighed.

likewave          batch transport, Faust agents, one decoding for a whole batch
Faust             a plain agent over a Record
aiokafka, orjson  batches of records, decoded and checked one by one
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from benchmarks import workload
from benchmarks.lab import preload
from benchmarks.programs import contend
from benchmarks.report import Report, at_least, at_most, summarise

if TYPE_CHECKING:
    from benchmarks.lab import Lab, Sizes
    from benchmarks.report import Sample

MEASURE = "ingest, events"
CONTENDERS = {
    "likewave": "decoded",
    "Faust": "faust_record",
    "aiokafka, orjson": "aiokafka_orjson",
    "likewave, 1 % poison": "decoded",
}
USERS = 10_000


async def run(lab: Lab) -> Report:
    """Measure events a second, and CPU time for each."""
    logs = {name: await lab.topics(name) for name in ("ingest", "ingest-poison")}
    users = workload.circle(USERS).users
    likes = list(islice(workload.likes(users), lab.sizes.ingested))
    await preload(logs["ingest"], workload.records(likes))
    await preload(logs["ingest-poison"], workload.poisoned(likes[: lab.sizes.ingested // 2]))
    samples: dict[str, list[Sample]] = {name: [] for name in CONTENDERS}
    for number in range(lab.sizes.rounds):
        for name, contender in CONTENDERS.items():
            log = logs["ingest-poison" if "poison" in name else "ingest"]
            group = log.model_copy(update={"group": f"{contender}-{number}"})
            samples[name].append(await contend(contender, group, _count(name, lab.sizes)))
    report = Report([summarise(MEASURE, *taken) for taken in samples.items()])
    ratio = report.ratio(MEASURE, "likewave", "Faust")
    return report + Report(
        figures=[
            at_least("ingest, of plain Faust", ratio, 40, "x"),
            at_least("ingest", report.rate(MEASURE, "likewave"), 400_000, "events/s"),
            at_most("ingest", report.client_us(MEASURE, "likewave"), 2.5, "µs of CPU"),
        ]
    )


def _count(name: str, sizes: Sizes) -> int:
    if name == "Faust":
        return sizes.ingested_slowly
    return sizes.ingested // 2 if "poison" in name else sizes.ingested
