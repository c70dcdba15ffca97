"""From Kafka to feeds, through a real worker: worked cases, real data, poison."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer

from models import events
from models.events import DEAD_LETTERS
from models.policy import DAY, Policy
from models.routing import shard_of
from streams import store
from streams.producer import Producer, Record
from streams.replay import ReplayOptions, replay
from streams.snapshots import Snapshots
from tests.cases import Case, assert_feeds, load_cases
from tests.crew import crew

if TYPE_CHECKING:
    from streams.settings import Settings

pytestmark = pytest.mark.timeout(600)

ORDERS = 20
DATASETS = Path(__file__).parents[2] / "shared" / "datasets"


@dataclass(frozen=True)
class Copy:
    """A case lived by people and with items of its own, at a time of its own."""

    case: Case
    prefix: str
    later_ms: int

    @property
    def events(self) -> list[events.Event]:
        """The case's history, moved to this copy's names and time."""
        return [self._moved(event) for event in self.case.events]

    def _moved(self, event: events.Event) -> events.Event:
        named = {name: getattr(event, name) for name in event.__struct_fields__}
        for name in ("user", "item", "friend", "other"):
            if name in named:
                named[name] = self.prefix + named[name]
        if named.get("to"):
            named["to"] = [self.prefix + recipient for recipient in named["to"]]
        return type(event)(**{**named, "at": event.at + self.later_ms})

    async def assert_as_written(self, feeds: store.Store, settings: Settings) -> None:
        """Read the copy's feeds back, under the case's own names and time."""
        found, floors, snapshots = {}, {}, Snapshots(feeds, settings)
        for user in self.case.feeds:
            name = self.prefix + user
            _, held = await snapshots.users(shard_of(name, settings.shards), [name])
            found[user] = [
                (item.removeprefix(self.prefix), score - self.later_ms)
                for item, score in held[name].feed
            ]
            if (floor := held[name].floor) is not None:
                floors[user] = floor - self.later_ms
        assert_feeds(found, self.case, floors)


@pytest.mark.parametrize("shards", [1, 4])
async def test_every_case_ends_as_written_in_any_order(
    settings: Settings, seed: int, tmp_path: Path
) -> None:
    """Twenty shuffled orders of every case, all at once: they end at the same moment."""
    cases = [one.values[0] for kinds in ("acts", "all") for one in load_cases(kinds)]
    if None in cases:
        pytest.skip("../shared/cases is absent")
    chance = random.Random(seed)
    end = max(event.at for case in cases for event in case.events)
    copies = [
        Copy(case, f"c{number}o{order}-", end - max(event.at for event in case.events))
        for number, case in enumerate(cases)
        for order in range(ORDERS)
    ]
    lived = [event for copy in copies for event in copy.events]
    chance.shuffle(lived)
    lived += chance.sample(lived, len(lived) // 10)
    async with crew(settings, tmp_path, workers=1) as team:
        async with Producer(settings) as producer:
            await producer.publish(lived)
            await producer.flush()
        await team.caught_up()
        async with store.opened(settings) as feeds:
            for copy in copies:
                await copy.assert_as_written(feeds, settings)


WEEK = Policy(half_life_ms=7 * DAY, horizon_ms=90 * DAY)


@pytest.mark.parametrize("policy", [Policy(), WEEK], ids=["6h", "7d"])
@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize(
    ("name", "meanings", "edges"),
    [
        ("gowalla1k", {"checkin": "like"}, "befriend"),
        ("doubanmusic", {"r4": "like", "r5": "like"}, "follow"),
    ],
)
async def test_real_data_ends_in_equal_feeds(
    settings: Settings, tmp_path: Path, name: str, meanings: dict[str, str], edges: str
) -> None:
    """A data set replayed at full speed: every feed equal, no dead letter."""
    if not (DATASETS / name).exists():
        pytest.skip(f"{DATASETS / name} is absent")
    options = ReplayOptions(path=str(DATASETS / name), meanings=meanings, edges=edges)
    async with crew(settings, tmp_path, workers=1) as team:
        await replay(settings, options, lambda _: None)
        await team.assert_equal()


POISON = {
    b"": "malformed",
    b"{": "malformed",
    b"[" * 60_000: "invalid",
    b'{"kind":"like","user":"\xff","item":"a","at":1}': "malformed",
    b'{"kind":"befriend","user":"a","friend":"b","at":1}': "invalid",
    b'{"kind":"like","user":"a b","item":"a","at":1}': "invalid",
    b'{"kind":"like","user":"a","item":"a","at":1.5}': "invalid",
    b'{"kind":"like","user":"a","item":"a","at":4000000000000000}': "future",
    b'{"kind":"like","user":"a","item":"a","at":1,"x":"' + b"x" * 70_000 + b'"}': "oversize",
    b"x" * 1_000_000: "oversize",
}


async def test_poison_goes_to_the_dead_letters_and_the_rest_goes_on(
    settings: Settings, tmp_path: Path
) -> None:
    """Law 6: each bad record is kept untouched with its reason, and every good one applied."""
    likes = [events.Like(user="bob", item=f"i{n}", at=1_790_000_000_000 + n) for n in range(500)]
    topic = settings.topic("likes")
    async with crew(settings, tmp_path, workers=1) as team:
        async with Producer(settings) as producer:
            await producer.publish([events.Befriend(user="ann", friend="bob", at=1)])
            for poison, like in zip(POISON, likes, strict=False):
                await producer.publish([like])
                await producer.publish_raw([Record("likes", b"bob", poison)])
            await producer.publish(likes)
            await producer.flush()
        await team.assert_equal(rejected=len(POISON))
    letters = await dead_letters(settings, len(POISON))
    assert {value: headers["reason"] for value, headers in letters} == POISON
    assert Counter(headers["topic"] for _, headers in letters) == {topic: len(POISON)}
    assert all(headers.keys() >= {"partition", "offset", "path", "time"} for _, headers in letters)


async def dead_letters(settings: Settings, count: int) -> list[tuple[bytes, dict[str, str]]]:
    """Read `count` dead letters: value and headers."""
    consumer = AIOKafkaConsumer(
        settings.topic(DEAD_LETTERS),
        bootstrap_servers=settings.kafka,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4_000_000,
    )
    await consumer.start()
    try:
        letters = [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()
    return [
        (letter.value, {name: value.decode() for name, value in letter.headers})
        for letter in letters
    ]
