"""Metrics: what a worker and the API of a real stack count, and who may see it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from faust.types.tuples import TP
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from models import errors, events
from models.events import TOPICS
from streams import api_metrics, exits, keys, metrics, store, topics, watchdog, worker_metrics
from streams.clock import now_ms
from streams.producer import Producer, Record
from streams.server import free_port
from streams.stack import TARGETS_FILE, StackOptions, local_stack
from streams.worker import work

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from streams.local import Store
    from streams.settings import Settings

NOW = now_ms()
LIKES = [events.Like(user="ann", item=f"song{number}", at=NOW) for number in range(20)]
POISON = [Record("likes", b"ann", b"{"), Record("likes", b"ann", b'{"kind":"like"}')]
SOON_S = 20.0

Samples = dict[tuple[str, str], float]  # (name, values of the labels in their order) -> value


def samples(text: str) -> Samples:
    """Read what Prometheus would."""
    return {
        (sample.name, " ".join(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def get(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """Ask a process that may only begin to serve."""
    while True:
        try:
            return await client.get(url)
        except httpx.ConnectError:
            await asyncio.sleep(0.1)


async def reach(client: httpx.AsyncClient, url: str, wanted: Samples) -> Samples:
    """Scrape until all of `wanted` is so; give all that is."""
    found: Samples = {}
    try:
        async with asyncio.timeout(SOON_S):
            while {key: found.get(key) for key in wanted} != wanted:
                found = samples((await get(client, url)).text)
                await asyncio.sleep(0.1)
    except TimeoutError:
        assert {key: found.get(key) for key in wanted} == wanted
    return found


@pytest.fixture
def folder(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder whose stack runs on this test's servers."""
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    for name in ("kafka", "redis", "partitions", "topic_prefix", "group"):
        monkeypatch.setenv(f"LIKEWAVE_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("LIKEWAVE_API_PORT", str(free_port()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_a_stack_counts_what_it_does(folder: Path) -> None:
    """Worker, API and monitor of a local stack are scraped where a file tells Prometheus."""
    del folder
    async with local_stack(StackOptions(), print) as settings, httpx.AsyncClient() as client:
        urls = {
            one["labels"]["job"]: f"http://{one['targets'][0]}/metrics"
            for one in json.loads(TARGETS_FILE.read_bytes())
        }
        async with Producer(settings) as producer:
            await producer.publish(LIKES)
            await producer.publish_raw(POISON)
        worker = await reach(
            client,
            urls["likewave-worker"],
            {
                ("likewave_worker_events_total", "likes"): len(LIKES),
                ("likewave_worker_rejects_total", "malformed likes"): 1,
                ("likewave_worker_rejects_total", "invalid likes"): 1,
                ("likewave_worker_partitions", ""): settings.partitions * len(TOPICS),
                ("likewave_worker_store_retries_total", ""): 0,
                ("likewave_worker_exits_total", "stuck"): 0,
            },
        )
        ours = len(LIKES) + len(POISON)  # the rest are the monitor's canary
        assert worker["likewave_worker_batch_events_sum", ""] >= ours
        assert worker["likewave_worker_call_seconds_count", ""] >= 1
        assert worker["likewave_worker_busy_seconds_total", ""] > 0
        assert worker["likewave_worker_rebalance_seconds_count", ""] >= 1
        assert worker["process_start_time_seconds", ""] > NOW / 1_000 - 600
        await _use_api(client, settings, urls["likewave-api"])


async def _use_api(client: httpx.AsyncClient, settings: Settings, metrics_url: str) -> None:
    signer = keys.local_signer(settings)
    assert signer is not None
    headers = {"Authorization": f"Bearer {signer.token('bob', now=now_ms(), minutes=5)}"}
    post = [{"kind": "follow", "friend": "ann"}, {"kind": "like", "item": "tune"}]
    api = settings.api_url
    async with client.stream("GET", f"{api}/v1/feed/stream", headers=headers) as stream:
        assert stream.status_code == 200
        assert (await client.post(f"{api}/v1/events", headers=headers, json=post)).is_success
        for _ in range(3):
            await client.post(f"{api}/v1/events", headers=headers, json=[post[1]] * 1_000)
        for path in ("/metrics", "/made/up/1", "/made/up/2"):
            assert (await client.get(api + path)).status_code == 404
        found = await reach(
            client,
            metrics_url,
            {
                ("likewave_api_open_streams", ""): 1,
                ("likewave_api_published_events_total", ""): 1_002,
                ("likewave_api_rate_limited_total", "events"): 2,
                ("likewave_api_request_seconds_count", "GET /v1/feed/stream 200"): 1,
                ("likewave_api_request_seconds_count", "POST /v1/events 200"): 2,
                ("likewave_api_request_seconds_count", "POST /v1/events 429"): 2,
                ("likewave_api_request_seconds_count", "GET unknown 404"): 3,
            },
        )
        assert found["likewave_api_notices_total", ""] > 0
    await reach(client, metrics_url, {("likewave_api_open_streams", ""): 0})


async def test_a_worker_is_ready_while_it_can_work(settings: Settings, store: Store) -> None:
    """Without its store it lives on, says what it lacks, and counts what it tries again."""
    await topics.ensure(settings)
    served = settings.model_copy(update={"metrics_port": free_port()})
    url = f"http://127.0.0.1:{served.metrics_port}"
    retries = worker_metrics.REGISTRY.get_sample_value("likewave_worker_store_retries_total") or 0
    working = asyncio.create_task(work(served))
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        await _says(client, f"{url}/ready", 200, "ok\n")
        store.stop()
        async with Producer(settings) as producer:
            await producer.publish(LIKES)
        await _says(client, f"{url}/ready", 503, "the store is away\n")
        found = samples((await client.get(f"{url}/metrics")).text)
        assert found["likewave_worker_store_retries_total", ""] > retries
        assert (await client.get(f"{url}/health")).text == "ok\n"
        store.start()
        await _says(client, f"{url}/ready", 200, "ok\n")
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(working, 5)


async def _says(client: httpx.AsyncClient, url: str, status: int, text: str) -> None:
    while ((answer := await get(client, url)).status_code, answer.text) != (status, text):
        await asyncio.sleep(0.1)


def test_a_worker_is_ready_once_a_batch_is_all_that_waits() -> None:
    """Lag of a partition up to one batch is work, more is catching up."""
    one, other = TP("likes", 0), TP("likes", 1)

    assert watchdog._lack({}, {}) == ""
    assert watchdog._lack({one: 0, other: 0}, {one: 2_000, other: 2_000}) == ""
    assert watchdog._lack({one: 9, other: 0}, {one: 9, other: 2_001}) == (
        "catching up: 2,001 events wait"
    )
    assert watchdog._lack({one: 0, other: 0}, {one: 0}) == "Kafka is away"


async def test_the_next_worker_shows_what_the_last_one_ended_with(settings: Settings) -> None:
    """An exit is counted in the store by its reason; a store that is away stops no exit."""
    async with store.opened(settings) as there:
        for error in (errors.GapError(), errors.RewindError(), errors.StoreError(), ValueError()):
            await exits.record(there, error)
        counted = await there.hgetall(exits.KEY)
        before = _exits("gap")
        await exits.show(there)
    nowhere = settings.model_copy(update={"redis": f"redis://127.0.0.1:{free_port()}"})
    async with store.opened(nowhere) as away:
        await exits.record(away, errors.GapError())

    assert counted == {"gap": "1", "rewind": "1", "store": "1", "other": "1"}
    assert _exits("gap") == before + 1


def _exits(reason: str) -> float:
    sample = {"reason": reason}
    return worker_metrics.REGISTRY.get_sample_value("likewave_worker_exits_total", sample) or 0


async def test_a_port_that_is_taken_is_named(settings: Settings) -> None:
    """Two processes with one port do not both count in silence."""
    served = settings.model_copy(update={"metrics_port": free_port()})
    registry = worker_metrics.REGISTRY
    async with metrics.served(registry, served):
        with pytest.raises(errors.SettingsError, match="LIKEWAVE_METRICS_PORT"):
            async with metrics.served(registry, served):
                pass


@pytest.mark.parametrize(
    ("section", "registry"),
    [("Worker", worker_metrics.REGISTRY), ("API", api_metrics.REGISTRY)],
)
def test_the_tables_name_what_there_is(section: str, registry: CollectorRegistry) -> None:
    """Each metric of a process stands in docs/metrics.md with type and labels, and no other."""
    text = Path(__file__).parents[1].joinpath("docs/metrics.md").read_text()
    part = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*?) ?\| ", part, re.MULTILINE)

    assert set(told) == {
        (
            f"{metric._name}_total" if metric._type == "counter" else metric._name,
            metric._type,
            ", ".join(metric._labelnames),
        )
        for metric in registry._collector_to_names
        if isinstance(metric, MetricWrapperBase)
    }
