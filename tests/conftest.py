"""Real servers and settings for the tests.

A test asks for `settings`, and has a broker, a store of its own and topics of its own. To vary
them, parametrize `shards`, `partitions` or `policy`, or override the fixture in the module.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import hypothesis
import pytest

from models.errors import StackError
from models.policy import Policy
from streams.local import Broker, Store
from streams.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.server import Server

hypothesis.settings.register_profile(
    "likewave",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("likewave")


def start(server: Server) -> None:
    """Start a server; where it cannot, skip on a person's machine and fail in CI."""
    try:
        server.start()
    except StackError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One Kafka for all tests; whoever kills or stops it asks for `own_broker`."""
    server = Broker(tmp_path_factory.mktemp("broker"))
    start(server)
    yield server
    server.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """Give a Kafka that the test may kill; a module whose `broker` this is has it in `settings`."""
    server = Broker(tmp_path / "broker")
    start(server)
    yield server
    server.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an empty Valkey that the test may kill."""
    server = Store(tmp_path / "store")
    start(server)
    yield server
    server.stop()


@pytest.fixture
def shards() -> int:
    """Give the number of shards; parametrize it to vary it."""
    return 1


@pytest.fixture
def partitions() -> int:
    """Give the number of partitions; parametrize it to vary it."""
    return 2


@pytest.fixture
def policy() -> Policy:
    """Give the policy; parametrize it to vary it."""
    return Policy()


@pytest.fixture
def settings(
    broker: Broker, store: Store, shards: int, partitions: int, policy: Policy
) -> Settings:
    """Give settings with this test's servers, and with topics and a group of its own."""
    test = uuid.uuid4().hex[:12]
    return Settings(
        kafka=broker.address,
        redis=store.url,
        shards=shards,
        partitions=partitions,
        replication=1,
        topic_prefix=f"{test}.",
        group=test,
        policy=policy,
    )


@pytest.fixture
def seed() -> int:
    """Give the seed of all chance in a test; LIKEWAVE_SEED sets another."""
    number = int(os.environ.get("LIKEWAVE_SEED", "1"))
    print(f"LIKEWAVE_SEED={number}")  # noqa: T201  pytest shows it where the test fails
    return number
