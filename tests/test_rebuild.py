"""A rebuild: the feeds filled anew while the old ones serve, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from redis.exceptions import ResponseError

from models.errors import StoreError
from models.events import Befriend, Like, encode
from models.finding import State
from models.policy import DAY, HOUR
from models.routing import shard_of
from streams import generations, reader, rebuild, store_checks, topics, upkeep
from streams import store as stores
from streams.exposures import totals
from streams.notices import lease
from streams.pages import draw
from streams.producer import Producer
from streams.rebuild import Options, abort
from tests import command
from tests.crew import crew
from tests.feeder import Feeder, feeding
from tests.replica import NOON, traffic
from tests.test_topics import delete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from models.events import Event
    from streams.local import Store
    from streams.settings import Settings

pytestmark = pytest.mark.timeout(200)

SPARE = 15
SILENT_S = 20  # within which a command ends whose server falls silent
QUIET = [Befriend(user="ann", friend="bob", at=NOON), Like(user="bob", item="song", at=NOON)]


async def publish(settings: Settings, history: list[Event]) -> None:
    """Put a history on the log."""
    async with Producer(settings) as producer:
        await producer.publish(history)


async def databases(settings: Settings) -> set[str]:
    """Name the databases that hold anything."""
    async with stores.opened(settings) as feeds:
        return set(await feeds.info("keyspace"))


async def rebuilt(settings: Settings, folder: Path, *options: str) -> Any:
    """Rebuild as a person does; give what came of it."""
    arguments = ("rebuild", "--users", "30", "--json", *options)
    done = await asyncio.to_thread(command.run, *arguments, folder=folder, settings=settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@asynccontextmanager
async def flowing(settings: Settings) -> AsyncIterator[None]:
    """Publish some 400 events a second until left."""
    history = iter(traffic(people=150, acts=100_000))

    async def flow() -> None:
        async with Producer(settings) as producer:
            while True:
                await producer.publish(list(islice(history, 40)))
                await asyncio.sleep(0.1)

    publishing = asyncio.create_task(flow())
    yield
    publishing.cancel()


@asynccontextmanager
async def somebody_reading(settings: Settings) -> AsyncIterator[set[tuple[str, ...]]]:
    """Read a feed and its key again and again; give what was found, which should be one thing."""
    found: set[tuple[str, ...]] = set()
    home = shard_of("ann", settings.shards)

    async def read() -> None:
        async with stores.opened(settings) as feeds:
            while True:
                page = await reader.page(feeds, settings.shards, "ann")
                key: Any = await feeds.zrange(f"feed:{{{home}}}:ann", 0, -1)
                found.update({tuple(one.item for one in page), tuple(key)})
                await asyncio.sleep(0.002)

    reading = asyncio.create_task(read())
    yield found
    assert not reading.done(), reading.exception()
    reading.cancel()


@pytest.mark.parametrize("shards", [2])
async def test_a_rebuild_amid_traffic_is_not_noticed(settings: Settings, tmp_path: Path) -> None:
    """Workers go on, who reads finds the same as ever, and in the end all feeds are the log's."""
    async with crew(settings, tmp_path, workers=1) as team:
        await publish(settings, QUIET)
        await team.caught_up()
        async with flowing(settings), somebody_reading(settings) as found:
            await asyncio.sleep(2)
            done = await rebuilt(settings, tmp_path)
            await asyncio.sleep(1)
        await team.assert_equal()
        assert not team.said

    assert done["swapped"]
    assert done["verdict"]["users"] > 10  # of 30, less those who got new friends meanwhile
    assert done["held_ms"] < 1_000
    assert found == {("song",)}
    assert await databases(settings) == {"db0"}


async def test_what_is_killed_goes_on_or_is_given_up(
    settings: Settings, seed: int, tmp_path: Path
) -> None:
    """Killed anywhere, again and again: it serves as before, resumes, and leaves nothing behind."""
    chance = random.Random(seed)
    async with crew(settings, tmp_path, workers=1) as team:
        await publish(settings, [*QUIET, *traffic(people=400, acts=6_000)])
        await team.caught_up()
        async with flowing(settings), somebody_reading(settings) as found:
            for attempt in range(4):
                with command.start("rebuild", folder=tmp_path, settings=settings) as process:
                    await asyncio.sleep(chance.uniform(1, 4))
                    process.kill()
                if attempt == 1:
                    await expired(settings)
                    with suppress(StoreError):  # where it has swapped there is no way back
                        await abort(settings)
            await expired(settings)
            await rebuilt(settings, tmp_path)
        await team.assert_equal()
        assert not team.said

    assert found == {("song",)}
    assert await databases(settings) == {"db0"}


