"""The doctor names what is wrong, and mends what can be mended without losing anything."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import redis
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from faust.types.tuples import TP

from models.decoding import Reason, Reject
from models.events import Like
from models.finding import State
from models.letters import Selection
from models.policy import HOUR
from models.presence import NEW_S
from models.refusal import refusal
from streams import doctor, host_checks, letters, report, topics
from streams import store as feeds
from streams.clock import now_ms
from streams.dead_letters import DeadLetters
from streams.history import unheard
from streams.local import Store
from streams.producer import Producer
from tests.command import environment, run
from tests.doors import serving, with_keys
from tests.feeder import Record as Handed
from tests.feeder import feeding
from tests.test_topics import create, delete

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from models.finding import Finding
    from streams.settings import Settings


@pytest.fixture(autouse=True)
def told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process's environment name the settings, as the command's does."""
    for name, value in environment(settings).items():
        if name.startswith("LIKEWAVE_"):
            monkeypatch.setenv(name, value)


async def examined(settings: Settings, shift_ms: int = 0) -> dict[str, Finding]:
    """Give what every check found, by check; of several the first."""
    found = await doctor.examine(settings, shift_ms)
    return {one.check: one for one in reversed(found)}


async def wrong(settings: Settings, shift_ms: int = 0) -> dict[str, Finding]:
    """Give what has failed."""
    found = await examined(settings, shift_ms)
    return {name: one for name, one in found.items() if one.state is State.FAIL}


async def run_in(settings: Settings) -> None:
    """Make topics and store what a worker makes of them, and apply one event."""
    await topics.ensure(settings)
    ids = await topics.log_ids(settings)
    async with Producer(settings) as producer:
        await producer.publish([Like(at=1, user="ann", item="song")])
        await producer.flush()
    bounds = await topics.log_bounds(settings)
    async with feeding(settings) as feeder:
        for (topic, number), (_, end) in bounds.items():
            value = f"{end} {ids[topic]} 0"
            await feeder.store.hset("fence:{0}", f"{topic}:{number}", value)


async def test_a_healthy_deployment_has_nothing_to_mend(settings: Settings, tmp_path: Path) -> None:
    """The exit code is 0; what is missing without harm is a warning."""
    await run_in(settings)
    done = await asyncio.to_thread(run, "doctor", "--json", folder=tmp_path, settings=settings)
    findings = json.loads(done.stdout)["findings"]

    assert done.returncode == 0, done
    assert {one["check"] for one in findings if one["state"] == "warn"} == {
        *("API", "workers", "monitor")
    }
    assert all(one["remedy"] for one in findings if one["state"] == "warn")
    assert {"broker", "topics", "store", "fences", "store clock"} < {
        one["check"] for one in findings
    }


async def test_servers_out_of_reach_are_findings_among_others(
    settings: Settings, tmp_path: Path
) -> None:
    """Each is named with its remedy, there is no stack trace, and the exit code is 1."""
    nowhere = settings.model_copy(update={"kafka": "127.0.0.1:9", "redis": "redis://127.0.0.1:9/0"})
    done = await asyncio.to_thread(run, "doctor", folder=tmp_path, settings=nowhere)

    assert done.returncode == 1
    assert done.stderr == ""
    assert "no Kafka at 127.0.0.1:9" in done.stdout
    assert "no Redis at redis://127.0.0.1:9/0" in done.stdout
    assert "-> start it, or mend LIKEWAVE_KAFKA (without it `likewave up`" in done.stdout


async def test_an_api_that_is_frozen_is_told_from_one_that_is_not_there(
    settings: Settings, tmp_path: Path
) -> None:
    """The one takes connections and is silent, the other refuses them; one that lives is ok."""
    there = with_keys(settings, tmp_path)
    with serving(settings, tmp_path) as doors:
        lives = api_check(there, doors.url)
    gone = api_check(there, doors.url)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        frozen = api_check(there, f"http://127.0.0.1:{port}")

    assert [one.state for one in (lives, gone, frozen)] == [State.OK, State.WARN, State.FAIL]
    assert f"answers at {doors.url}" in lives.found
    assert "likewave api" in gone.remedy
    assert f"ss -ltnp 'sport = :{port}'" in frozen.remedy


