"""The servers of the local stack: they answer when started, keep their data, and say what lacks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import redis
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from models.errors import StackError
from streams.local import Broker, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def topics(broker: Broker) -> set[str]:
    """List the topics of a broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def create(broker: Broker, topic: str) -> None:
    """Create a topic of one partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


def client(store: Store) -> redis.Redis:
    """Connect to a store."""
    return redis.Redis.from_url(store.url, decode_responses=True)


async def test_a_broker_that_has_started_takes_topics(broker: Broker) -> None:
    """When `start` returns, the broker creates a topic and lists it."""
    await create(broker, "songs")

    assert "songs" in await topics(broker)


async def test_a_killed_broker_comes_back_with_its_topics(own_broker: Broker) -> None:
    """After SIGKILL the broker starts on the same port with the same topics."""
    address = own_broker.address
    await create(own_broker, "songs")

    own_broker.kill()
    own_broker.start()

    assert own_broker.address == address
    assert "songs" in await topics(own_broker)


@pytest.mark.parametrize("end", [Store.stop, Store.kill])
def test_a_store_comes_back_with_its_data(store: Store, end: Callable[[Store], None]) -> None:
    """After SIGTERM and after SIGKILL the store starts on the same port with the same keys."""
    with client(store) as before:
        before.set("feed", "song")

    end(store)
    store.start()

    with client(store) as after:
        assert after.get("feed") == "song"


def test_a_store_refuses_writes_rather_than_forget(store: Store) -> None:
    """The store evicts nothing, writes an append-only file, and listens on loopback alone."""
    with client(store) as connection:
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert connection.config_get("appendonly") == {"appendonly": "yes"}
        assert connection.config_get("bind") == {"bind": "127.0.0.1"}


def test_data_keeps_its_port(tmp_path: Path) -> None:
    """A store made anew over the same data has the port it had, as long as that is free."""
    with Store(tmp_path) as first:
        address = first.address

    with Store(tmp_path) as second:
        assert second.address == address

    with socket.create_server(("127.0.0.1", second.port)), Store(tmp_path) as third:
        assert third.address != address


def test_options_reach_the_store(tmp_path: Path) -> None:
    """An option given to a store is in force."""
    with Store(tmp_path, options={"maxmemory": "64mb"}) as store, client(store) as connection:
        assert connection.config_get("maxmemory") == {"maxmemory": str(64 << 20)}


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A configured port on which something listens stops the start, by number."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(StackError, match=f"port {port} is taken"):
            Store(tmp_path, port=port).start()


def test_missing_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Java the broker says that it needs it, and which."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))

    with pytest.raises(StackError, match="needs Java 17"):
        Broker(tmp_path).start()


def test_missing_jars_are_named(tmp_path: Path) -> None:
    """Without its jars the broker says where it looked and what brings them."""
    with pytest.raises(StackError, match=rf"missing from {tmp_path}.*make setup"):
        Broker(tmp_path, libs=tmp_path).start()


def test_a_server_that_ends_at_its_start_is_quoted(tmp_path: Path) -> None:
    """A store with an option it does not know ends, and its own words reach the person."""
    with pytest.raises(StackError, match=r"it ended with exit code 1: .*store\.log"):
        Store(tmp_path, options={"no-such-option": "1"}).start()


class Doomed(Store):
    """A store that somebody kills before it answers."""

    def answers(self) -> bool:
        """Give no answer any more."""
        self.kill()
        return False


def test_a_server_that_is_killed_at_its_start_ended_by_a_signal(tmp_path: Path) -> None:
    """The signal is named, and no line of a log that knows nothing of it."""
    store = Doomed(tmp_path)
    with pytest.raises(StackError) as told:
        store.start()

    assert str(told.value) == f"the store did not start: it was ended by SIGKILL: see {store.log}"


def test_servers_end_with_their_parent(tmp_path: Path) -> None:
    """When the process that started a store is killed, the store is gone within seconds."""
    code = (
        "import sys, time; from pathlib import Path; from streams.local import Store;"
        "store = Store(Path(sys.argv[1])); store.start(); print(store.port, flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)

    assert falls_silent(port)


def falls_silent(port: int) -> bool:
    """Wait until nothing listens on a port."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return True
        time.sleep(0.02)
    return False
