"""The local stack: found by every command of its folder, kept running, and ended whole."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from models.errors import SettingsError, StackError
from streams import broker_checks
from streams.child import Child
from streams.server import free_port, usual_port
from streams.settings import load, resolve
from streams.stack import StackOptions, local_stack
from streams.supervisor import supervised, together

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from models.finding import Finding
    from streams.local import Broker, Store
    from streams.settings import Settings

UP = """
import asyncio, functools
from streams.stack import StackOptions, up
asyncio.run(up(StackOptions(workers=0), functools.partial(print, flush=True)))
"""
STACK_FILE = Path(".likewave/stack.json")
NO_WORKERS = StackOptions(workers=0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the working directory, and forget the environment's servers."""
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    for name in [name for name in os.environ if name.startswith("LIKEWAVE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def named_broker(folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name this session's broker in the environment, with topics of the test's own."""
    del folder
    monkeypatch.setenv("LIKEWAVE_KAFKA", settings.kafka)
    monkeypatch.setenv("LIKEWAVE_TOPIC_PREFIX", settings.topic_prefix)
    monkeypatch.setenv("LIKEWAVE_PARTITIONS", str(settings.partitions))
    return settings.kafka


@contextmanager
def running_up() -> Iterator[subprocess.Popen[str]]:
    """Run `up` as a process of its own until it says that it is up; end it in the end."""
    with subprocess.Popen(
        [sys.executable, "-c", UP], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("broker 127.0.0.1:")
        try:
            yield process
        finally:
            process.kill()


def test_a_stack_is_found_alone_and_ended_whole(folder: Path, broker: Broker) -> None:
    """Commands of the folder find the stack, a second one is refused, and Ctrl-C ends all of it."""
    del folder, broker  # a machine on which no broker can run skips here
    with running_up() as process:
        settings = load()
        with redis.Redis.from_url(settings.redis) as store:
            assert store.ping()
        second = subprocess.run([sys.executable, "-c", UP], capture_output=True, check=False)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0

    assert b"running in this folder already" in second.stderr
    assert not STACK_FILE.exists()
    with pytest.raises(redis.ConnectionError), redis.Redis.from_url(settings.redis) as store:
        store.ping()


def test_after_a_kill_the_next_stack_has_the_data(folder: Path, broker: Broker) -> None:
    """What a killed stack left is believed by nobody; the next one starts with what it held."""
    del folder, broker  # a machine on which no broker can run skips here
    with running_up() as process:
        with redis.Redis.from_url(load().redis) as store:
            store.set("feed", "song")
        process.kill()
        process.wait()
    assert STACK_FILE.exists()
    with pytest.raises(SettingsError, match="is not running"):
        load()

    with running_up(), redis.Redis.from_url(load().redis) as store:
        assert store.get("feed") == b"song"


async def test_named_servers_are_used_instead_of_own_ones(
    named_broker: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With LIKEWAVE_KAFKA and LIKEWAVE_REDIS the stack runs on those, and starts none."""
    monkeypatch.setenv("LIKEWAVE_REDIS", store.url)

    async with local_stack(NO_WORKERS, print) as settings:
        assert (settings.kafka, settings.redis) == (named_broker, store.url)
        assert json.loads(STACK_FILE.read_bytes())["settings"]["redis"] == store.url
        assert not Path(".likewave/store").exists()


async def test_a_stack_publishes_what_it_was_started_with(named_broker: str) -> None:
    """What was chosen for the stack is what every other command in the folder works with."""
    options = StackOptions(workers=0, overrides={"shards": 4})

    async with local_stack(options, print) as settings:
        assert named_broker == settings.kafka
        assert load() == settings
        assert load().shards == 4
        assert STACK_FILE.stat().st_mode & 0o077 == 0
    assert resolve().shards == 1


async def test_a_store_that_is_killed_comes_back(named_broker: str) -> None:
    """When the store of a stack dies, a line says so and it runs again, in the same place."""
    del named_broker
    said: list[str] = []
    async with local_stack(NO_WORKERS, said.append) as settings:
        with redis.Redis.from_url(settings.redis) as store:
            os.kill(store.info("server")["process_id"], signal.SIGKILL)
        async with asyncio.timeout(10):
            while not answers(settings.redis):
                await asyncio.sleep(0.1)

    assert said[0].startswith("store was ended by SIGKILL: ")


async def test_more_workers_than_partitions_are_refused(named_broker: str) -> None:
    """A worker without a partition would do nothing, so the stack says how many there can be."""
    del named_broker
    with pytest.raises(StackError, match="3 workers share 2 partitions"):
        async with local_stack(StackOptions(workers=3), print):
            pass


def test_the_usual_port_is_one_stacks_alone() -> None:
    """Before anything listens there too: a second that starts at the same moment takes another."""
    port = free_port()
    with ExitStack() as first, ExitStack() as second:
        assert usual_port(port, first) == port
        assert usual_port(port, second) is None
        first.close()
        assert usual_port(port, second) == port


async def test_a_taken_port_stops_the_start_and_leaves_nothing(named_broker: str) -> None:
    """A store that cannot have its port ends the start, and the folder is free again."""
    port = int(named_broker.rpartition(":")[2])

    with pytest.raises(StackError, match=f"port {port} is taken"):
        async with local_stack(StackOptions(workers=0, redis_port=port), print):
            pass

    async with local_stack(NO_WORKERS, print) as settings:
        assert answers(settings.redis)


class Unlucky(Child):
    """A program that says something and ends, with 3 at first and with 0 from the third time on."""

    def command(self) -> Sequence[str]:
        """Count the runs in the log, in which each of them leaves a line."""
        code = (
            "import sys; print('no luck', flush=1); sys.exit(3 * (len([*open(sys.argv[1])]) < 3))"
        )
        return [sys.executable, "-c", code, str(self.log)]


async def test_a_child_that_ends_starts_again_later_and_later(tmp_path: Path) -> None:
    """Each end is told with its cause; who was told to leave waits no longer than at first."""
    said: list[str] = []
    told_all = asyncio.Event()

    def hear(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            told_all.set()

    child = Unlucky("worker-1", tmp_path / "worker-1.log")
    async with together([child]), supervised([child], hear):
        await told_all.wait()

    log = f"no luck (more in {child.log})"
    assert said == [
        f"worker-1 ended with exit code 3: {log}; starts again in 1 s",
        f"worker-1 ended with exit code 3: {log}; starts again in 2 s",
        "worker-1 was told to leave; starts again in 1 s",
    ]


async def test_a_worker_that_somebody_ends_is_started_again(named_broker: str) -> None:
    """By SIGTERM it leaves without an error, and another is there soon: nobody need start one."""
    del named_broker
    said: list[str] = []
    async with (
        local_stack(StackOptions(workers=1), said.append) as settings,
        asyncio.timeout(60),
    ):
        await workers_started(1)
        worker = ["pgrep", "-P", str(os.getpid()), "-f", "streams.cli worker"]
        os.kill(int(subprocess.check_output(worker)), signal.SIGTERM)
        while "0 workers" not in (found := await checked_workers(settings)).found:
            await asyncio.sleep(0.1)
        elsewhere = await checked_workers(settings.model_copy(update={"group": "another"}))
        await workers_started(2)

    assert said == ["worker-1 was told to leave; starts again in 1 s"]
    assert found.remedy.startswith("the stack of this folder is starting one: look again in 10 s")
    assert elsewhere.remedy == "start one: likewave worker"


async def checked_workers(settings: Settings) -> Finding:
    """Give what the doctor finds of the workers."""
    found = await broker_checks.examine(settings, 0)
    return next(one for one in found if one.check == "workers")


async def workers_started(count: int) -> None:
    """Wait until the worker of this folder's stack has said so often that it has started."""
    log = Path(".likewave/worker-1.log")
    while not log.exists() or log.read_text().count("worker started") < count:
        await asyncio.sleep(0.1)


class Speaker(Child):
    """A program that writes given lines and ends with 1."""

    lines: Sequence[str] = ()

    def command(self) -> Sequence[str]:
        """Write them to standard error."""
        code = "import sys; print(*sys.argv[1:], sep='\\n', file=sys.stderr); sys.exit(1)"
        return [sys.executable, "-c", code, *self.lines]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"event": "no Kafka", "level": "error", "next": "exit code 1"}'], "no Kafka"),
        (
            [
                '{"event": "worker crashed", "level": "error", "error": "KeyError(1)"}',
                '{"event": "progress", "level": "info", "rate": 39}',
                "",
            ],
            "worker crashed: KeyError(1)",
        ),
        (["Traceback (most recent call last):", "ImportError: no such thing"], "ImportError: no"),
        (['{"event": "progress", "level": "info"}'], "it did not say why"),
    ],
    ids=["a line of ours", "with more", "a trace", "nothing"],
)
async def test_an_end_is_told_in_words(tmp_path: Path, lines: list[str], words: str) -> None:
    """What is quoted is the last fault in the log, and no line about how work went on."""
    child = Speaker("worker-1", tmp_path / "worker-1.log")
    child.lines = lines
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with together([child]), supervised([child], told.set_result):
        said = await told

    assert said.startswith(f"worker-1 ended with exit code 1: {words}")
    assert said.endswith(f"(more in {child.log}); starts again in 1 s")


async def test_children_that_are_stopped_stay_so(tmp_path: Path) -> None:
    """A supervised child that the stack itself ends is not started again."""
    said: list[str] = []
    child = Unlucky("worker-1", tmp_path / "worker-1.log")
    async with together([child]), supervised([child], said.append):
        pass
    await asyncio.sleep(1.2)

    assert said == []
    assert child.exit_code is not None


def answers(url: str) -> bool:
    """Tell whether a store answers."""
    with redis.Redis.from_url(url) as store:
        try:
            return bool(store.ping())
        except redis.ConnectionError:
            return False