async def test_only_a_worker_that_is_silent_is_called_frozen(settings: Settings) -> None:
    """One that has just come is waited for, one that talks to the store is looked at again."""

    def worker(name: str) -> feeds.Store:
        return feeds.connect(settings, f"{feeds.workers_name(settings)}{name}")

    talking, frozen = worker("east:41"), worker("east:7")
    await talking.ping()
    new = (await examined(settings))["workers"]
    await frozen.ping()
    for _ in range(NEW_S + 1):
        await asyncio.sleep(1)
        await talking.ping()
    silent = (await examined(settings))["workers"]
    await frozen.aclose()
    await talking.ping()
    outside = (await examined(settings))["workers"]
    await talking.aclose()

    assert [one.state for one in (new, silent, outside)] == [State.WARN] * 3
    assert new.found.endswith("; just come: east:41")
    assert new.remedy == "likewave lag --watch"
    assert silent.found.endswith("; connected to the store and silent: east:7")
    assert silent.remedy == "ps -o pid,stat,etime,args -p 7  # on east; in state T: kill -9 it"
    assert "at work in the store: east:41; who is not in the group" in outside.found
    assert outside.remedy.startswith("look again in 10 s")


def api_check(settings: Settings, url: str) -> Finding:
    """Give what is found of the API at `url`."""
    found = host_checks.examine(settings.model_copy(update={"api_url": url}))
    return next(one for one in found if one.check == "API")


async def test_a_policy_file_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other checks go on without it."""
    file = tmp_path / "policy.toml"
    file.write_text("half_live = '6h'\n")
    monkeypatch.setenv("LIKEWAVE_POLICY_FILE", str(file))
    found = (await doctor.diagnose()).findings

    assert [one.check for one in found if one.state is State.FAIL][:1] == ["policy file"]
    assert "half_live" in found[0].found + found[0].remedy
    assert any(one.check == "broker" and one.state is State.OK for one in found)


async def test_what_is_missing_or_unsafe_is_mended(settings: Settings, store: Store) -> None:
    """Topics are created and set right, feeds are kept, functions loaded; other options stay."""
    likes = settings.topic("likes")
    options = {"message_timestamp_type": "LogAppendTime", "retention_ms": "3600000"}
    await create(settings, likes, 2, segment_bytes="1048576", **options)
    with redis.Redis.from_url(store.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        before = await wrong(settings)
        diagnosis = await doctor.diagnose(fix=True)
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"

    assert set(before) == {"topics", "maxmemory-policy"}
    assert [one for one in diagnosis.findings if one.state is State.FAIL] == []
    said = " ".join(diagnosis.done)
    assert f"set retention.ms=604800000 on topic {likes}" in said
    assert "created" in said
    assert "likewave_1" in said
    assert (await options_of(settings, likes))["segment.bytes"] == "1048576"


async def options_of(settings: Settings, topic: str) -> dict[str, str]:
    """Read all options of a topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    ((answer,)) = await admin.describe_configs([resource])
    await admin.close()
    return {name: value for name, value, *_ in answer.resources[0][4]}


async def test_what_cannot_be_mended_safely_is_left(settings: Settings) -> None:
    """A topic that is compacted may not be made to delete, nor be made anew."""
    options = {"message_timestamp_type": "LogAppendTime", "cleanup_policy": "compact"}
    await create(settings, settings.topic("likes"), 2, max_message_bytes="1048576", **options)
    diagnosis = await doctor.diagnose(fix=True)

    assert any(step.startswith("not mended: topic") for step in diagnosis.done)
    command = f"kafka-configs.sh --bootstrap-server {settings.kafka} --alter --entity-type topics "
    assert any(one.remedy.startswith(command) for one in diagnosis.findings)


async def test_a_clock_that_is_an_hour_off_is_named(settings: Settings) -> None:
    """With how much and in which direction: against the store, and against Kafka's stamps."""
    await run_in(settings)
    behind, ahead = await wrong(settings, -HOUR), await wrong(settings, HOUR)

    assert "3,600 s behind the store's" in behind["store clock"].found
    assert re.search(r"3,(600|599) s ahead of this host's", behind["broker clock"].found)
    assert "3,600 s ahead of the store's" in ahead["store clock"].found
    assert set(behind) == {"store clock", "broker clock"}
    assert set(ahead) == {"store clock"}


async def test_a_wrong_clock_here_makes_no_report_old(settings: Settings) -> None:
    """A monitor at work is not told to be killed, nor its word on Kafka's clock passed over."""
    await run_in(settings)
    told = replace(report.NOTHING_YET, at=now_ms(), broker_ahead_s=0.0)
    await report.keep(settings, told)
    found = [await examined(settings, shift_ms) for shift_ms in (-HOUR, HOUR)]
    slow = replace(told, at=told.at - HOUR, store=replace(told.store, clock_ahead_s=3_600.0))
    await report.keep(settings, slow)
    found.append(await examined(settings))

    assert [one["store clock"].state for one in found] == [State.FAIL, State.FAIL, State.OK]
    assert {one[name].state for one in found for name in ("monitor", "broker clock")} == {State.OK}