async def test_ctrl_c_says_what_stays_and_how_to_go_on(settings: Settings, tmp_path: Path) -> None:
    """One line, and the exit code of a shell; nothing is said where nothing was filled."""
    async with crew(settings, tmp_path, workers=1) as team:
        await publish(settings, [*QUIET, *traffic(people=400, acts=6_000)])
        await team.caught_up()
        before = await upkeep._left(settings)
        with command.start("rebuild", folder=tmp_path, settings=settings) as process:
            async with stores.opened(settings, database=SPARE) as spare, asyncio.timeout(60):
                while not await reader.fences(spare, 0):
                    await asyncio.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, said = await asyncio.to_thread(process.communicate)
        async with stores.opened(settings, database=SPARE) as spare:
            await spare.hset(generations.MARKER, "state", "replaced")
            swapped = await upkeep._left(settings)
            await spare.hset(generations.MARKER, "state", "filling")
        doctor = [await doctor_of_rebuilds(settings)]
        given_up = await abort(settings)
        doctor.append(await doctor_of_rebuilds(settings))

    assert process.returncode == 130
    assert said.splitlines()[-1] == (
        "likewave: interrupted; what is filled stays in database 15: run it again to go on, or "
        "give it up by `likewave rebuild --abort`"
    )
    assert (before, given_up) == ("", SPARE)
    assert doctor == [State.WARN, State.OK]
    assert swapped.startswith("it has swapped already: run it again")


async def test_a_store_that_falls_silent_ends_it_in_time(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    """It says which server does not answer; woken, the next one goes on."""
    await topics.ensure(settings)
    await publish(settings, [*QUIET, *traffic(people=400, acts=20_000)])
    with command.start("rebuild", folder=tmp_path, settings=settings) as process:
        async with stores.opened(settings, database=SPARE) as spare, asyncio.timeout(60):
            while not await reader.fences(spare, 0):
                await asyncio.sleep(0.01)
        os.kill(store.pid, signal.SIGSTOP)
        try:
            _, said = await asyncio.to_thread(process.communicate, timeout=SILENT_S)
        finally:
            os.kill(store.pid, signal.SIGCONT)
    await expired(settings)
    done = await rebuilt(settings, tmp_path)

    assert process.returncode == 1
    assert said.splitlines()[-1].startswith(f"likewave: the store at {settings.redis} does not an")
    assert done["swapped"]


async def doctor_of_rebuilds(settings: Settings) -> State:
    """Ask the doctor whether one is unfinished."""
    found = await store_checks.examine(settings, 0)
    return next(one.state for one in found if one.check == "rebuild")


async def expired(settings: Settings) -> None:
    """Wait until nobody is said to be at work."""
    async with stores.opened(settings, database=SPARE) as spare:
        while await spare.exists(generations.LEASE):
            await asyncio.sleep(0.1)


async def test_a_stack_goes_on_with_more_shards(tmp_path: Path) -> None:
    """Its workers and API end, and come back with the new numbers; so does a stack begun anew."""
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(map(encode, traffic(100, acts=900))))
    with running(tmp_path):
        run(tmp_path, "replay", "events.jsonl")
        await_lag(tmp_path)
        run(tmp_path, "rebuild", "--shards", "4", "--users", "30")
        (tmp_path / "more.jsonl").write_bytes(
            b"\n".join(map(encode, traffic(100, acts=200, start=1_000)))
        )
        run(tmp_path, "replay", "more.jsonl")
        await_lag(tmp_path)
        assert len(json.loads(run(tmp_path, "shards", "--json"))) == 4
        run(tmp_path, "audit")
        assert health(tmp_path) == 200
    with running(tmp_path):
        assert len(json.loads(run(tmp_path, "shards", "--json"))) == 4
        run(tmp_path, "audit")


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """Run a stack in `folder`."""
    with command.start("up", folder=folder) as stack:
        try:
            until((folder / ".likewave" / "stack.json").exists)
            until(lambda: health(folder) == 200)
            yield
        finally:
            stack.terminate()
            stack.communicate(timeout=30)


def run(folder: Path, *arguments: str) -> str:
    """Run a command to a good end; give what it wrote."""
    done = command.run(*arguments, folder=folder)
    assert done.returncode == 0, done
    return done.stdout


def await_lag(folder: Path) -> None:
    """Wait until all of the log is in the feeds."""
    until(lambda: json.loads(run(folder, "lag", "--json"))["lag"] == 0)


