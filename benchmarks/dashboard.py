"""The dashboard of deploy/grafana against a live Prometheus: which queries return nothing."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from benchmarks.processes import DEPLOY
from benchmarks.report import Report, at_most

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.plant import Plant

STEADY_S = 20.0  # some scrapes of every process
QUIET = {  # panels that have nothing to show where all is well
    "Alerts",  # none fires
    "Partitions furthest behind",  # none is
    "Audit",  # no continuous audit runs
    "Memory of the store",  # there is no limit
    "Answers that are errors",  # there were none
    "Refused by quotas",  # nobody was
}


async def check(plant: Plant) -> Report:
    """Count the queries that are refused or return nothing though all is well."""
    if plant.prometheus is None:
        return Report()
    await plant.visit()
    await asyncio.sleep(STEADY_S)
    silent = []
    for panel, query in _queries():
        found = await plant.ask_prometheus("query", query=query)
        if not found.get("result") and panel not in QUIET:
            silent.append(f"{panel}: {query}")
    for one in silent:
        print(f"returns nothing: {one}")
    return Report(figures=[at_most("dashboard queries without data", len(silent), 0, "queries")])


def _queries() -> Iterator[tuple[str, str]]:
    dashboard = json.loads((DEPLOY / "grafana" / "likewave.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")