async def test_a_monitor_that_leaves_no_report_is_named(settings: Settings, store: Store) -> None:
    """With how old its last one is, and the command; a full store is why there is none."""

    async def monitor() -> Finding:
        return (await examined(settings))["monitor"]

    never = await monitor()
    await report.keep(settings, replace(report.NOTHING_YET, at=now_ms()))
    fresh = await monitor()
    await report.keep(settings, replace(report.NOTHING_YET, at=now_ms() - 60_000))
    late = await monitor()
    with redis.Redis.from_url(store.url) as client:
        client.config_set("maxmemory", 1)
    full = await monitor()

    assert [one.state for one in (never, fresh, late, full)] == [
        *(State.WARN, State.OK, State.WARN, State.WARN)
    ]
    assert re.match(r"its report is 6\d s old: while none runs, alerts .* are silent", late.found)
    assert never.found.startswith("it has left no report: ")
    assert (
        never.remedy
        == late.remedy
        == "start it: likewave monitor; kill -9 it first, where one is frozen"
    )
    assert "the store is full" in full.found
    assert full.remedy == "mend the store first"


async def test_a_kafka_that_is_behind_is_named_by_a_monitor(settings: Settings) -> None:
    """Its stamps on the canary's acts tell, as long as the monitor runs."""
    await run_in(settings)
    told = replace(report.NOTHING_YET, at=now_ms(), broker_ahead_s=-3_600.0)
    await report.keep(settings, told)
    behind = await wrong(settings)
    await report.keep(settings, replace(told, at=now_ms() - report.FRESH_MS))
    outdated = await wrong(settings)

    assert behind["broker clock"].found == "Kafka's clock is 3,600 s behind the monitor's"
    assert outdated == {}


@pytest.mark.parametrize(
    ("commands", "check", "words"),
    [
        (["REPLICAOF 127.0.0.1 9"], "store role", "replica of 127.0.0.1:9"),
        (["SET likewave:schema 0"], "schema", "have schema 0, this version reads 1"),
        (["HSET policy:{0} half_life_ms 1"], "policy", "half_life_ms 1 -> 21600000"),
        (["CONFIG SET maxmemory 1"], "memory", "of maxmemory"),
        (["ACL SETUSER default -fcall"], "rights", "user default of the store may not: FCALL"),
    ],
)
async def test_a_store_that_is_not_fit_is_named(
    settings: Settings, store: Store, commands: list[str], check: str, words: str
) -> None:
    """Each with what is wrong, and what mends it."""
    await run_in(settings)
    with redis.Redis.from_url(store.url) as client:
        for command in commands:
            client.execute_command(*command.split(" "))
    found = (await wrong(settings))[check]

    assert words in found.found
    assert found.remedy


async def test_a_store_that_loads_its_data_is_one_finding(settings: Settings, store: Store) -> None:
    """It says how far it is, and to wait; of what cannot be told meanwhile nothing is said."""
    with redis.Redis.from_url(store.url) as client, client.pipeline(transaction=False) as writing:
        for number in range(30_000):  # it looks for questions after every thousandth
            writing.set(str(number), "")
        writing.execute()
    store.stop()
    delay = {"key-load-delay": "100"}  # microseconds
    slow = Store(store.data_dir, port=store.port, options=delay)
    starting = asyncio.create_task(asyncio.to_thread(slow.start))
    try:
        while "loading" not in (found := await examined(settings))["store"].found:
            await asyncio.sleep(0.05)
        await starting
        loaded = await examined(settings)
    finally:
        slow.stop()

    assert re.search(r" is loading its data \(\d+ %\)$", found["store"].found)
    assert found["store"].remedy.startswith("wait: ")
    assert set(loaded) - set(found) > {"persistence", "functions", "schema", "policy", "monitor"}
    assert (loaded["store"].state, loaded["persistence"].state) == (State.OK, State.OK)


async def test_a_disk_that_cannot_be_written_is_named(settings: Settings, store: Store) -> None:
    """A snapshot that failed shows, however the store goes on."""
    with redis.Redis.from_url(store.url) as client:
        shutil.rmtree(store.data_dir)
        client.bgsave()
        while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
            await asyncio.sleep(0.05)
    found = (await wrong(settings))["persistence"]

    assert "rdb_last_bgsave_status" in found.found
    assert found.remedy == "free its disk (df -h there), see its log; then BGSAVE"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a disk of 8 MB; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_is_named_and_heals(settings: Settings, small_disk: Path) -> None:
    """While it is full the store refuses writes; once there is room it goes on by itself."""
    filler = small_disk / "filler"
    with Store(small_disk / "store") as store, redis.Redis.from_url(store.url) as client:
        there = settings.model_copy(update={"redis": store.url})
        with suppress(OSError), filler.open("wb") as file:
            while file.write(bytes(65_536)):
                file.flush()
        with suppress(redis.ResponseError):
            while client.set("big", "x" * 100_000):
                await asyncio.sleep(0.05)
        full = await wrong(there)
        said = refusal(client.info())
        filler.unlink()
        while "persistence" in await wrong(there):
            await asyncio.sleep(0.2)

    assert "aof_last_write_status" in full["persistence"].found
    assert said is not None
    assert said.sentence == "the store cannot write to its disk (aof_last_write_status)"
    assert full["persistence"].remedy.endswith("; then it goes on by itself")


