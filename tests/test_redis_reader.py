"""The user `reader` of docs/redis.md: reads every feed as anybody does, and can do nothing else."""

from __future__ import annotations

import random
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import redis
from redis.exceptions import NoPermissionError

from models.events import Befriend, Like
from models.routing import shard_of
from streams.reader import fence_key
from tests.cases import accounts
from tests.feeder import feeding
from tests.hostile import World, history
from tests.test_docs import blocks, page, sessions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.local import Store
    from streams.settings import Settings

WORLDS = 12
READ_ONLY = [("js", ".mjs", "node --check"), ("go", ".go", "gofmt -l")]
REFUSED = [
    "ZADD feed:{0}:ann 1 spam",
    "DEL feed:{0}:ann",
    "HSET fence:{0} likes:0 '9 log 1'",
    "HDEL fence:{0} likes:0",
    "EXPIRE feed:{0}:ann 1",
    "SET mine 1",
    "FCALL likewave_1_wake 1 fence:{0} ann",
    "FCALL likewave_1_page 1 fence:{0} ann 20",
    "FCALL_RO likewave_1_draw 1 fence:{0} ann",
    "FCALL_RO likewave_1_snapshot 1 fence:{0} ann",
    "EVAL 'return 1' 0",
    "ZRANGE seen:{0}:ann 0 -1",
    "ZRANGE hidden:{0}:ann 0 -1",
    "ZRANGE edges:{0}:block:ann 0 -1",
    "ZRANGE edges:{0}:mute:ann 0 -1",
    "SMEMBERS favoured:{0}:ann",
    "SMEMBERS hiders:{0}:song",
    "SMEMBERS erased:{0}",
    "ZRANGE warm:{0} 0 -1",
    "GET another",
    "KEYS *",
    "SCAN 0",
    "FLUSHALL",
    "CONFIG GET *",
    "CLIENT LIST",
    "ACL WHOAMI",
    "FUNCTION LIST",
    "MONITOR",
    "PUBLISH notices:{0} ann",
    "SUBSCRIBE notices:{0}",
    "SUBSCRIBE __keyspace@0__:seen:{0}:ann",
]


def rule() -> list[str]:
    """Give the command of the page that makes the user."""
    program, *rest = shlex.split(blocks(page("redis.md"), "sh")[0].replace("\\\n", ""))
    assert program == "redis-cli"
    return rest


@pytest.fixture
def reader(store: Store) -> Iterator[redis.Redis]:
    """Make the user, and give their client."""
    with redis.Redis.from_url(store.url) as owner:
        owner.execute_command(*rule())
    url = store.url.replace("redis://", "redis://reader:secret@")
    with redis.Redis.from_url(url, decode_responses=True, protocol=2) as client:
        client.response_callbacks.clear()
        yield client


async def tell(settings: Settings) -> None:
    """Have something in the store, so that nothing is refused for being empty."""
    acts = [Befriend(at=1, user="ann", friend="bob"), Like(at=2, user="bob", item="song")]
    async with feeding(settings, read=False) as feeder:
        await feeder.feed(acts, random.Random(1))


async def test_what_the_page_reads_the_reader_may_read(
    settings: Settings, reader: redis.Redis
) -> None:
    """Every command at its prompt but two: who may wake users, and set up a store, is another."""
    await tell(settings)
    for command, _ in sessions():
        allowed = not command.startswith(("FCALL likewave_1_wake", "CONFIG SET"))
        if allowed:
            reader.execute_command(*shlex.split(command))
        else:
            with pytest.raises(NoPermissionError):
                reader.execute_command(*shlex.split(command))


async def test_the_reader_can_do_nothing_else(settings: Settings, reader: redis.Redis) -> None:
    """It writes nowhere, calls no other function, and lists nothing that is private to a user."""
    await tell(settings)
    for command in REFUSED:
        with pytest.raises(NoPermissionError):
            reader.execute_command(*shlex.split(command))


