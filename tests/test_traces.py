"""Nothing leaks: what is cut off, taken down or erased is in no feed, page, proof, explanation."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from models import events
from models.policy import HOUR, Policy
from models.routing import shard_of
from streams import reader, store
from streams.feeds import Shards
from streams.page_policies import LivePolicies
from streams.pager import Pager
from tests.feeder import Feeder, feeding
from tests.hostile import NOON, World, history

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from streams.settings import Settings

SPAN_MS = 48 * HOUR
LATER = NOON + SPAN_MS
WORLD = World(5, 10, 5_000, SPAN_MS, 250, Policy(), step=4, letter="item", whole=True)
CUTS: dict[str, Callable[[str, str], events.Event]] = {
    "unfriend": lambda one, other: events.Unfriend(user=one, friend=other, at=LATER),
    "block": lambda one, other: events.Block(user=one, other=other, at=LATER),
    "blocked": lambda one, other: events.Block(user=other, other=one, at=LATER),
    "mute": lambda one, other: events.Mute(user=one, other=other, at=LATER),
}


def lived(chance: random.Random) -> list[events.Event]:
    """Live a history in which nothing is final."""
    final = (events.Takedown, events.Erase)
    return [event for event in history(WORLD, chance) if not isinstance(event, final)]


def people() -> list[str]:
    """Name everybody."""
    return [f"u{number}" for number in range(WORLD.users)]


def names(name: str) -> re.Pattern[str]:
    """Find an id among others, wherever it stands."""
    return re.compile(rf"(?<![A-Za-z0-9_-]){name}(?![A-Za-z0-9_-])")


async def told(feeder: Feeder, user: str) -> str:
    """Read all that a user can be told: feed, pages to their end, and why each item is there."""
    found: list[Any] = [await reader.page(feeder.store, feeder.settings.shards, user, proofs=99)]
    async with Pager(feeder.store, feeder.settings, LivePolicies(feeder.settings)) as pager:
        cursor = None
        while True:
            page = await pager.page(user, now=LATER, cursor=cursor)
            found += [replace(one, candidate=None) for one in page.items]
            found += [one.candidate.proofs for one in page.items]
            items = [one.item for one in page.items]
            found += [await pager.explain(user, item, now=LATER) for item in items]
            if (cursor := page.cursor) is None:
                return str(found)


async def stored(feeder: Feeder) -> dict[str, str]:
    """Read the whole store: key -> all that is in it."""
    ask: Any = feeder.store
    read: dict[str, Callable[[str], Any]] = {
        "zset": lambda key: ask.zrange(key, 0, -1),
        "set": ask.smembers,
        "hash": ask.hgetall,
        "list": lambda key: ask.lrange(key, 0, -1),
        "string": ask.get,
    }
    keys = [key async for key in ask.scan_iter(count=1_000)]
    return {key: str(await read[await ask.type(key)](key)) for key in keys}


class Watched:
    """A store that is looked at after each call of a shard function."""

    def __init__(self, feeds: store.Store, look: Callable[[], Awaitable[str]]) -> None:
        self._store = feeds
        self._look = look
        self.seen: list[str] = []

    async def fcall(self, *arguments: Any) -> Any:
        """Call, and look at what is there now."""
        answer = await self._store.fcall(*arguments)
        self.seen.append(await self._look())
        return answer


async def while_it_runs(
    feeder: Feeder, event: events.Event, look: Callable[[], Awaitable[str]]
) -> list[str]:
    """Carry an event over in the smallest calls; give what was seen once all shards have begun."""
    watched: Any = Watched(feeder.store, look)
    feeder.append([event])
    shards, feeder.shards = feeder.shards, Shards(watched, feeder.settings, step=1)
    source = next(one for one, log in feeder.log.items() if log[-1].value == events.encode(event))
    end = len(feeder.log[source])
    await feeder.carry(source, end - 1, end)
    feeder.shards = shards
    return watched.seen[feeder.settings.shards - 1 :]


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("cut", CUTS)
async def test_who_is_cut_off_is_named_nowhere(settings: Settings, seed: int, cut: str) -> None:
    """From the call that applies it on, the other's name is in nothing that one is told."""
    chance = random.Random(seed)
    async with feeding(settings, step=WORLD.step) as feeder:
        await feeder.feed(lived(chance), chance)
        strangers = [
            events.Unfollow(user="u0", friend="u1", at=LATER),
            events.Unfriend(user="u0", friend="u1", at=LATER - 1),
        ]
        await feeder.feed([*strangers, CUTS[cut]("u0", "u1")], chance)
        late = [events.Like(user="u1", item="item3", at=NOON + HOUR + n) for n in range(5)]
        await feeder.feed(late, chance)
        feeds = await reader.page(feeder.store, settings.shards, "u0", proofs=99)

        assert "u1" not in {proof.who for entry in feeds for proof in entry.proofs}
        if cut != "unfriend":  # a stranger's posts may trend
            assert not names("u1").search(await told(feeder, "u0"))
        assert await feeder.differing() == []


