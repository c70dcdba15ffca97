"""The client: what it publishes is valid, acknowledged, and as the contract has it."""

from __future__ import annotations

import asyncio
import inspect
import math
from typing import TYPE_CHECKING, Any

import pytest

from models.errors import BrokerError, EventError
from models.events import KINDS, TOPICS, Befriend, Like, Share, decode, encode
from models.policy import DAY
from streams import contract
from streams.client import Feed
from streams.clock import now_ms
from streams.producer import Record
from streams.publisher import Publisher
from streams.server import HOST, free_port
from streams.settings import Settings
from streams.topics import ensure, log_bounds
from tests.test_producer import read

if TYPE_CHECKING:
    from streams.local import Broker

NOON = 1_790_000_000_000


async def likes(settings: Settings) -> list[Like]:
    """Read back the likes."""
    events = [decode(record.value) for record in await read(settings, "likes")]
    return [event for event in events if isinstance(event, Like)]


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_a_method_with_the_fields_of_the_contract(name: str) -> None:
    """It takes what the kind has, and asks for what the kind needs but for `at`."""
    parameters = inspect.signature(getattr(Feed, name)).parameters.values()
    given = {one.name for one in parameters} - {"self"}
    needed = {one.name for one in parameters if one.default is one.empty} - {"self"}
    fields = contract.schema()["$defs"][name.capitalize()]

    assert given == {*fields["properties"]} - {"kind"}
    assert needed == {*fields["required"]} - {"kind", "at"}


async def test_each_method_publishes_its_event(settings: Settings) -> None:
    """Under the key of its kind, in its topic, with every field it was given."""
    await ensure(settings)
    told = [contract.example(kind) for kind in KINDS.values()]
    async with Feed(settings) as feed:
        for event in told:
            fields = {name: getattr(event, name) for name in event.__struct_fields__}
            await getattr(feed, event.kind)(**fields)

    records = await read(settings, *TOPICS)
    assert sorted(map(encode, told)) == sorted(record.value for record in records)
    for record in records:
        event = decode(record.value)
        assert (settings.topic(event.topic), event.key) == (record.topic, record.key.decode())


async def test_without_at_it_happens_now(settings: Settings) -> None:
    """The moment of an act is that of the call, unless it is given."""
    await ensure(settings)
    before = now_ms()
    async with Feed(settings) as feed:
        await feed.like("ann", "song")
        await feed.like("ann", "song", at=NOON)
    first, second = await likes(settings)

    assert before <= first.at <= now_ms()
    assert second == Like(at=NOON, user="ann", item="song")


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("like", {"user": "a b", "item": "song"}, "$.user", "an id is 1 to 64 of"),
    ("like", {"user": "ann", "item": 5}, "$.item", "Expected `str`, got `int`"),
    ("like", {"user": "ann", "item": "song", "at": 0}, "$.at", "Expected `int` >= 1"),
    (
        "like",
        {"user": "ann", "item": "song", "at": 2**70},
        "$.at",
        "Expected `int` <= 4503599627370495",
    ),
    ("like", {"user": "ann", "item": "song", "at": NOON // 1000}, "$.at", "give milliseconds"),
    ("like", {"user": "ann", "item": object}, "$.item", "JSON does not carry <class"),
    ("like", {"user": "ann", "item": "\ud800"}, "$.item", r"JSON does not carry '\ud800'"),
    ("like", {"user": "ann", "item": b"son"}, "$.item", "JSON does not carry b'son'"),
    ("like", {"user": "ann", "item": b"song"}, "$.item", "JSON does not carry b'song'"),
    ("view", {"user": "ann", "item": "song", "completion": math.nan}, "$.completion", "carry nan"),
    ("view", {"user": "ann", "item": "song", "completion": 1.5}, "$.completion", "<= 1.0"),
    ("share", {"user": "ann", "item": "song", "to": []}, "$.to", "length >= 1"),
    ("share", {"user": "ann", "item": "song", "to": "pia"}, "$.to", "such as ['pia']"),
    ("unshare", {"user": "ann", "item": "song", "to": b"pia"}, "$.to", "give a list of ids"),
    ("post", {"user": "ann", "item": "song", "topics": "art"}, "$.topics", "give a list of ids"),
    ("share", {"user": "ann", "item": "song", "to": ["bob", "ann"]}, "$.to[1]", "themselves"),
    ("post", {"user": "ann", "item": "song", "topics": ["a"] * 9}, "$.topics", "length <= 8"),
    ("befriend", {"user": "ann", "friend": "ann"}, "$.friend", "cannot act on themselves"),
    ("like", {"user": "ann", "item": "song", "at": 2**51}, "$.at", "in the future"),
]


@pytest.mark.parametrize(("name", "fields", "path", "reason"), BAD, ids=str)
async def test_what_breaks_the_contract_is_refused_here(
    name: str, fields: dict[str, Any], path: str, reason: str
) -> None:
    """The error names the field, and needs no broker to be found."""
    async with Feed(Settings()) as feed:
        with pytest.raises(EventError) as caught:
            await getattr(feed, name)(**fields)

    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)


