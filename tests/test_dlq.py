"""Dead letters as a tool: found, shown without harm, sent again once, dropped, and never lost."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from faust.types.tuples import TP
from typer.testing import CliRunner

from models import events
from models.decoding import Reason, Reject
from models.events import DEAD_LETTERS
from models.moments import moment
from models.policy import HOUR, MINUTE, SECOND
from streams import letters, reader, store, topics
from streams.cli import app
from streams.clock import now_ms
from streams.dead_letters import DeadLetters
from streams.producer import Producer, Record
from tests.command import environment
from tests.crew import crew
from tests.feeder import Record as Handed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from click.testing import Result

    from streams.settings import Settings

BROKEN = b'{"kind":"like","at":"soon","user":"bob","item":"song"}'
HOSTILE = b"\x1b]0;owned\x07\x1b[2J\xc2\x9b31m\xe2\x80\xaeevil\xe2\x80\xac<script>[bold]\xff\x00\\"


@pytest.mark.parametrize(
    "arguments",
    [
        ["dlq", "redrive"],
        ["dlq", "drop"],
        ["dlq", "drop", "--all", "--topic", "likes"],
        ["dlq", "redrive", "3"],
        ["dlq", "show", "3:x"],
        ["dlq", "ls", "--topic", "nope"],
        ["dlq", "release", "likes"],
        ["dlq", "release", "nope:1"],
        ["dlq", "ls", "--since", "yesterday"],
        ["dlq", "ls", "--reason", "boredom"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_code_2(arguments: list[str]) -> None:
    """Nothing is chosen by mistake: without letters, filters or --all there is no redrive."""
    told = CliRunner().invoke(app, arguments)

    assert told.exit_code == 2, told.output
    assert "Usage: " in told.output


def test_raw_bytes_are_not_written_to_a_terminal() -> None:
    """`show --raw` is for pipes and files."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "streams.cli", "dlq", "show", "0:0", "--raw"]
    done = subprocess.run(
        command, stdout=theirs, stderr=subprocess.PIPE, env=environment(), check=False, text=True
    )
    os.close(ours)
    os.close(theirs)

    assert done.returncode == 2
    assert "never to a terminal" in done.stderr


async def write(settings: Settings, *values: bytes, topic: str = "likes") -> None:
    """Have a worker reject records with these values."""
    await topics.ensure(settings)
    rejects = [
        Reject(Handed(n, now_ms(), value, b"bob"), Reason.INVALID, "$.\x1b", "what \x1b[7m is")
        for n, value in enumerate(values)
    ]
    async with DeadLetters(settings) as dead_letters:
        await dead_letters.send(TP(settings.topic(topic), 1), rejects)


async def command(settings: Settings, *arguments: str) -> Result:
    """Run a command about dead letters."""
    runner, env = CliRunner(), environment(settings)
    return await asyncio.to_thread(runner.invoke, app, ["dlq", *arguments], env=env)


async def dlq(settings: Settings, *arguments: str, code: int = 0) -> Any:
    """Run a command about dead letters; give the JSON that it writes."""
    done = await command(settings, *arguments, "--json")
    assert done.exit_code == code, (done.output, done.exception)
    assert done.stdout.isascii()
    return json.loads(done.stdout)


async def test_a_letter_is_shown_inert(settings: Settings) -> None:
    """No byte of it reaches a terminal as a command, and a pipe gets every byte."""
    await write(settings, HOSTILE, BROKEN)
    listed = await dlq(settings, "ls")
    places = {one["offset"]: one["letter"] for one in listed["newest"]}
    shown = (await command(settings, "show", places[0])).stdout
    table = (await command(settings, "ls")).stdout
    assert [line for line in table.splitlines() if line != line.rstrip()] == []

    for one in listed["newest"]:
        assert f"{one['topic']}:{one['partition']}:{one['offset']}" in table  # not torn
    for text in (shown, table):
        assert all(line.isprintable() for line in text.split("\n"))
    assert r"\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\u202c<script>[bold]\xff\x00\\" in shown
    assert "value_base64" in await dlq(settings, "show", places[0])
    assert (await dlq(settings, "show", places[1]))["value"] == BROKEN.decode()
    show = [sys.executable, "-m", "streams.cli", "dlq", "show", places[0], "--raw"]
    raw = subprocess.run(show, env=environment(settings), capture_output=True, check=True)
    assert raw.stdout == HOSTILE
    assert "there is no dead letter 0:99" in str(
        (await command(settings, "show", "0:99")).exception
    )


