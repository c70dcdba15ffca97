"""Those who say what is wrong: `likewave lag`, `likewave doctor`, and the alerts of Prometheus."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from benchmarks.plant import Plant

    Ask: TypeAlias = Callable[[Plant], Awaitable[set[str]]]

PATIENCE_S = 60.0  # for a name
RECOVERY_S = 240.0
POLL_S = 0.2
NEVER = float("inf")


async def lag(plant: Plant) -> set[str]:
    """Give the verdicts of partitions, or why nothing can be measured."""
    _, output, errors = await plant.command("lag", "--json")
    return {one["verdict"] for one in json.loads(output)["partitions"]} if output else {errors}


async def doctor(plant: Plant) -> set[str]:
    """Give the checks that failed, or warn."""
    _, output, _ = await plant.command("doctor", "--json")
    return {one["check"] for one in json.loads(output)["findings"] if one["state"] != "ok"}


async def alerts(plant: Plant) -> set[str]:
    """Give the alerts that fire."""
    if plant.prometheus is None:
        return set()
    found = (await plant.ask_prometheus("alerts")).get("alerts", [])
    return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}


WHO: dict[str, Ask] = {"lag": lag, "doctor": doctor, "alert": alerts}


async def said(plant: Plant, ask: Ask, name: str, since_s: float) -> float:
    """Wait until `name` is said; give the seconds since `since_s` (perf_counter)."""
    while not any(name in one for one in await ask(plant)):
        if time.perf_counter() - since_s > PATIENCE_S:
            return NEVER
        await asyncio.sleep(POLL_S)
    return time.perf_counter() - since_s


async def recovered(plant: Plant, since_s: float, *, unsaid: str = "") -> float:
    """Wait until the lag is OK, and the doctor's `unsaid` is too; give the seconds."""
    while await lag(plant) != {"OK"} or unsaid in await doctor(plant):
        if time.perf_counter() - since_s > RECOVERY_S:
            return NEVER
    return time.perf_counter() - since_s


async def silent(plant: Plant, name: str) -> None:
    """Wait until an alert does not fire: one that ended is held for 30 s, and is not the next."""
    async with asyncio.timeout(RECOVERY_S):
        while name in await alerts(plant):  # noqa: ASYNC110 - Prometheus says no more
            await asyncio.sleep(POLL_S)


async def differing(plant: Plant) -> int:
    """Hold every feed, and the items met with them, against the log; count those that differ."""
    _, output, errors = await plant.command("audit", "--json")
    if not output:
        raise RuntimeError(f"no audit: {errors}")
    found = json.loads(output)
    return int(found["differing"] + found["items_differing"])
