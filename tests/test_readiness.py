"""Whether the API is ready: it can read, and has caught up with the log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from models.events import Like
from streams import breakers, reader, readiness, store, topics
from streams.clock import now_ms
from streams.producer import Producer
from tests.crew import crew
from tests.doors import serving

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from streams.settings import Settings
    from streams.store import Store
    from tests.doors import Doors


async def fill(settings: Settings, feeds: Store) -> None:
    """Prepare a store, and a log of 60 events that it lacks."""
    await topics.ensure(settings)
    await store.prepare(feeds, settings)
    await like(settings, 60)


async def like(settings: Settings, count: int) -> None:
    """Put likes on the log."""
    async with Producer(settings) as producer:
        await producer.publish(Like(user="ann", item=f"i{n}", at=now_ms()) for n in range(count))


async def test_it_is_ready_once_it_has_caught_up(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 while much is to come, then 200, in a peak and beside another log, 503 after a flush."""
    monkeypatch.setattr(readiness, "BATCH", 20)
    monkeypatch.setattr(readiness, "FAR", 500)
    async with store.opened(settings) as feeds:
        await fill(settings, feeds)
        with serving(settings, tmp_path) as doors:
            early = doors.client.get("/ready")
            async with crew(settings, tmp_path, workers=1) as team:
                await team.caught_up()
            answers(doors, 200)
            await like(settings, 30)
            time.sleep(1.2)
            caught_up = doors.client.get("/ready")
            await of_another_log(feeds)
            time.sleep(1.2)
            still = doors.client.get("/ready")
            await feeds.flushall()
            await store.prepare(feeds, settings)
            answers(doors, 503)

    assert (early.status_code, early.json()["type"]) == (503, "urn:likewave:catching-up")
    assert early.json()["detail"].startswith("60 events are still to come")
    assert caught_up.json() == still.json() == {"status": "ok"}


async def test_what_is_not_known_is_served_and_is_not_caught_up(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the lag cannot be measured feeds are served; once it can the API has to catch up."""
    monkeypatch.setattr(readiness, "BATCH", 20)
    monkeypatch.setattr(readiness, "AGAIN_S", 0.2)
    async with store.opened(settings) as feeds:
        await fill(settings, feeds)
        await feeds.set(breakers.KEY, "unreadable")
        with serving(settings, tmp_path) as doors:
            unknown = doors.client.get("/ready")
            await feeds.delete(breakers.KEY)
            answers(doors, 503)

    assert unknown.json() == {"status": "ok"}


async def of_another_log(feeds: Store) -> None:
    """Let the fences be those of a log that was made anew: the feeds of before still serve."""
    for source, (position, _, at) in (await reader.fences(feeds, 0)).items():
        await feeds.hset(reader.fence_key(0), source, f"{position} another {at}")


def answers(doors: Doors, status: int) -> None:
    """Wait until the API says that it is ready, or not."""
    deadline = time.monotonic() + 10
    while doors.client.get("/ready").status_code != status:
        assert time.monotonic() < deadline
        time.sleep(0.2)
