"""`likewave erase`: gone from the store and the dead letters, and a receipt that says so."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
from typing import TYPE_CHECKING

import pytest

from models.letters import Letter, Place, Selection, State
from models.letters import names as is_named
from models.traces import NAMELESS, NAMINGS
from streams import erasure, letters, library, store, topics
from streams.history import unheard
from streams.producer import Producer, Record
from tests.command import complaint, run, start
from tests.crew import crew
from tests.feeder import feeding
from tests.test_traces import lived, names, people, stored

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import Settings

ALL = Selection(states=frozenset(State))
NAMING = b'{"kind":"like","at":"soon","user":"u3","item":"song"}'
OTHER = b'{"kind":"like","at":"soon","user":"u1","item":"u3"}'


def test_every_key_of_the_shards_is_known_to_name_accounts_or_not() -> None:
    """A new key must be entered where an erasure looks, or among those that name nobody."""
    head = library.code().partition("]]")[0]
    keys = set(re.findall(r"^ {4}([a-z]+):\{s\}", head, re.MULTILINE))

    assert keys - NAMINGS.keys() - NAMELESS == set()


@pytest.mark.parametrize(
    ("value", "key", "detail"),
    [
        (b'{"user":"u3"}', b"x", ""),
        (b'{"\\u0075ser":"\\u00753"}', b"x", ""),
        (b'{"a":[{"b":["u3"]}]}', b"x", ""),
        (b'{"u3":1}', b"x", ""),
        (b'{"user":"u1","item":"u1"}', b"friend|u1|u3", ""),
        (b'{"user":"u1","to":"u3 u4"}', None, ""),
        (b"", b"u3", ""),
        (None, None, "a user cannot act on themselves (u3)"),
        (b"{user: u3", b"x", ""),
        (b"[" * 60_000 + b'"u3"', b"x", ""),
    ],
)
def test_a_letter_names_an_account_wherever_it_stands(
    value: bytes | None, key: bytes | None, detail: str
) -> None:
    """In value, key or complaint, escaped or nested; what is no JSON is searched as it is."""
    letter = Letter(Place(0, 0), 0, key, value, {"detail": detail})

    assert is_named(letter, "u3")
    assert not is_named(letter, "u33")
    assert not is_named(letter, "3")


@pytest.mark.parametrize("key", [b"post|u1|u3", b"hide|u1|u3", b"takedown|u3", b"u1-u3"])
def test_an_item_of_the_same_id_is_no_account(key: bytes) -> None:
    """Letters of others, about an item that happens to be called the same, are kept."""
    letter = Letter(Place(0, 0), 0, key, b'{"user":"u1","item":"u3","topics":["u3"]}', {})

    assert not is_named(letter, "u3")


@pytest.mark.parametrize("shards", [1, 4])
async def test_the_count_is_that_of_a_plain_look(settings: Settings, seed: int) -> None:
    """An account is found exactly where its id stands, in whatever kind of key."""
    async with feeding(settings) as feeder:
        await feeder.feed(lived(random.Random(seed)), random.Random(seed))
        everything = await stored(feeder)
        for user in people():
            found = await erasure.find(feeder.store, user, unheard)
            keys = {
                key.partition(":")[0]
                for key, held in everything.items()
                if names(user).search(f"{key} {held}")
            }
            assert found.entries.keys() == keys


@pytest.mark.parametrize("shards", [2])
async def test_nothing_names_who_was_erased(settings: Settings, tmp_path: Path) -> None:
    """The receipt counts what there was, others keep their letters, and a refill is as clean."""
    chance = random.Random(3)
    async with crew(settings, tmp_path, workers=1) as team:
        async with Producer(settings) as producer:
            await producer.publish(lived(chance))
            await producer.publish_raw(
                [Record("likes", b"k", NAMING), Record("likes", b"k", OTHER)]
            )
            await producer.publish_raw(
                [Record("likes", b"k", OTHER), Record("likes", b"k", NAMING)]
            )
            await producer.publish_raw([Record("likes", b"k", OTHER)])
            await producer.flush()
        await team.caught_up()
        async with letters.opened(settings) as mail:
            found = await mail.read(ALL, unheard)
            others = [one for one in found if one.value == OTHER]
            await mail.mark(others[:1], State.DROPPED)

        done = await asyncio.to_thread(
            run, "erase", "u3", "--yes", "--json", folder=tmp_path, settings=settings
        )
        receipt = json.loads(done.stdout)
        assert (done.returncode, receipt["clean"], receipt["left"]) == (0, True, [])
        counts = {one["key"]: (one["before"], one["after"]) for one in receipt["traces"]}
        assert {"acts", "edges", "circle", "views"} <= counts.keys()
        assert all(before and not after for before, after in counts.values())
        assert receipt["letters"] == {"removed": 2, "moved": 2, "expired": 0}
        async with letters.opened(settings) as mail:
            left = await mail.read(ALL, unheard)
        assert [one.value for one in left] == [OTHER] * 3
        assert sorted(one.state for one in left) == [State.DROPPED, State.OPEN, State.OPEN]
        done = await asyncio.to_thread(
            run, "erase", "nobody", "--yes", folder=tmp_path, settings=settings
        )
        assert "nothing named them before: if the id was mistyped" in done.stdout

        for worker in team.workers:
            await team.dismiss(worker)
        async with store.opened(settings) as feeds:
            await feeds.flushall()
            team.hire()
            await team.caught_up()
            assert not (await erasure.find(feeds, "u3", unheard)).keys
            again = await erasure.erase(settings, "u3", unheard)
            assert again.is_clean
            assert (again.traces, again.letters.removed) == ([], 2)
            async with letters.opened(settings) as mail:
                left = await mail.read(ALL, unheard)
            assert sorted(one.state for one in left) == [State.DROPPED, State.OPEN, State.OPEN]


async def test_without_a_worker_it_says_so(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody applies it: the event is in the log, and the command fails with what to do."""
    async with feeding(settings):
        pass
    assert "--yes says that it is meant" in complaint(
        run("erase", "ann", folder=tmp_path, settings=settings)
    )
    await topics.ensure(settings)
    with start("erase", "ann", "--yes", folder=tmp_path, settings=settings) as process:
        async with asyncio.timeout(60):
            while not any(end for _, end in (await topics.log_bounds(settings)).values()):
                await asyncio.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = await asyncio.to_thread(process.communicate)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("likewave: interrupted; the erasure is published")
    monkeypatch.setattr(erasure, "STILL_S", 0.5)
    with pytest.raises(erasure.StoreError, match="start a worker"):
        await erasure.erase(settings, "ann", unheard)
