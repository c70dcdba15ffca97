"""What producers can paste: each example of docs/events.md, run as it stands, ends in a feed."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from models.decoding import decode
from streams import reader, topics
from streams.local import LIBS
from streams.producer import hashed
from tests.command import environment
from tests.doors import serving
from tests.feeder import feeding
from tests.test_docs import blocks, page
from tests.test_producer import read

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import Settings

PATIENCE_S = 60
USED = ("friendships", "likes")


def section(title: str) -> str:
    """Give the text below a heading of the page on events."""
    return page("events.md").partition(f"\n### {title}\n")[2].partition("\n### ")[0]


def needing(program: str) -> str:
    """Give the path of a program; where it is missing, skip on a person's machine, fail in CI."""
    path = shutil.which(program)
    if path is None and not os.environ.get("CI"):
        pytest.skip(f"{program} is not installed")
    assert path is not None, f"{program} is not installed"
    return path


def here(text: str, settings: Settings) -> str:
    """Have an example name the broker and the topics of this test."""
    named = re.sub(r"likewave\.(?=friendships|likes|\$?\{topic)", settings.topic_prefix, text)
    return named.replace("127.0.0.1:9092", settings.kafka)


def run(command: list[str], **environ: str) -> str:
    """Run a program of the page; it must end well."""
    done = subprocess.run(
        command,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def feed_of(settings: Settings, user: str) -> list[reader.Entry]:
    """Decode what is in the log as a worker does, carry it into the store, and read a feed."""
    async with feeding(settings) as feeder:
        for topic in USED:
            records = await read(settings, topic)
            decoded = decode(topic, records)
            assert decoded.rejects == []
            for record, event in zip(records, decoded.events, strict=True):
                assert record.key == event.key.encode()
                assert record.partition == hashed(record.key) % settings.partitions
            await feeder.feed(decoded.events, random.Random(1))
        return await reader.page(feeder.store, settings.shards, user)


def assert_told(settings: Settings) -> None:
    """The story of all examples: lee liked a tune, and kay has it from lee."""
    (entry,) = asyncio.run(feed_of(settings, "kay"))

    assert (entry.item, [(one.kind, one.who) for one in entry.proofs]) == (
        "tune",
        [("like", "lee")],
    )


@pytest.fixture(autouse=True)
def _topics(settings: Settings) -> None:
    asyncio.run(topics.ensure(settings))


@pytest.mark.parametrize("partitions", [7])
def test_kcat(settings: Settings) -> None:
    """From a shell, through librdkafka."""
    needing("kcat")
    (program,) = blocks(section("kcat"), "sh")
    run(["bash", "-euo", "pipefail", "-c", here(program, settings)])

    assert_told(settings)


@pytest.mark.parametrize("partitions", [7])
@pytest.mark.parametrize("client", ["Likewave", "confluent-kafka", "aiokafka"])
def test_python(settings: Settings, client: str) -> None:
    """With the client of Likewave, and with two that know nothing of it."""
    (program,) = blocks(section(f"Python, with {client}"), "python")
    run([sys.executable, "-c", here(program, settings)], **environment(settings))

    assert_told(settings)


@pytest.mark.parametrize("partitions", [7])
def test_java(settings: Settings, tmp_path: Path) -> None:
    """With Kafka's own client, compiled from the source on the page."""
    needing("javac")
    (program,) = blocks(section("Java"), "java")
    (tmp_path / "Publish.java").write_text(here(program, settings))
    jars = f"{LIBS.absolute()}/*"
    run([needing("java"), "-cp", jars, str(tmp_path / "Publish.java")])

    assert_told(settings)


def test_node(tmp_path: Path) -> None:
    """Its module is no dependency of ours: it is read, and not run."""
    (program,) = blocks(section("Node"), "js")
    (tmp_path / "publish.mjs").write_text(program)

    run([needing("node"), "--check", str(tmp_path / "publish.mjs")])


def test_http(settings: Settings, tmp_path: Path) -> None:
    """With curl: a user's like, an operator's friendship, and the like again as a CloudEvent."""
    needing("curl")
    with serving(settings, tmp_path) as doors:
        tokens = {"TOKEN": doors.token("lee"), "OPERATOR_TOKEN": doors.token("ops", operator=True)}
        answers = [
            run(["bash", "-euo", "pipefail", "-c", program], API=doors.url, **tokens)
            for program in blocks(section("HTTP"), "sh")
        ]

    assert answers == ['{"results":[{"status":"acknowledged"}]}'] * 3
    assert answers[0] in section("HTTP")
    assert_told(settings)