def health(folder: Path) -> int:
    """Ask the API of a stack whether it is ready."""
    told = json.loads((folder / ".likewave" / "stack.json").read_bytes())["settings"]
    with suppress(httpx.HTTPError):
        return httpx.get(told["api_url"] + "/ready").status_code
    return 0


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


async def test_nothing_is_written_or_read_under_other_numbers(settings: Settings) -> None:
    """Batches, drafts and pages of who knows other numbers are refused by the store itself."""
    other = settings.model_copy(update={"shards": 4})
    history = [Befriend(user="ann", friend="bob", at=NOON), Like(user="bob", item="a", at=NOON)]
    async with feeding(settings) as feeder:
        await feeder.feed(history, random.Random(1))
        stale = Feeder(feeder.store, other)
        stale.log = feeder.log
        with pytest.raises(StoreError, match="other numbers"):
            await stale.carry(("likes", sum(b"bob") % settings.partitions), 0, 1)
        for user in ("ann", "zoe", "bob", "u1"):  # at home here or elsewhere
            with pytest.raises(ResponseError, match="other numbers"):
                await reader.page(feeder.store, 4, user)
            with pytest.raises(ResponseError, match="other numbers"):
                await reader.wake(feeder.store, 4, user)
            with pytest.raises(ResponseError, match="other numbers"):
                await draw(feeder.store, other, user)


async def test_what_the_log_does_not_say_is_carried_over(
    settings: Settings, tmp_path: Path
) -> None:
    """Counted pages, leases of streams, and since when somebody is away."""
    async with crew(settings, tmp_path, workers=1) as team, stores.opened(settings) as feeds:
        await publish(settings, [*QUIET, Like(user="eve", item="song", at=NOON + 13 * DAY)])
        await team.caught_up()
        await lease(feeds, 1, ["ann"], NOON)
        await feeds.hset("exposures:{0}", "trial|a|1", "7")
        warm = await feeds.zrange("warm:{0}", 0, -1, withscores=True)
        await rebuilt(settings, tmp_path)

        assert await feeds.zscore("connected:{0}", "ann")
        assert [one.pages for one in await totals(feeds, 1)] == [7]
        assert await feeds.zrange("warm:{0}", 0, -1, withscores=True) == warm


async def test_a_topic_made_anew_takes_a_persons_word(settings: Settings, tmp_path: Path) -> None:
    """Its acts are kept until somebody says that they are lost; then feeds are of what is left."""
    async with crew(settings, tmp_path, workers=1) as team, stores.opened(settings) as feeds:
        await publish(settings, QUIET)
        await team.caught_up()
        await delete(settings, settings.topic("likes"))
        await topics.ensure(settings)
        with pytest.raises(StoreError, match=r"no more of likes, .*--another-log"):
            await rebuild.rebuild(settings, Options())
        assert await feeds.zcard("feed:{0}:ann") == 1

        await rebuilt(settings, tmp_path, "--another-log")
        assert await feeds.zcard("feed:{0}:ann") == 0
        await publish(settings, [Like(user="bob", item="film", at=NOON + 1)])
        await team.caught_up()
        assert await feeds.zrange("feed:{0}:ann", 0, -1) == ["film"]
    assert any("was deleted and made anew while the worker read it" in one for one in team.said)


async def test_a_log_that_was_cut_short_takes_a_persons_word(
    settings: Settings, tmp_path: Path
) -> None:
    """The same where Kafka lost the newest records of a topic that is otherwise the old one."""
    async with crew(settings, tmp_path, workers=1) as team, stores.opened(settings) as feeds:
        await publish(settings, QUIET)
        await team.caught_up()
        await team.close()
        for source, fence in (await reader.fences(feeds, 0)).items():
            if source.startswith("likes"):
                await feeds.hset("fence:{0}", source, f"99 {fence[1]} {fence[2]}")
        with pytest.raises(StoreError, match=r"no more of likes, .*--another-log"):
            await rebuild.rebuild(settings, Options())
        await rebuilt(settings, tmp_path, "--another-log")
        team.hire()
        await publish(settings, [Like(user="bob", item="film", at=NOON + 1)])
        await team.assert_equal()


woken = rebuild.Rebuild._wake


async def spoiling(self: rebuild.Rebuild, old: stores.Store, new: stores.Store) -> None:
    """Wake, and put into a feed what no log asks for."""
    await woken(self, old, new)
    await new.zadd("feed:{0}:ann", {"ghost": NOON})