async def test_pages_are_those_of_anybody(
    store: Store, settings: Settings, reader: redis.Redis, seed: int
) -> None:
    """In whatever has happened, the function needs no right that the user lacks."""
    with redis.Redis.from_url(store.url, decode_responses=True, protocol=2) as owner:
        for number in range(WORLDS):
            chance = random.Random(f"{seed} {number}")
            world = World.drawn(chance)
            lived = history(world, chance)
            owner.flushall()
            there = settings.model_copy(
                update={
                    "policy": world.policy,
                    "fan_out_limit": world.fan_out_limit,
                    "warm_days": world.warm_days,
                }
            )
            async with feeding(there, step=world.step) as feeder:
                await feeder.feed(lived, chance)
            for user in sorted(accounts(lived)):
                asked = ("likewave_1_page", 1, fence_key(shard_of(user, 1)), user, 120)
                assert reader.fcall_ro(*asked) == owner.fcall_ro(*asked)


async def test_pages_of_a_wide_circle_are_those_of_anybody(
    store: Store, settings: Settings, reader: redis.Redis
) -> None:
    """Neither do many acts on one item ask for more, nor an erasure that is under way."""
    friends = [f"friend{number}" for number in range(300)]
    acts = [Befriend(at=1, user="ann", friend=friend) for friend in friends]
    acts += [Like(at=2 + number, user=friend, item="song") for number, friend in enumerate(friends)]
    async with feeding(settings, read=False) as feeder:
        await feeder.feed(acts, random.Random(1))
    asked = ("likewave_1_page", 1, "fence:{0}", "ann", 20)
    with redis.Redis.from_url(store.url, decode_responses=True, protocol=2) as owner:
        assert reader.fcall_ro(*asked) == owner.fcall_ro(*asked) != []
        owner.rpush("job:{0}", "under way")
        owner.sadd("erased:{0}", "somebody")
        assert reader.fcall_ro(*asked) == owner.fcall_ro(*asked) != []


@pytest.mark.parametrize(
    "call",
    [
        *("likewave_1_page 0", "likewave_1_page 0 fence:{0} ann 20", "likewave_1_page 1 ann 20"),
        *("likewave_1_page 1 fence:{0}", "likewave_1_page 1 fence:{0} ann ten"),
        *("likewave_1_draw 0 ann", "likewave_1_draw 1 fence:{0} ann"),
        *("likewave_1_wake 0 ann", "likewave_1_wake 1 fence:0 ann", "likewave_1_wake 1 fence:{0}"),
    ],
)
async def test_a_call_that_lacks_something_is_told_what_to_give(
    store: Store, settings: Settings, call: str
) -> None:
    """In a sentence, and not by a line of the functions."""
    async with feeding(settings) as feeder:
        await feeder.feed([Befriend(at=1, user="ann", friend="bob")], random.Random(1))
    with (
        redis.Redis.from_url(store.url, decode_responses=True) as owner,
        pytest.raises(redis.ResponseError, match=r"^give .*a user") as caught,
    ):
        owner.execute_command("FCALL", *shlex.split(call))

    assert "user_function" not in str(caught.value)


async def test_from_a_shell_the_reader_is_made_and_reads(store: Store, settings: Settings) -> None:
    """What is to be pasted does so with redis-cli, where that is installed."""
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is not installed")
    await tell(settings)
    (making,) = blocks(page("redis.md"), "sh")
    (reading,) = re.findall(r"^ {4}(redis-cli -u .*)$", page("redis.md"), re.MULTILINE)
    makes = making.replace("redis-cli", f"redis-cli -u {store.url}")
    reads = reading.replace("127.0.0.1:6379/0", store.url.partition("//")[2])
    said = [
        subprocess.run(["bash", "-c", one], capture_output=True, text=True, check=True).stdout
        for one in (makes, reads)
    ]

    assert said[0] == "OK\n"
    assert said[1].splitlines()[0] == "song"


@pytest.mark.parametrize(("language", "suffix", "command"), READ_ONLY, ids=["node", "go"])
def test_examples_of_other_languages_can_be_read(
    tmp_path: Path, language: str, suffix: str, command: str
) -> None:
    """Their clients are no dependencies of ours: the programs are read, and not run."""
    program, *arguments = command.split()
    path = shutil.which(program) or pytest.skip(f"{program} is not installed")
    (source,) = blocks(page("redis.md"), language)
    (tmp_path / f"example{suffix}").write_text(source)
    done = subprocess.run(
        [path, *arguments, f"example{suffix}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=tmp_path,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