async def test_a_letter_fits_whatever_the_record_unpacked_to(settings: Settings) -> None:
    """A compressed record may have a key and a value that no topic takes: both are cut."""
    await topics.ensure(settings)
    huge = Handed(0, now_ms(), b"v" * 3_000_000, b"k" * 3_000_000)
    large = Handed(1, now_ms(), b"v" * 1_100_000, b"k")
    async with DeadLetters(settings) as dead_letters, asyncio.timeout(20):
        rejects = [Reject(one, Reason.OVERSIZE, "$", "many bytes") for one in (huge, large)]
        await dead_letters.send(TP(settings.topic("likes"), 1), rejects)
    done = await dlq(settings, "redrive", "--all", "--yes", code=1)
    assert done["left"] == {"has no whole value": 1, "is larger than an event may be": 1}


async def test_letters_are_chosen_by_what_they_are(settings: Settings) -> None:
    """By reason, topic, partition and time; of several, --yes is needed."""
    await write(settings, BROKEN, BROKEN, topic="views")
    await write(settings, BROKEN)

    async def total(*arguments: str) -> int:
        return int((await dlq(settings, "ls", *arguments))["total"])

    assert await total() == 3
    assert await total("--reason", "invalid", "--since", "1h", "--partition", "1") == 3
    assert await total("--topic", "views") == 2
    assert await total("--topic", settings.topic("views")) == 2
    for nothing in (("--until", "1h"), ("--reason", "future"), ("--partition", "0")):
        assert await total(*nothing) == 0
    listed = await dlq(settings, "ls", "--limit", "0")
    groups = listed["groups"]
    assert listed["newest"] == []
    assert [(one["topic"], one["count"]) for one in groups] == [
        (settings.topic("views"), 2),
        (settings.topic("likes"), 1),
    ]

    assert (await dlq(settings, "drop", "--topic", "views", code=1))["dropped"] == 0
    assert (await dlq(settings, "drop", "--topic", "views", "--yes"))["dropped"] == 2
    assert await total() == 1
    assert await total("--all-states") == 3
    assert (await dlq(settings, "drop", "--topic", "views", "--yes", code=1))["matched"] == 0


@pytest.mark.parametrize(("verb", "done"), [("redrive", "redriven"), ("drop", "dropped")])
async def test_an_interrupted_command_says_how_far_it_came(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, verb: str, done: str
) -> None:
    """Each piece of letters is done with or not, and a second run does the rest."""
    await write(settings, BROKEN, HOSTILE, BROKEN)
    monkeypatch.setattr(letters, "AT_ONCE", 1)
    mark, marked = letters.Letters.mark, []

    async def mark_until_ctrl_c(self: letters.Letters, *some: Any) -> None:
        if len(marked) == 2:
            raise KeyboardInterrupt
        marked.append(await mark(self, *some))

    with monkeypatch.context() as patch:
        patch.setattr(letters.Letters, "mark", mark_until_ctrl_c)
        ended = await command(settings, verb, "--all", "--yes")
    assert (ended.exit_code, ended.stdout) == (130, "")
    last = f"likewave: interrupted; 2 {done}: run it again for the others"
    assert ended.stderr.splitlines()[-1] == last
    assert (await dlq(settings, "ls"))["total"] == 1
    assert (await dlq(settings, verb, "--all", "--yes"))[done] == 1


