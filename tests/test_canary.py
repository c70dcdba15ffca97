"""The canary: its acts are seen on both ways, and leave no trace for anybody else."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from streams import store
from streams.canary import PATHS, Canary
from streams.topics import log_bounds
from tests.crew import crew

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import Settings

ROUNDS = 8
EVERY_S = 0.25


async def test_every_act_is_seen_on_both_ways_and_nothing_of_it_shows(
    settings: Settings, tmp_path: Path
) -> None:
    """Nothing trends or is fresh, no counter moves, one account sees it, and audit is equal."""
    seen: defaultdict[str, list[float]] = defaultdict(list)
    async with crew(settings, tmp_path, workers=1) as workers, store.opened(settings) as feeds:
        canary = Canary(settings, feeds, "canary", lambda path, s: seen[path].append(s))
        acting = asyncio.create_task(canary.run(EVERY_S))
        async with asyncio.timeout(30):
            while min(len(seen[path]) for path in PATHS) < ROUNDS:
                await asyncio.sleep(EVERY_S / 5)
        await asyncio.sleep(EVERY_S / 2)  # the last act is taken back by then
        acting.cancel()
        with suppress(asyncio.CancelledError):
            await acting
        await workers.assert_equal()
        keys = [key async for key in feeds.scan_iter("*")]
        bounds = await log_bounds(settings)

    assert set(seen) == set(PATHS)
    assert all(0 < seconds < 5 for path in PATHS for seconds in seen[path][-ROUNDS // 2 :])
    assert not [key for key in keys if key.startswith(("trending:", "fresh:", "item:", "feed:"))]
    assert sum(end for (topic, _), (_, end) in bounds.items() if topic == "shares") > ROUNDS
