"""A drill: one fault after the other, each named, each mended by what docs/runbook.md says.

A worker, a monitor, an API and a Prometheus with the rules of deploy/ run, and people act all the
time. From each fault on `likewave lag`, `likewave doctor` and the alerts are asked again and again
until they say what they should; once it is mended, every feed is held against the log.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from benchmarks import dashboard, watchers
from benchmarks.drill import Drill
from benchmarks.plant import plant
from benchmarks.report import Finding, Report, at_most
from benchmarks.skew import faketime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.drill import Fault
    from benchmarks.lab import Lab
    from benchmarks.plant import Plant

NAMED_S = 15
HEADING = "Faults: seconds until each is named, and until it is mended"


async def run(lab: Lab) -> Report:
    """Go through all faults."""
    async with plant(lab.folder / "plant", lab.libs) as (works, broker, store):
        if await watchers.recovered(works, time.perf_counter()) == watchers.NEVER:
            raise RuntimeError("the deployment did not come up")
        drill = Drill(works, broker, store)
        print(*_left_out(works, drill), sep="", end="")
        report = await dashboard.check(works)
        for fault in drill.faults():
            report += await _go_through(works, fault)
    return report


def _left_out(works: Plant, drill: Drill) -> Iterator[str]:
    if works.prometheus is None:
        yield "left out: alerts and dashboard (Debian: prometheus)\n"
    if not drill.has_small_disk:
        yield "left out: a full disk (only root can mount a small one)\n"
    if faketime() is None:
        yield "left out: clocks (Debian: faketime)\n"


async def _go_through(works: Plant, fault: Fault) -> Report:
    names = _names(works, fault)
    await watchers.silent(works, fault.alert)
    began = time.perf_counter()
    await fault.begin()
    took = await asyncio.gather(
        *[watchers.said(works, watchers.WHO[who], name, began) for who, name in names.items()]
    )
    named = dict(zip(names, took, strict=True))
    began = time.perf_counter()
    await fault.mend()
    mended = await watchers.recovered(works, began, unsaid=fault.doctor)
    said = f"{fault.name} ({', '.join(names.values())})"
    return Report(
        findings=[
            Finding(HEADING, said, who, one) for who, one in (named | {"mended": mended}).items()
        ],
        figures=[
            at_most(f"{fault.name}, named by all", max(took), NAMED_S, "s"),
            at_most(f"{fault.name}, feeds that differ", await watchers.differing(works), 0, ""),
        ],
    )


def _names(works: Plant, fault: Fault) -> dict[str, str]:
    """Give what should be said, by who says it: of those who are there and should."""
    names = {"lag": fault.lag, "doctor": fault.doctor}
    if works.prometheus is not None:
        names["alert"] = fault.alert
    return {who: name for who, name in names.items() if name}