async def test_of_a_list_with_a_bad_event_nothing_is_published(settings: Settings) -> None:
    """All are checked before the first is sent; the path begins with the place in the list."""
    await ensure(settings)
    good = Like(at=NOON, user="ann", item="song")
    async with Feed(settings) as feed:
        for bad, path in (
            (Like(at=NOON, user="", item="song"), "$[1].user"),
            (Befriend(at=NOON, user="ann", friend="ann"), "$[1].friend"),
            (Share(at=NOON, user="ann", item="song", to="bob"), "$[1].to"),  # type: ignore[arg-type]
            (Like(at=now_ms() + DAY, user="ann", item="song"), "$[1].at"),
        ):
            with pytest.raises(EventError) as caught:
                await feed.publish([good, bad, good])
            assert caught.value.path == path
        await feed.publish([])

    assert {end for _, end in (await log_bounds(settings)).values()} == {0}


async def test_many_callers_travel_together_and_each_in_order(settings: Settings) -> None:
    """Of 3,000 tasks at once each has its acts in the log, once, in order."""
    await ensure(settings)

    async def live(user: str) -> None:
        for at in (NOON, NOON + 1, NOON + 2):
            await feed.like(user, "song", at=at)

    async with Feed(settings) as feed:
        await asyncio.gather(*[live(str(number)) for number in range(3_000)])
    found: dict[str, list[int]] = {}
    for event in await likes(settings):
        found.setdefault(event.key, []).append(event.at)

    assert len(found) == 3_000
    assert all(moments == [NOON, NOON + 1, NOON + 2] for moments in found.values())


async def test_acts_that_wait_are_published_on_leaving(settings: Settings) -> None:
    """Also those that wait for room, of which there is none for so many."""
    await ensure(settings)
    async with Feed(settings) as feed:
        tasks = [asyncio.create_task(feed.like("ann", str(item))) for item in range(6_000)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    assert len(await likes(settings)) == 6_000


async def test_a_caller_who_leaves_takes_nobody_along(settings: Settings) -> None:
    """One who no longer waits for the answer leaves the others theirs."""
    await ensure(settings)
    async with Feed(settings) as feed:
        tasks = [asyncio.create_task(feed.like("ann", str(item))) for item in range(10)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(answer) for answer in answers] == [asyncio.CancelledError, *[type(None)] * 9]


async def test_outside_its_context_it_publishes_nothing(settings: Settings) -> None:
    """Before it is opened and after, a program hears so at once; it may be opened again."""
    await ensure(settings)
    feed = Feed(settings)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="publish inside `async with`"):
            await feed.like("ann", "song")
        async with feed:
            await feed.like("ann", "song")


async def test_missing_topics_are_said_to_be_missing(settings: Settings) -> None:
    """The client creates no topics; once somebody did, the same client publishes."""
    async with Feed(settings) as feed:
        with pytest.raises(BrokerError, match=r"no topic .*: create them with `likewave topics`"):
            await feed.like("ann", "song")
        await ensure(settings)
        await feed.like("ann", "song")

    assert len(await likes(settings)) == 1


class TestOutage:
    """What callers are told whose Kafka goes away."""

    @pytest.fixture
    def broker(self, own_broker: Broker) -> Broker:
        """Have a broker that may be killed."""
        return own_broker

    async def test_a_caller_is_told_of_its_own_events_alone(
        self, broker: Broker, settings: Settings
    ) -> None:
        """Not of what was published before, nor of what others publish at the same time."""
        await ensure(settings)
        acts = [Like(at=NOON, user=str(user), item="song") for user in range(6)]
        async with Feed(settings, patience_s=1.0) as feed:
            await feed.publish(acts)
            broker.kill()
            calls = [feed.publish(acts[:2]), feed.publish(acts[:3])]
            answers = await asyncio.gather(*calls, return_exceptions=True)

        assert [getattr(answer, "acknowledged", None) for answer in answers] == [0, 0]
        for answer, lost in zip(answers, (2, 3), strict=True):
            assert f"0 events are acknowledged, {lost} may be lost; publish again" in str(answer)


@pytest.mark.parametrize("partitions", [1])
async def test_the_first_that_are_acknowledged_need_not_be_repeated(settings: Settings) -> None:
    """What is told is a place in the list of the call: all before it is in the log."""
    await ensure(settings)
    sound = [Record("likes", b"ann", b"x" * 900_000)] * 3
    async with Publisher(settings) as publisher:
        await publisher.carry(sound)
        with pytest.raises(BrokerError, match="3 events are acknowledged, 1 may be lost") as caught:
            await publisher.carry([*sound, Record("likes", b"ann", b"x" * 2_000_000)])

    assert caught.value.acknowledged == 3


async def test_without_kafka_every_caller_is_told_so() -> None:
    """One clear line for each who waits; that they may try again is tested at the API."""
    async with Feed(Settings(kafka=f"{HOST}:{free_port()}")) as feed:
        calls = [feed.like("ann", str(item)) for item in range(10)]
        answers = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(answer, BrokerError) for answer in answers)
    assert {str(answer).partition(" at ")[0] for answer in answers} == {"no Kafka"}
