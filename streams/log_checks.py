"""What may be wrong between log and store: fences that are missing, or not within this log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.counting import counted
from models.errors import LikewaveError
from models.events import TOPICS
from models.finding import Finding, fail, failed, ok, warn
from models.verdict import LESS, WAIT, WORKER
from streams import reader, store, topics
from streams.fences import REFILL, Log, check_fence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.settings import Settings

    Fence = tuple[int, str, int]  # next offset, log id, last event time


async def examine(settings: Settings) -> list[Finding]:
    """Hold every fence of every shard against the log it is of."""
    try:
        ids = await topics.log_ids(settings, TOPICS)
        async with store.opened(settings) as feeds:
            fences = await reader.all_fences(feeds, settings.shards)
        bounds = await topics.log_bounds(settings)  # after the fences, which move on meanwhile
    except LikewaveError:
        return [warn("fences", "cannot be held against the log", "mend what else is wrong first")]
    logs = {
        f"{topic}:{number}": Log(ids[topic], *bound) for (topic, number), bound in bounds.items()
    }
    waiting = sum(end - start for start, end in bounds.values())
    faults = [_empty(shard, waiting) for shard, fence in enumerate(fences) if waiting and not fence]
    faults += [
        fault
        for shard, fence in enumerate(fences)
        for source, one in fence.items()
        for fault in _faults(shard, source, one, logs.get(source))
    ]
    return list(dict.fromkeys(faults)) or [
        ok("fences", f"{sum(map(len, fences))}, all within their logs")
    ]


def _empty(shard: int, waiting: int) -> Finding:
    return warn(
        "fences",
        f"shard {shard} is empty, and the log has {counted(waiting, 'event')}: if it was filled "
        f"before, {LESS}",
        f"{WAIT}; where it does not go down, start a worker: {WORKER}",
    )


def _faults(shard: int, source: str, fence: Fence, log: Log | None) -> Iterator[Finding]:
    if log is None:
        found = f"shard {shard} was filled from {source}, which is no partition of the log"
        yield fail("fences", found, REFILL)
        return
    try:
        check_fence(shard, source, fence, log)
    except LikewaveError as error:
        yield failed("fences", str(error))
        return
    if fence[0] < log.start:
        yield warn(
            "fences",
            f"shard {shard} lacks {counted(log.start - fence[0], 'event')} of {source}, which "
            "expired in Kafka before they were applied",
            "start a worker, which goes on behind them; they were older than the horizon",
        )