async def test_fences_that_are_not_of_this_log_are_named(settings: Settings, store: Store) -> None:
    """A topic made anew, a log that lost records, and a job left open."""
    await run_in(settings)
    await delete(settings, settings.topic("views"))
    await topics.ensure(settings)
    with redis.Redis.from_url(store.url, decode_responses=True) as client:
        fence: Any = client.hget("fence:{0}", "likes:0")
        client.hset("fence:{0}", "likes:0", " ".join(["9", *fence.split(" ")[1:]]))
        client.rpush("job:{0}", "row")
    found = await doctor.examine(settings)
    fences = " ".join(one.found for one in found if one.check == "fences")

    assert "shard 0 was filled from another log of views (" in fences
    assert "holds likes:0 up to offset 9" in fences
    assert [one.state for one in found if one.check == "jobs"] == [State.WARN]


async def test_a_store_that_was_flushed_is_named(settings: Settings, store: Store) -> None:
    """With how much the log has, and what fills it again; before any event that is no fault."""
    await topics.ensure(settings)
    new = (await examined(settings))["fences"]
    await run_in(settings)
    with redis.Redis.from_url(store.url) as client:
        client.flushdb()
    flushed = (await examined(settings))["fences"]

    assert (new.state, flushed.state) == (State.OK, State.WARN)
    assert flushed.found.startswith("shard 0 is empty, and the log has 1 event: if it was filled ")
    assert "it was flushed, restored or failed over; workers read the log again" in flushed.found
    assert flushed.remedy.startswith("likewave lag --watch")
    assert flushed.remedy.endswith("likewave worker")


async def test_producers_that_are_rejected_of_late_are_named(settings: Settings) -> None:
    """With the reason, how many of which topic, and what mends it; what was dropped is no more."""
    await topics.ensure(settings)
    none = (await examined(settings))["dead letters"]
    now = now_ms()
    await reject(settings, "likes", Reason.FUTURE, now, 3)
    await reject(settings, "views", Reason.FUTURE, now, 2)
    await reject(settings, "posts", Reason.INVALID, now, 1)
    await reject(settings, "\x1b[31m", Reason.MALFORMED, now, 1)
    found = [one for one in await doctor.examine(settings) if one.check == "dead letters"]
    later = (await examined(settings, HOUR))["dead letters"]
    async with letters.opened(settings) as opened:
        await opened.drop(await opened.read(Selection(), unheard), unheard)
    dropped = (await examined(settings))["dead letters"]

    assert [one.state for one in (none, later, dropped)] == [State.OK] * 3
    assert {one.state for one in found} == {State.WARN}
    told = {one.found: one.remedy for one in found}
    future = told["rejected as future in the last 10 min: 3 of likes, 2 of views"]
    assert future.startswith("likewave dlq ls --reason future --since 10m; a clock is ahead ")
    assert "rejected as invalid in the last 10 min: 1 of posts" in told
    assert len(told) == 2


async def reject(settings: Settings, topic: str, reason: Reason, at: int, count: int) -> None:
    """Have a worker reject records of a topic."""
    rejects = [
        Reject(Handed(number, at, b"{}", topic.encode()), reason, "$", "")
        for number in range(count)
    ]
    async with DeadLetters(settings) as dead_letters:
        await dead_letters.send(TP(settings.topic(topic), 0), rejects)


async def test_the_policy_file_decides_what_a_topic_must_keep(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its horizon asks for is what is checked, and what is set."""
    await topics.ensure(settings)
    file = tmp_path / "policy.toml"
    file.write_text("horizon = '90d'\n")
    monkeypatch.setenv("LIKEWAVE_POLICY_FILE", str(file))
    diagnosis = await doctor.diagnose(fix=True)

    likes = settings.topic("likes")
    assert f"set retention.ms={90 * 24 * HOUR} on topic {likes}" in diagnosis.done
    assert not any(one.check == "topics" and one.remedy for one in diagnosis.findings)
