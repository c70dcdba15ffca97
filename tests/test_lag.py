"""The lag is what is in the log and not yet in every shard, whoever runs or does not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient

from models.events import Like
from models.finding import State
from models.policy import MINUTE
from models.presence import QUIET_S
from models.refusal import CLI
from models.verdict import Verdict
from streams import attendance, broker_checks, reader, store, store_checks, topics
from streams.clock import now_ms
from streams.producer import Producer
from streams.verdicts import Lookout
from tests.command import run, start
from tests.crew import crew

if TYPE_CHECKING:
    from pathlib import Path

    from streams.local import Store as LocalStore
    from streams.settings import Settings
    from streams.verdicts import Diagnosis, Judged


async def publish(settings: Settings, count: int, *, users: int = 1) -> None:
    """Publish likes; by one user they are all in one partition."""
    async with Producer(settings) as producer:
        await producer.publish(
            Like(user=f"ann-{number % users}", item=f"song-{number}", at=now_ms())
            for number in range(count)
        )


async def measured(settings: Settings, seconds: float = 0.0) -> Diagnosis:
    """Look once, or for some seconds."""
    async with Lookout(settings, window_s=60, recent_s=seconds) as lookout:
        return await lookout.watch(seconds, every_s=0.25)


def likes(found: Diagnosis) -> Judged:
    """Give the partition with the likes."""
    return max(found.partitions, key=lambda one: one.end)


async def set_fences(settings: Settings, offsets: list[int], log: str | None = None) -> int:
    """Have each shard hold the likes up to its offset; give their partition."""
    ends = await topics.log_bounds(settings)
    partition = max(range(settings.partitions), key=lambda one: ends["likes", one][1])
    log = log or (await topics.log_ids(settings))["likes"]
    async with store.opened(settings) as feeds:
        for shard, offset in enumerate(offsets):
            fence = f"{offset} {log} 1"
            await feeds.hset(reader.fence_key(shard), f"likes:{partition}", fence)
    return partition


async def test_with_nothing_applied_all_of_the_log_is_lag(settings: Settings) -> None:
    """No worker has to run for it, and the wait is that of the oldest event."""
    await topics.ensure(settings)
    await publish(settings, 25)
    first = await measured(settings)
    second = await measured(settings)

    assert (first.lag, second.lag) == (25, 25)
    assert 0 <= first.seconds < second.seconds < 60
    assert len(first.partitions) == len(topics.TOPICS) * settings.partitions
    assert sum(1 for one in first.partitions if one.lag) == 1


@pytest.mark.parametrize("shards", [2])
async def test_the_shard_that_is_furthest_behind_counts(settings: Settings) -> None:
    """What one of the shards lacks is not applied."""
    await topics.ensure(settings)
    await publish(settings, 25)
    partition = await set_fences(settings, [25, 20])
    behind = await measured(settings)
    await set_fences(settings, [25, 25])
    level = await measured(settings)

    found = next(one for one in behind.partitions if one.lag)
    assert (found.topic, found.partition, found.fence, found.end) == ("likes", partition, 20, 25)
    assert (behind.lag, level.lag, level.seconds) == (5, 0, 0.0)


async def test_a_fence_that_says_nothing_is_an_error_with_its_remedy(settings: Settings) -> None:
    """Where a topic lost records, is missing, or was made anew, the sentence says what to do."""
    await topics.ensure(settings)
    await publish(settings, 25)
    await set_fences(settings, [26])
    name = settings.topic("likes")
    admin = AdminClient({"bootstrap.servers": settings.kafka})
    async with Lookout(settings, window_s=60, recent_s=1) as lookout:
        beyond = likes(await lookout.look())
        admin.delete_topics([name])[name].result()
        missing = (await lookout.look()).partitions[-1]
        await topics.ensure(settings)
        await publish(settings, 30)
        anew = likes(await lookout.look())

    assert {beyond.verdict, missing.verdict, anew.verdict} == {Verdict.ERR}
    assert "beyond the end of the log, which lost records: where" in beyond.sentence
    assert (missing.sentence, missing.command) == (f"there is no topic {name}", "likewave topics")
    assert beyond.command == anew.command == "likewave rebuild --another-log"
    assert "from another log" in anew.sentence
    assert anew.lag == 30


async def test_more_and_more_that_waits_is_a_warning(settings: Settings) -> None:
    """Events are applied, but not as fast as they come."""
    await topics.ensure(settings)
    await publish(settings, 50)
    async with Lookout(settings, window_s=60, recent_s=1) as lookout:
        for offset in range(6):
            await publish(settings, 20)
            await set_fences(settings, [offset])
            found = likes(await lookout.look())

    assert found.verdict is Verdict.WARN
    assert found.arrival_rate > found.applied_rate > 0
    assert found.catch_up_s is None


async def test_a_worker_brings_the_lag_to_nothing(settings: Settings, tmp_path: Path) -> None:
    """A script sees the same as a person, before and after; the group of workers means nothing."""
    await topics.ensure(settings)
    await publish(settings, 125)
    before = run("lag", "--window", "1", "--json", folder=tmp_path, settings=settings)
    async with crew(settings, tmp_path, workers=1) as workers:
        await workers.caught_up()
    admin = AdminClient({"bootstrap.servers": settings.kafka})
    admin.delete_consumer_groups([settings.group])[settings.group].result()
    after = run("lag", "--window", "1", folder=tmp_path, settings=settings)
    found = json.loads(before.stdout)

    assert (found["lag"], found["verdict"], found["catch_up_s"]) == (125, "STOP", None)
    assert found["hot_accounts"] == [{"account": "ann-0", "share": 1.0}]
    assert (before.stderr, before.returncode, after.returncode) == ("", 2, 0)
    assert after.stdout.splitlines() == [
        "lag: 0, all that was published is applied",
        "12 partitions are OK, and nothing waits",
    ]


async def test_a_worker_that_starts_is_never_called_a_stall(
    settings: Settings, tmp_path: Path
) -> None:
    """From nobody there to all applied no other verdicts are given than those that are true."""
    await topics.ensure(settings)
    await publish(settings, 25)
    async with Lookout(settings, window_s=60, recent_s=1) as lookout:
        seen = [(await lookout.watch(1.5, every_s=0.5)).verdict]
        async with crew(settings, tmp_path, workers=1), asyncio.timeout(60):
            while (found := await lookout.look()).lag:
                seen.append(found.verdict)
                await asyncio.sleep(0.2)

    assert seen[0] is Verdict.STOP
    assert Verdict.WARN in seen  # it is there, and has not yet begun
    assert set(seen) <= {Verdict.STOP, Verdict.WARN, Verdict.OK}


async def test_what_happens_to_workers_and_store_is_named(
    settings: Settings, tmp_path: Path
) -> None:
    """A frozen worker is out of the group, but seen; what it writes later changes nothing."""
    async with (
        crew(settings, tmp_path, workers=1) as workers,
        Lookout(settings, window_s=60, recent_s=1) as lookout,
    ):
        await publish(settings, 25)
        await workers.caught_up()
        (worker,) = workers.workers
        os.kill(frozen_pid := worker.pid, signal.SIGSTOP)
        await publish(settings, 25)
        frozen = likes(await lookout.watch(8, every_s=0.5))  # longer than the worker's session
        doctored = await broker_checks.examine(settings, 0)
        await publish(settings, 25)
        more = likes(await lookout.look())
        os.kill(worker.pid, signal.SIGCONT)
        await workers.assert_equal()
        async with store.opened(settings) as feeds:
            await feeds.flushall()
        flushed = likes(await lookout.look())
        await workers.assert_equal()
        refilled = likes(await lookout.look())
        await workers.dismiss(worker)
        await publish(settings, 25)
        stopped = likes(await lookout.watch(1, every_s=0.25))

    assert (frozen.verdict, frozen.lag, more.lag) == (Verdict.STALL, 25, 50)
    assert f"args -p {frozen_pid}  # on" in frozen.command
    assert [one.remedy for one in doctored if one.state is State.FAIL] == [
        f"{frozen.command}; in state T: kill -9 it"
    ]
    assert (flushed.verdict, refilled.verdict) == (Verdict.REWIND, Verdict.OK)
    assert (stopped.verdict, stopped.command) == (Verdict.STOP, "likewave worker")


async def test_a_step_back_is_remembered_until_it_is_made_up_for(settings: Settings) -> None:
    """However long that takes: the window is shorter than a refill."""
    await topics.ensure(settings)
    await publish(settings, 25)
    async with Lookout(settings, window_s=0.5, recent_s=0.25) as lookout:
        await set_fences(settings, [20])
        await lookout.look()
        await set_fences(settings, [5])
        long_after = likes(await lookout.watch(2, every_s=0.1))
        await set_fences(settings, [20])
        made_up_for = likes(await lookout.look())

    assert long_after.verdict is Verdict.REWIND
    assert made_up_for.verdict is not Verdict.REWIND


async def test_a_frozen_worker_of_two_is_named_though_nothing_waits(
    settings: Settings, tmp_path: Path
) -> None:
    """The other one applies all there is: `lag` warns, of the frozen one alone, until it wakes."""
    said_at_once = set()
    async with (
        crew(settings, tmp_path, workers=2) as workers,
        Lookout(settings, window_s=60, recent_s=1) as lookout,
        store.opened(settings) as feeds,
    ):
        await publish(settings, 25)
        await workers.caught_up()
        async with asyncio.timeout(30):
            while any(one.is_new for one in await attendance.connected(feeds, settings)):
                await asyncio.sleep(0.5)
        well = await lookout.look()
        frozen = workers.workers[0].pid
        os.kill(frozen, signal.SIGSTOP)
        await asyncio.sleep(QUIET_S)  # in which both are suspected
        await publish(settings, 250, users=50)
        async with asyncio.timeout(30):
            while not (found := await lookout.look()).silent:
                said_at_once |= {one.command for one in found.partitions if one.lag} - {""}
                await asyncio.sleep(0.25)
        await publish(settings, 25)
        await workers.caught_up()
        said = await asyncio.to_thread(run, "lag", folder=tmp_path, settings=settings)
        doctored = {one.check: one for one in await broker_checks.examine(settings, 0)}
        os.kill(frozen, signal.SIGCONT)
        async with asyncio.timeout(30):
            while (awake := await lookout.look()).silent:
                await asyncio.sleep(0.5)

    assert (well.silent, awake.silent) == ([], [])
    assert [name.rpartition(":")[2] for name in found.silent] == [str(frozen)]
    assert [one for one in said_at_once if f"args -p {frozen}  # on" not in one] == []
    assert said_at_once
    assert said.returncode == 1
    assert "WARN 1 worker: " in said.stdout
    assert f"ps -o pid,stat,etime,args -p {frozen}  # on" in said.stdout
    assert f"ps -o pid,stat,etime,args -p {frozen}  # on" in doctored["workers"].remedy
    assert found.silent[0] in doctored["workers"].found


async def test_a_full_store_is_named_and_the_command_helps(
    settings: Settings, tmp_path: Path
) -> None:
    """No worker is suspected; with the memory that the command gives they go on by themselves."""
    async with (
        crew(settings, tmp_path, workers=1) as workers,
        Lookout(settings, window_s=60, recent_s=1) as lookout,
        store.opened(settings) as feeds,
    ):
        await publish(settings, 25)
        await workers.caught_up()
        await feeds.config_set("maxmemory", (await feeds.info("memory"))["used_memory"] // 2)
        await publish(settings, 25)
        full = likes(await lookout.watch(2, every_s=0.5))
        doctored = {one.check: one for one in await store_checks.examine(settings, 0)}
        command, setting, name, limit = full.command.removeprefix(f"{CLI} ").split(" ")
        await feeds.execute_command(command, setting, name, limit)
        await workers.assert_equal()

    assert (full.verdict, full.lag) == (Verdict.STALL, 25)
    assert "s: the store is full (" in full.sentence
    assert full.command == doctored["memory"].remedy == f"{CLI} CONFIG SET maxmemory 100mb"


async def test_servers_that_are_away_are_one_line_and_come_back(
    settings: Settings, store: LocalStore, tmp_path: Path
) -> None:
    """Nothing can be said then: exit code 3, and whoever goes on looking sees the rest."""
    await topics.ensure(settings)
    async with Lookout(settings, window_s=60, recent_s=1) as lookout:
        before = await lookout.look()
        store.kill()
        away = await lookout.look()
        done = run("lag", folder=tmp_path, settings=settings)
        store.start()
        after = await lookout.look()
    nowhere = run("lag", folder=tmp_path, settings=settings.model_copy(update={"kafka": "[::1]:9"}))

    assert (before.error, after.error, away.broker_up) == ("", "", True)
    assert done.returncode == nowhere.returncode == 3
    assert done.stderr.startswith(f"likewave: no Redis at {settings.redis}")
    assert nowhere.stderr.startswith("likewave: no Kafka at [::1]:9")
    assert len(done.stderr.splitlines()) == len(nowhere.stderr.splitlines()) == 1


def test_a_script_that_watches_hears_of_every_look(settings: Settings, tmp_path: Path) -> None:
    """A line each second where nothing changes, so that silence is a hang and nothing else."""
    nowhere = {"kafka": "127.0.0.1:9", "redis": "redis://127.0.0.1:9/0"}
    watching = ("lag", "--watch", "--json")
    with start(*watching, folder=tmp_path, settings=settings.model_copy(update=nowhere)) as process:
        assert process.stdout is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        process.communicate()

    moments = [one.pop("at") for one in looks]
    assert looks[0]["error"].startswith("no ")
    assert looks == 3 * looks[:1]
    assert moments == sorted(set(moments))
    assert abs(now_ms() - moments[-1]) < MINUTE
    assert process.returncode == 130
