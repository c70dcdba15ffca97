"""A new version is rolled out while the old one works on: two builds of one schema."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from models.errors import StoreError
from streams import library, store
from streams.producer import Producer
from tests.command import ROOT
from tests.crew import Worker, crew
from tests.hostile import history
from tests.test_crashes import WORLD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streams.settings import Settings

OURS = library.build_of(library.code())


class Installed(Worker):
    """A worker of the version that is installed in `place`."""

    place: Path

    def command(self) -> Sequence[str]:
        """Give the usual command, led to that version and to no other."""
        paths = (f"PYTHONPATH={self.place}", "PYTHONSAFEPATH=1")
        return ["env", *paths, *super().command()]


def install_next(place: Path) -> Path:
    """Install what differs from this version in the build of its functions alone."""
    for package in ("models", "streams"):
        shutil.copytree(ROOT / package, place / package)
    folder = place / "streams" / library.FOLDER.name
    head = folder / "calls.lua"
    text = head.read_text("utf-8")
    head.write_text(text.replace(f"local BUILD = {OURS} ", f"local BUILD = {OURS + 1} "))
    return folder


async def build_in(settings: Settings) -> int:
    """Give the build of the functions in the store."""
    async with store.opened(settings) as feeds:
        return library.build_of(await library.loaded(feeds) or "")


async def publish(settings: Settings, seed: int) -> None:
    """Put some 400 events on the log."""
    async with Producer(settings) as producer:
        await producer.publish(history(replace(WORLD, length=400), random.Random(seed)))
        await producer.flush()


async def test_two_versions_work_side_by_side(
    settings: Settings, seed: int, tmp_path: Path
) -> None:
    """The new one brings its functions, the old one uses them, and may start again beside them."""
    install_next(tmp_path / "next")
    async with crew(settings, tmp_path, workers=1) as team:
        (old,) = team.workers
        await publish(settings, seed)
        await team.caught_up()
        builds = [await build_in(settings)]
        new = Installed(9, settings, tmp_path)
        new.place = tmp_path / "next"
        with new:
            await publish(settings, seed + 1)
            while await build_in(settings) == OURS:
                assert new.exit_code is None, new.last_words()
            builds.append(await build_in(settings))
            await team.dismiss(old)
            team.hire()
            await publish(settings, seed + 2)
            await team.assert_equal()
            assert new.exit_code is None, new.last_words()
        builds.append(await build_in(settings))

    assert builds == [OURS, OURS + 1, OURS + 1]


async def test_the_same_build_with_another_text_is_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing tells which of the two is newer; a later build replaces both."""
    async with store.opened(settings) as feeds:
        await library.load(feeds)
        later = library.code(install_next(tmp_path))
        monkeypatch.setattr(library, "code", lambda: later)
        assert f"build {OURS + 1}" in await library.load(feeds)
        monkeypatch.setattr(library, "code", lambda: later + "\n-- changed\n")

        with pytest.raises(StoreError, match="another build"):
            await library.load(feeds)
