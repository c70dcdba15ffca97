"""The monitor: what it serves is true, whatever is away, and stands in the store."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.errors import StoreError
from streams import monitor_metrics, report, topics
from streams import store as stores
from streams.monitor import Monitor
from streams.server import free_port
from tests import command
from tests.crew import crew

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from streams.local import Store
    from streams.settings import Settings

    Samples: TypeAlias = dict[tuple[str, ...], float]  # by name and label values, sorted by label

SOON_S = 30.0


@asynccontextmanager
async def monitor(settings: Settings, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run a monitor as a process, and give a client of it; it must leave as it is told to."""
    settings = settings.model_copy(update={"monitor_port": free_port()})
    process = command.start("monitor", folder=folder, settings=settings)
    try:
        address = f"http://{settings.monitor_host}:{settings.monitor_port}"
        async with httpx.AsyncClient(base_url=address) as client:
            yield client
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
    finally:
        process.kill()
        process.communicate()


async def samples(client: httpx.AsyncClient) -> Samples:
    """Read all metrics; none where the monitor does not listen yet."""
    try:
        answer = await client.get("/metrics")
    except httpx.TransportError:
        return {}
    return {
        (sample.name.removeprefix("likewave_"), *dict(sorted(sample.labels.items())).values()): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def eventually(client: httpx.AsyncClient, holds: Callable[[Samples], bool]) -> Samples:
    """Read metrics until they are as wanted."""
    found: Samples = {}
    try:
        async with asyncio.timeout(SOON_S):
            while not holds(found):
                await asyncio.sleep(0.2)
                found = await samples(client)
    except TimeoutError as error:
        raise AssertionError(found) from error
    return found


async def test_metrics_tell_of_log_store_and_freshness(settings: Settings, tmp_path: Path) -> None:
    """Of every partition and shard, and of the canary; the report in the store says the same."""
    async with crew(settings, tmp_path, workers=1), monitor(settings, tmp_path) as client:
        found = await eventually(
            client,
            lambda now: (
                now.get(("freshness_seconds_count", "stream"), 0) > 1
                and now.get(("warm_users", "0")) == 2
                and ("clock_ahead_seconds", "kafka") in now
                and ("canary_last_seen_timestamp_seconds",) in now
            ),
        )
        async with stores.opened(settings) as feeds:
            told = await report.last(feeds)
        health = await client.get("/health")

    assert told is not None
    assert {found["broker_up",], found["store_up",]} == {1}
    assert sum(1 for name, *_ in found if name == "lag_events") == 2 * len(topics.TOPICS)
    assert sum(value for (name, *_), value in found.items() if name == "verdict") == 12
    assert {found["warm_users", "0"], found["job_open", "0"], found["dead_letters_total",]} == {
        *(2, 0)
    }
    assert found["store_memory_bytes",] > 1e5
    assert found["store_disk_ok",] == 1
    assert max(abs(found["clock_ahead_seconds", server]) for server in ("kafka", "store")) < 1
    assert found["stream_time_seconds", "0"] <= found["canary_last_seen_timestamp_seconds",] + 1
    assert found["shard_work_total", "0"] >= 1
    assert told.freshness["feed"].p50 is not None
    assert health.json() == {"status": "ok"}


async def test_a_store_that_is_away_is_something_it_found(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    """It keeps serving, without numbers that nobody knows, and finds the store again."""
    await topics.ensure(settings)
    async with monitor(settings, tmp_path) as client:
        before = await eventually(client, lambda now: ("lag_events", "0", "likes") in now)
        store.kill()
        away = await eventually(client, lambda now: now.get(("store_up",)) == 0)
        store.start()
        after = await eventually(client, lambda now: ("lag_events", "0", "likes") in now)

    assert before["store_up",] == after["store_up",] == away["broker_up",] == 1
    assert not [name for name, *_ in away if name in ("lag_events", "verdict", "warm_users")]


async def test_without_servers_it_serves_all_the_same(settings: Settings, tmp_path: Path) -> None:
    """Neither broker nor store is there: it says so, and lives."""
    nowhere = {"kafka": "127.0.0.1:9", "redis": "redis://127.0.0.1:9/0"}
    async with monitor(settings.model_copy(update=nowhere), tmp_path) as client:
        found = await eventually(client, bool)
        health = await client.get("/health")

    assert (found["broker_up",], found["store_up",], health.status_code) == (0, 0, 200)
    assert ("canary_last_seen_timestamp_seconds",) not in found


async def test_it_takes_few_connections_however_many_shards_there_are(settings: Settings) -> None:
    """A look asks all shards in one breath, over one connection: workers need the others."""
    await topics.ensure(settings)
    many = settings.model_copy(update={"shards": 64})
    async with stores.opened(settings) as feeds:
        watching = asyncio.create_task(Monitor(many).run())
        most = 0
        async with asyncio.timeout(SOON_S):
            while (found := await report.last(feeds)) is None or found.diagnosis.error:
                most = max(most, len(await feeds.client_list()))
                await asyncio.sleep(0.002)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching

    assert len(found.store.shards) == 64
    assert most < 12


async def test_it_ends_once_the_store_has_other_numbers(settings: Settings) -> None:
    """What it would see with its own is of another store; whoever supervises it starts it again."""
    await topics.ensure(settings)
    async with stores.opened(settings) as feeds:
        await stores.prepare(feeds, settings)
        watching = asyncio.create_task(Monitor(settings).run())
        await asyncio.sleep(1.5)
        assert not watching.done()
        await feeds.hset("policy:{0}", "half_life_ms", "1")
        with pytest.raises(StoreError, match="under another policy"):
            await asyncio.wait_for(watching, 10)


def test_before_the_first_look_nothing_is_down() -> None:
    """What was not yet asked is absent: nobody is woken because a monitor starts."""
    findings = monitor_metrics.Findings(lambda: report.NOTHING_YET)

    assert list(findings.collect()) == []
