"""The local stack of a folder: broker, store, API, workers and monitor, kept running.

.likewave/  stack.json       where the running stack is: every command in the folder reads it
            targets.json     where each process serves its metrics, as Prometheus reads it
            lock             held while a stack runs; the system frees it with the process
            broker/ store/   their data and their logs
            api/ worker-1.log monitor.log …  what the API, the workers and the monitor say
            api-*            the key and the secret of the API (streams/keys.py)
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import signal
import sys
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from models.counting import counted
from models.errors import StackError
from streams import keys, topics
from streams.child import Child
from streams.local import Broker, Store
from streams.server import HOST, Server, exchange, free_port, usual_port
from streams.settings import (
    DATA_DIR,
    LOCK_FILE,
    PREFIX,
    SECRETS,
    STACK_FILE,
    Security,
    resolve,
    running_stack,
)
from streams.store import address, filled_with, opened
from streams.supervisor import supervised, together

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from streams.settings import Settings

TARGETS_FILE = DATA_DIR / "targets.json"
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """What a person may choose; `overrides` are fields of Settings, ports are free ones by default.

    A server named in `overrides` or in the environment is used instead of one of our own.
    """

    workers: int = 1
    kafka_port: int | None = None
    redis_port: int | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)


class Api(Server):
    """The API of this folder's stack, on the usual port where nothing else is."""

    def __init__(self, settings: Settings, running: ExitStack) -> None:
        port: int | None = settings.api_port
        if "api_port" not in settings.model_fields_set:
            port = usual_port(settings.api_port, running)
        super().__init__("api", DATA_DIR / "api", port)
        self.metrics_port = free_port()

    def prepare(self) -> None:
        """Need nothing: the settings are in the stack's file."""

    def command(self) -> Sequence[str]:
        """Give the command that a person would type."""
        return _likewave("api", self.metrics_port)

    def answers(self) -> bool:
        """Tell whether the API lives."""
        return exchange(self.port, b"GET /health HTTP/1.0\r\n\r\n", 12) == b"HTTP/1.1 200"

    def reached_by(self, settings: Settings) -> Settings:
        """Give settings that lead to this API, and with which it can start."""
        made = keys.make_local() | {
            "api_port": self.port,
            "api_url": f"http://{settings.api_host}:{self.port}",
        }
        given = settings.model_fields_set
        return settings.model_copy(
            update={name: value for name, value in made.items() if name not in given}
        )


class Worker(Child):
    """A worker of this folder's stack, as a process of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(f"worker-{number}", DATA_DIR / f"worker-{number}.log")
        self.metrics_port = free_port()

    def command(self) -> Sequence[str]:
        """Give the command that a person would type."""
        return _likewave("worker", self.metrics_port)


def _likewave(command: str, metrics_port: int) -> list[str]:
    """Give a command whose metrics are on a port of its own: one cannot be that of all."""
    where = [f"{PREFIX}METRICS_HOST={HOST}", f"{PREFIX}METRICS_PORT={metrics_port}"]
    return ["env", *where, sys.executable, "-m", "streams.cli", command]


class Monitor(Child):
    """The monitor of this folder's stack, on the usual port where nothing else is."""

    def __init__(self) -> None:
        super().__init__("monitor", DATA_DIR / "monitor.log")

    def command(self) -> Sequence[str]:
        """Give the command that a person would type."""
        return [sys.executable, "-m", "streams.cli", "monitor"]

    @staticmethod
    def reached_by(settings: Settings, running: ExitStack) -> Settings:
        """Give settings with a port that the monitor can have."""
        if "monitor_port" in settings.model_fields_set:
            return settings
        port = usual_port(settings.monitor_port, running) or free_port()
        return settings.model_copy(update={"monitor_port": port})


async def up(options: StackOptions, say: Callable[[str], None]) -> None:
    """Run the stack until Ctrl-C or SIGTERM; `say` tells a person what happens."""
    end = asyncio.Event()
    for number in END_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with local_stack(options, say) as settings:
        say(f"broker {settings.kafka}, store {address(settings.redis)}, workers: {options.workers}")
        say(f"page and API {settings.api_url}/ (docs: /docs); to sign in: likewave token USER")
        say(f"operators {settings.api_url}/operator; to sign in: likewave token ops --operator")
        say(f"metrics http://{settings.monitor_host}:{settings.monitor_port}/metrics")
        say(f"Data and logs are in {DATA_DIR}/ and stay there. Ctrl-C ends the stack.")
        await end.wait()
    say("The stack has ended.")


