"""What is said while a server is away: once, and the true cause."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from faust.transport.drivers import aiokafka
from structlog.testing import capture_logs

from streams import notices
from streams import store as stores
from streams.logs import Sparing

if TYPE_CHECKING:
    import pytest

    from streams.local import Store
    from streams.settings import Settings

SOON_S = 30.0


def test_what_faust_takes_for_a_slow_stream_is_no_line() -> None:
    """It names the wrong cause of a store that is away, and the watchdog the true one."""
    message = aiokafka.SLOW_PROCESSING_STREAM_IDLE % ("TP('likes', 3)", "12.0 seconds ago")
    record = logging.LogRecord("faust", logging.ERROR, "", 1, message, None, None)

    assert not Sparing(iter([0.0]).__next__)(record)


async def test_an_outage_of_the_store_is_said_once_by_who_listens(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it tries; what comes after is told, and the next outage said again."""
    monkeypatch.setattr(notices, "AGAIN_S", 0.02)
    async with stores.opened(settings) as feeds, asyncio.timeout(SOON_S):
        listening = notices.listen(feeds, settings.shards)
        assert (await anext(listening)).everything
        with capture_logs() as said:
            for _ in range(2):
                store.kill()
                coming = asyncio.ensure_future(anext(listening))
                await asyncio.sleep(0.5)
                store.start()
                assert (await coming).everything

    assert [one["event"] for one in said] == ["no notices"] * 2