@pytest.mark.parametrize("cut", [cut for cut in CUTS if cut != "unfriend"])
async def test_what_somebody_cut_off_made_is_on_no_page(
    settings: Settings, seed: int, cut: str
) -> None:
    """Though a friend likes it: the key of the feed has it, what is shown to the user has not."""
    chance = random.Random(seed)
    lived_once = [
        events.Befriend(user="u0", friend="u2", at=NOON),
        events.Post(user="u1", item="item1", at=NOON),
        events.Like(user="u2", item="item1", at=NOON + 1),
        events.Like(user="u2", item="item2", at=NOON),
    ]
    async with feeding(settings) as feeder:
        await feeder.feed(lived_once, chance)
        before = await reader.page(feeder.store, settings.shards, "u0")
        await feeder.feed([CUTS[cut]("u0", "u1")], chance)
        after = await reader.page(feeder.store, settings.shards, "u0")

        assert [entry.item for entry in before] == ["item1", "item2"]
        assert [entry.item for entry in after] == ["item2"]
        assert not names("item1").search(await told(feeder, "u0"))


@pytest.mark.parametrize("shards", [1, 4])
async def test_what_is_taken_down_is_shown_nowhere(settings: Settings, seed: int) -> None:
    """While the job runs, afterwards, after late acts on it, and after a refill."""
    chance = random.Random(seed)
    item = names("item5")
    async with feeding(settings, step=WORLD.step) as feeder:
        await feeder.feed(lived(chance), chance)
        down = events.Takedown(item="item5", at=NOON)

        async def look() -> str:
            return "".join([await told(feeder, user) for user in people()])

        seen = await while_it_runs(feeder, down, look)
        assert len(seen) > 1
        late = [events.Like(user=user, item="item5", at=LATER + 1) for user in people()]
        await feeder.feed([*late, events.Post(user="u2", item="item5", at=LATER + 2)], chance)

        for _ in range(2):
            assert not any(item.search(one) for one in [*seen, await look()])
            shown = ("feed", "trending", "fresh", "actors", "item", "pulled")
            keys = {
                key: held for key, held in (await stored(feeder)).items() if key.startswith(shown)
            }
            assert [key for key, held in keys.items() if item.search(f"{key} {held}")] == []
            await refill(feeder, chance)


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("fan_out_limit", [1, 5_000])
async def test_an_erased_account_leaves_no_trace(
    settings: Settings, seed: int, fan_out_limit: int
) -> None:
    """Nobody is told its name while the job runs, and the whole store has none of it afterwards."""
    chance = random.Random(seed)
    settings = settings.model_copy(update={"fan_out_limit": fan_out_limit})
    erased = names("u1")
    others = [user for user in people() if user != "u1"]
    async with feeding(settings, step=WORLD.step) as feeder:
        await feeder.feed(lived(chance), chance)

        async def look() -> str:
            return "".join([await told(feeder, user) for user in others])

        await feeder.feed(well_known(), chance)
        assert erased.search(await look())
        seen = await while_it_runs(feeder, events.Erase(user="u1", at=NOON), look)
        assert len(seen) > 1
        assert not any(erased.search(one) for one in seen)
        await feeder.feed(late_word(), chance)

        for _ in range(2):
            held = await stored(feeder)
            assert [key for key, value in held.items() if erased.search(f"{key} {value}")] == []
            assert await feeder.differing() == []
            assert await feeder.miscounted() == []
            await refill(feeder, chance)


def well_known() -> Sequence[events.Event]:
    """Let u0 see what u1 likes, whatever has been between them."""
    return [
        events.Unblock(user="u0", other="u1", at=LATER),
        events.Unblock(user="u1", other="u0", at=LATER),
        events.Unmute(user="u0", other="u1", at=LATER),
        events.Befriend(user="u0", friend="u1", at=LATER),
        events.Like(user="u1", item="itemx", at=LATER),
    ]


def late_word() -> Sequence[events.Event]:
    """Give events of and about u1 that come late, or after the erasure."""
    return [
        events.Like(user="u1", item="item1", at=NOON + 1),
        events.Befriend(user="u1", friend="u0", at=LATER + 1),
        events.Share(user="u0", item="item2", to=["u1", "u2"], at=LATER + 2),
        events.Favor(user="u3", other="u1", at=LATER + 3),
        events.View(user="u1", item="item2", completion=1.0, at=LATER + 4),
        events.Post(user="u1", item="item9", topics=["t0"], at=LATER + 5),
    ]


async def refill(feeder: Feeder, chance: random.Random) -> None:
    """Lose the store, and fill it again from the log."""
    lived_again = list(feeder.history)
    await feeder.store.flushall()
    feeder.log.clear()
    feeder.history.clear()
    await feeder.store.function_flush()
    await feeder.prepare()
    await feeder.feed(lived_again, chance)


def test_everybody_is_at_home_somewhere() -> None:
    """The people of these tests are spread over the shards, or they would show little."""
    assert len({shard_of(user, 4) for user in people()}) > 1