def workers_kept(settings: Settings) -> int:
    """Count the workers of these settings that the stack of this folder keeps running."""
    stack = running_stack()
    if (stack.get("kafka"), stack.get("group")) != (settings.kafka, settings.group):
        return 0
    try:
        targets = json.loads(TARGETS_FILE.read_bytes())
    except FileNotFoundError:  # it is ending
        return 0
    return sum(one["labels"]["job"] == _job("worker") for one in targets)


def _job(name: str) -> str:
    return f"likewave-{name}"


def _target(job: str, port: int) -> dict[str, object]:
    """Give where metrics are, as Prometheus' `file_sd_configs` has it."""
    return {"targets": [f"{HOST}:{port}"], "labels": {"job": _job(job)}}


@asynccontextmanager
async def local_stack(options: StackOptions, say: Callable[[str], None]) -> AsyncIterator[Settings]:
    """Run all of it for this folder, and give settings that reach it.

    Raises StackError where a stack is running already or cannot start, and what `topics.ensure`
    raises.
    """
    with _claimed_folder(), ExitStack() as running:
        settings, servers = _start_servers(resolve(**options.overrides), options, running)
        if options.workers > settings.partitions:
            raise StackError(
                f"{options.workers} workers share {counted(settings.partitions, 'partition')}: "
                "start fewer workers, or set LIKEWAVE_PARTITIONS before the topics exist"
            )
        settings = await _as_filled(settings)
        await topics.ensure(settings)
        api = Api(settings, running)
        settings = Monitor.reached_by(api.reached_by(settings), running)
        monitor = Monitor()
        workers = [Worker(number) for number in range(1, options.workers + 1)]
        targets = [_target("worker", one.metrics_port) for one in workers]
        targets.append(_target("api", api.metrics_port))
        targets.append(_target("monitor", settings.monitor_port))
        with _published(settings, targets):
            async with together([*workers, monitor]):
                with api:
                    async with supervised([*servers, api, *workers, monitor], say):
                        yield settings


async def _as_filled(settings: Settings) -> Settings:
    """Take over the numbers that the store was filled with, where nobody chose others."""
    async with opened(settings) as store:
        found = await filled_with(store)
    given = settings.model_fields_set
    chosen = "policy" in given or settings.policy_file is not None
    kept = {"shards"} & given | ({"policy"} if chosen else set())
    return settings.model_copy(update={k: v for k, v in found.items() if k not in kept})


def _start_servers(
    settings: Settings, options: StackOptions, running: ExitStack
) -> tuple[Settings, list[Server]]:
    servers: list[Server] = []
    found: dict[str, str] = {}
    if "kafka" not in settings.model_fields_set:
        broker = running.enter_context(Broker(DATA_DIR / "broker", port=options.kafka_port))
        servers.append(broker)
        found |= {"kafka": broker.address, "kafka_security": Security.PLAINTEXT}
    if "redis" not in settings.model_fields_set:
        store = running.enter_context(Store(DATA_DIR / "store", port=options.redis_port))
        servers.append(store)
        found["redis"] = store.url
    return settings.model_copy(update=found), servers


@contextmanager
def _claimed_folder() -> Iterator[None]:
    try:
        DATA_DIR.mkdir(exist_ok=True)
        lock = LOCK_FILE.open("a+")
    except OSError as error:
        raise StackError(f"cannot write to {DATA_DIR.absolute()}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(
                f"a stack is running in this folder already ({STACK_FILE}): use it or end it first"
            ) from error
        STACK_FILE.unlink(missing_ok=True)  # left by a stack that was killed
        yield


@contextmanager
def _published(settings: Settings, targets: Sequence[Mapping[str, object]]) -> Iterator[None]:
    path = settings.policy_file
    absolute = settings.model_copy(update={"policy_file": path and path.absolute()})
    known = absolute.model_dump(mode="json")
    for name in SECRETS:
        if (secret := getattr(settings, name)) is not None:
            known[name] = secret.get_secret_value()
    draft = STACK_FILE.with_suffix(".draft")
    draft.touch(mode=0o600)  # a URL may hold a password, and a secret is one
    draft.write_text(json.dumps({"settings": known}, indent=2))
    draft.replace(STACK_FILE)
    TARGETS_FILE.write_text(json.dumps(targets, indent=2))
    try:
        yield
    finally:
        STACK_FILE.unlink(missing_ok=True)
        TARGETS_FILE.unlink(missing_ok=True)