async def test_what_is_not_as_the_log_asks_is_not_swapped(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the check finds a difference the old feeds go on serving."""
    async with crew(settings, tmp_path, workers=1) as team:
        await publish(settings, QUIET)
        await team.caught_up()
        monkeypatch.setattr(rebuild.Rebuild, "_wake", spoiling)
        done = await rebuild.rebuild(settings, Options())

    assert (done.swapped, done.verdict.differing) == (False, 1)
    assert await abort(settings) == SPARE
    assert await abort(settings) is None
    assert await databases(settings) == {"db0"}


@pytest.mark.parametrize("swaps", [True, False])
async def test_what_is_ended_amid_dropping_is_dropped_by_the_next(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, swaps: bool
) -> None:
    """Half of the old feeds, or of those filled in vain, are taken for no feeds."""
    drop = generations.Generation.drop

    def end(stage: str, done: int, total: int) -> None:
        if done > total // 2:
            raise StoreError(f"ended amid {stage}")

    async def begin() -> None:
        if not swaps:
            monkeypatch.setattr(rebuild.Rebuild, "_wake", spoiling)
        await rebuild.rebuild(settings, Options())
        await abort(settings)

    monkeypatch.setattr(generations, "DROPPED_AT_ONCE", 1)
    monkeypatch.setattr(generations.Generation, "drop", lambda self, _=None: drop(self, end))
    async with crew(settings, tmp_path, workers=1) as team:
        await publish(settings, [*QUIET, *traffic(people=50, acts=300)])
        await team.caught_up()
        with pytest.raises(StoreError, match="ended amid dropping"):
            await begin()
        left = await databases(settings)
        done = await rebuilt(settings, tmp_path)
        await team.assert_equal()

    assert left == {"db0", f"db{SPARE}"}
    assert done["swapped"]
    assert await databases(settings) == {"db0"}


async def test_topics_keep_what_a_longer_horizon_needs(settings: Settings) -> None:
    """The rebuild sets it itself: nothing is lost by it, and feeds would lack what expires."""
    await topics.ensure(settings)
    policy = replace(settings.policy, horizon_ms=90 * DAY)
    longer = settings.model_copy(update={"policy": policy})
    done = await rebuild.rebuild(longer, Options())

    assert done.swapped
    assert [one.faults for one in await topics.check(longer) if one.faults] == []


async def test_another_policy_is_agreed_to_and_named(settings: Settings, tmp_path: Path) -> None:
    """Meant or not, it changes all scores; without a word nothing is done. Shards need none."""
    policy = replace(settings.policy, half_life_ms=3 * HOUR)
    other = settings.model_copy(update={"policy": policy, "shards": 2})
    async with feeding(settings):
        await topics.ensure(settings)
        given = ("rebuild", "--shards", "2", "--json")
        refused = await asyncio.to_thread(command.run, *given, folder=tmp_path, settings=other)
        before = await rebuild.changes(settings)
        agreed = await rebuilt(other, tmp_path, "--yes")
        fewer = await rebuilt(other, tmp_path, "--shards", "1")

    assert (refused.returncode, before) == (1, {})
    assert json.loads(refused.stdout) == {"swapped": False, "changes": agreed["changes"]}
    assert refused.stderr == (
        f"The rebuild changes half_life_ms {6 * HOUR} -> {3 * HOUR}, shards 1 -> 2.\n"
        "likewave: the policy makes everybody's scores anew: --yes, or set it back\n"
    )
    assert agreed["changes"] == {
        "half_life_ms": [str(6 * HOUR), str(3 * HOUR)],
        "shards": ["1", "2"],
    }
    assert (agreed["swapped"], fewer["changes"]) == (True, {"shards": ["2", "1"]})


async def test_it_refuses_what_it_must_not_touch(settings: Settings) -> None:
    """A database with other data, that of another rebuild, and one that somebody is at work in."""
    await topics.ensure(settings)
    async with (
        stores.opened(settings, database=3) as other,
        stores.opened(settings, database=SPARE) as spare,
    ):
        await other.set("theirs", "1")
        with pytest.raises(StoreError, match="holds other data"):
            await rebuild.rebuild(settings, Options(database=3))
        with pytest.raises(StoreError, match="the one that serves"):
            await rebuild.rebuild(settings, Options(database=0))
        async with generations.claimed(spare) as generation:
            with pytest.raises(StoreError, match="a rebuild is at work in database 15"):
                await rebuild.rebuild(settings, Options())
            await generation.begin(settings)
            with pytest.raises(StoreError, match="a rebuild is at work in database 15"):
                await rebuild.rebuild(settings, Options())
        with pytest.raises(StoreError, match="unfinished rebuild to 1 shard or"):
            await rebuild.rebuild(settings.model_copy(update={"shards": 2}), Options())
        assert await other.get("theirs") == "1"