async def test_redriven_letters_pass_the_same_door(settings: Settings, tmp_path: Path) -> None:
    """What is valid by now is applied; what fails again says so, and is not sent a third time."""
    async with crew(settings, tmp_path, workers=1) as team:
        early = now_ms() + 5 * MINUTE + 5 * SECOND
        late = events.View(user="bob", item="film", at=now_ms() + HOUR)
        later = events.View(user="bob", item="film", at=now_ms() * SECOND)  # not in ms
        ended = events.Unfriend(user="ann", friend="cat", at=early + 1)
        async with Producer(settings) as producer:
            await producer.publish(
                [
                    *(late, later),
                    events.Like(user="bob", item="song", at=early),
                    events.Befriend(user="ann", friend="bob", at=early),
                    events.Befriend(user="ann", friend="cat", at=early),
                ]
            )
            await producer.publish_raw([Record("likes", b"bob", BROKEN)])
            await producer.publish_raw([Record("friendships", b"friend|ann|dan", BROKEN)])
            await producer.flush()
            await team.caught_up()
            await asyncio.sleep(max(0, (ended.at - 5 * MINUTE - now_ms()) / SECOND))
            await producer.publish([ended])
            await producer.flush()
        asked = await command(settings, "redrive", "--all")
        assert "7 letters match; --yes would redrive 3, leave" in asked.stderr
        assert asked.stdout == "7 matched, 0 redriven\n"  # why some are left was told once
        done = await dlq(settings, "redrive", "--all", "--yes", code=1)
        assert (done["matched"], done["redriven"]) == (7, 3)
        assert [f"{count} ({why})" in asked.stderr for why, count in done["left"].items()] == (
            [True] * 3
        )
        assert done["left"] == {
            "still breaks the contract, on a compacted topic": 1,
            "was overtaken: the log has a newer word": 1,
            f"lies in the future still: accepted from {moment(late.at - 5 * MINUTE)} UTC on, "
            f"the last of them from {moment(later.at - 5 * MINUTE)} UTC on": 2,
        }
        views = (await dlq(settings, "ls", "--topic", "views"))["newest"]
        first = min(views, key=lambda one: one["offset"])
        shown = (await command(settings, "show", first["letter"])).stdout
        assert f"time       {first['time']} ({moment(first['time'])} UTC)" in shown
        assert f"accepted   from {moment(late.at - 5 * MINUTE)} UTC on" in shown
        done = await dlq(settings, "redrive", first["letter"], code=1)
        assert list(done["left"]) == [
            f"lies in the future still: accepted from {moment(late.at - 5 * MINUTE)} UTC on"
        ]
        await team.caught_up()
        again = (await dlq(settings, "ls", "--topic", "likes"))["newest"]
        assert [one["redriven"] for one in again] == [1]
        done = await dlq(settings, "redrive", again[0]["letter"], code=1)
        assert done["left"] == {"failed again after it was redriven (--again sends it)": 1}
        await dlq(settings, "redrive", again[0]["letter"], "--again")
        await team.caught_up()
        again = (await dlq(settings, "ls", "--topic", "likes"))["newest"]
        assert [one["redriven"] for one in again] == [2]
        async with store.opened(settings) as feeds:
            assert [one.item for one in await reader.page(feeds, 1, "ann")] == ["song"]
        await team.assert_equal(rejected=9)


@asynccontextmanager
async def refusing(settings: Settings) -> AsyncIterator[None]:
    """Have the dead-letter topic take nothing."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()

    async def take(size: int) -> None:
        options = {"max.message.bytes": str(size)}
        name = settings.topic(DEAD_LETTERS)
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, options)])

    await take(10)
    yield
    await take(topics.DEAD_MESSAGE_BYTES)
    await admin.close()


async def test_no_letter_is_lost_while_its_topic_takes_none(
    settings: Settings, tmp_path: Path
) -> None:
    """The partition waits, its offsets with it, and goes on as soon as it can."""
    async with crew(settings, tmp_path, workers=1) as team, Producer(settings) as producer:
        await producer.publish([events.Like(user="bob", item="song", at=1)])
        await producer.flush()
        await team.caught_up()
        async with refusing(settings):
            await producer.publish_raw([Record("likes", b"bob", BROKEN)])
            await producer.publish([events.Like(user="bob", item="film", at=2)])
            await producer.flush()
            await asyncio.sleep(3)
            async with store.opened(settings) as feeds:
                assert await feeds.zrange("acts:{0}:like:bob", 0, -1) == ["song"]
        await team.assert_equal(rejected=1)
    async with letters.opened(settings) as mail:
        found = await mail.read(letters.Selection(), lambda *_: None)
    assert [one.value for one in found] == [BROKEN]


async def test_a_record_that_is_rejected_once_more_is_the_same_letter(settings: Settings) -> None:
    """A refill writes letters anew: what was dropped stays dropped, what is open counts once."""
    await write(settings, BROKEN, HOSTILE)
    first = (await dlq(settings, "ls"))["newest"]
    await dlq(settings, "drop", next(one["letter"] for one in first if one["offset"] == 0))
    await write(settings, BROKEN, HOSTILE)
    (left,) = (await dlq(settings, "ls"))["newest"]

    assert left["offset"] == 1
    assert left["letter"] not in [one["letter"] for one in first]
    for one in first:
        assert (await dlq(settings, "show", one["letter"]))["offset"] == one["offset"]
    assert (await dlq(settings, "ls", "--all-states"))["total"] == 2
    await write(settings, b"another record at the same place, of a topic that was made anew")
    assert (await dlq(settings, "ls"))["total"] == 2
