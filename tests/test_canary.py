"""The canary: its acts are seen on both ways, and leave no trace for anybody else."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from streams import reader, store
from streams.canary import PATHS, Canary
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
            while await feeds.exists(f"feed:{{0}}:{canary.fan}"):  # until it is taken back
                await asyncio.sleep(EVERY_S / 50)
        acting.cancel()
        with suppress(asyncio.CancelledError):
            await acting
        await workers.assert_equal()
        keys = [key async for key in feeds.scan_iter("*")]
        time = (await reader.censuses(feeds, 1))[0].stream_time

    assert set(seen) == set(PATHS)
    assert time < 1_000  # ms: the stream's time did not move, so history can still be replayed
    assert all(0 < seconds < 5 for path in PATHS for seconds in seen[path][-ROUNDS // 2 :])
    assert not [key for key in keys if key.startswith(("trending:", "fresh:", "item:"))]
    assert {key for key in keys if key.startswith("feed:")} <= {f"feed:{{0}}:{canary.fan}"}
