"""An audit finds what differs between log and store, names it, and finds nothing else."""

from __future__ import annotations

import dataclasses
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer

from models import events
from models.comparison import Difference
from models.errors import BrokerError, StoreError
from models.events import (
    Befriend,
    Block,
    Erase,
    Event,
    Favor,
    Follow,
    Hide,
    Like,
    Post,
    Share,
    Takedown,
    Unfriend,
    Unlike,
    View,
)
from streams import audit as module
from streams import topics
from streams.audit import Verdict, audit, render
from streams.history import AHEAD_MS, judge
from streams.producer import Producer, Record
from streams.reader import Snapshot
from tests.cases import view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.settings import Settings

NOON = 1_790_000_000_000
SEED = 7


def traffic(people: int, acts: int, *, start: int = 0) -> list[Event]:
    """Make a circle of friends who do all that can be done, each a second after the other."""
    chance = Random(SEED + start)
    names = [f"u{number}" for number in range(people)]
    history: list[Event] = [
        Befriend(user=name, friend=names[number - 1], at=NOON) for number, name in enumerate(names)
    ]
    for second in range(start, start + acts):
        user, friend = chance.sample(names, 2)
        item, at = f"i{chance.randrange(9)}", NOON + 1_000 * second
        history.append(
            chance.choice(
                [
                    Like(user=user, item=item, at=at),
                    Unlike(user=user, item=item, at=at),
                    View(user=user, item=item, at=at),
                    Share(user=user, item=item, to=[friend], at=at),
                    Follow(user=user, friend=friend, at=at),
                    Unfriend(user=user, friend=friend, at=at),
                    Post(user=user, item=item, topics=["music"], at=at),
                    Hide(user=user, item=item, at=at),
                    Block(user=user, other=friend, at=at),
                    Favor(user=user, other=friend, at=at),
                ]
            )
        )
    return history


class Replica:
    """A store that is right: it holds what the definition says of the log before its fences."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.log: dict[tuple[str, int], list[Event]] = {}
        self.fences: dict[tuple[str, int], int] = {}

    async def publish(self, history: Sequence[Event]) -> None:
        """Publish more of the log, and go on to its end."""
        async with Producer(self._settings) as producer:
            await producer.publish(history)
        self.log = await read(self._settings)
        self.fences = {name: len(log) for name, log in self.log.items()}

    async def take(self, shard: int, users: Sequence[str]) -> Snapshot:
        """Take a snapshot of the feeds of some users."""
        del shard  # all of them are at the same fences
        view = view_of(
            event for name, log in self.log.items() for event in log[: self.fences[name]]
        )
        return Snapshot(
            fences={name: fence for name, fence in self.fences.items() if fence},
            stream_time=view.stream_time,
            busy=False,
            feeds={user: [(one.item, one.score) for one in view.feed(user)] for user in users},
            floors={},
        )


async def read(settings: Settings) -> dict[tuple[str, int], list[Event]]:
    """Read the whole log, which has nothing but valid events."""
    bounds = await topics.log_bounds(settings)
    log: dict[tuple[str, int], list[Event]] = {name: [] for name in bounds}
    named = {settings.topic(topic): topic for topic in events.TOPICS}
    consumer = AIOKafkaConsumer(
        *named, bootstrap_servers=settings.kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    for _ in range(sum(end for _, end in bounds.values())):
        record = await consumer.getone()
        log[named[record.topic], record.partition].append(events.decode(record.value))
    await consumer.stop()
    return log


@pytest.fixture
async def replica(settings: Settings) -> Replica:
    """Give a store that is right, with its topics."""
    await topics.ensure(settings)
    return Replica(settings)


async def found(settings: Settings, take: module.Take, users: int | None = None) -> Verdict:
    """Audit, without the time it took."""
    verdict = await audit(settings, take, users=users, seed=SEED)
    return dataclasses.replace(verdict, seconds=0)


@pytest.mark.parametrize("shards", [1, 4])
async def test_a_store_that_is_right_is_equal(settings: Settings, replica: Replica) -> None:
    """Everyone who acts or is acted on is compared, in whichever shard, and all are equal."""
    await replica.publish(traffic(people=150, acts=600))

    assert await found(settings, replica.take) == Verdict(users=150, equal=150, events=750)


async def test_a_sample_is_chosen_by_the_seed(settings: Settings, replica: Replica) -> None:
    """Only so many users as asked for are compared, the same ones for the same seed."""
    await replica.publish(traffic(people=20, acts=50))
    asked: list[set[str]] = []

    async def take(shard: int, users: Sequence[str]) -> Snapshot:
        asked.append(set(users))
        return await replica.take(shard, users)

    assert (await found(settings, take, users=5)).users == 5
    await found(settings, take, users=5)

    assert asked[0] == asked[1]


async def test_what_differs_is_counted_and_named(settings: Settings, replica: Replica) -> None:
    """A score that is off, an entry that lacks and one that is a ghost are each one line."""
    at = NOON + 1_000
    likes = [Like(user="bob", item=item, at=at) for item in ("a", "b")]
    await replica.publish([Befriend(user=who, friend="bob", at=NOON) for who in "xyz"] + likes)
    wrong = {
        "x": [("a", at + 3), ("b", at)],
        "y": [("a", at)],
        "z": [("b", at), ("a", at), ("c", 1)],
    }

    async def take(shard: int, users: Sequence[str]) -> Snapshot:
        return dataclasses.replace(await replica.take(shard, users), feeds=wrong)

    verdict = await found(settings, take)

    assert (verdict.users, verdict.equal, verdict.differing) == (4, 1, 3)
    assert {(one.user, one.item, one.expected, one.found) for one in verdict.differences} == {
        ("x", "a", f"{at}", at + 3),
        ("y", "b", f"{at}", None),
        ("z", "c", "nothing", 1),
    }


async def test_what_is_gone_may_be_in_no_feed(settings: Settings, replica: Replica) -> None:
    """An entry by an erased account, of an item taken down or hidden is each a ghost."""
    gone = [
        Befriend(user="ann", friend="bob", at=NOON),
        Befriend(user="ann", friend="cat", at=NOON),
        *(Like(user="bob", item=item, at=NOON) for item in ("down", "hidden")),
        Post(user="cat", item="erased", at=NOON),
        Takedown(item="down", at=NOON),
        Hide(user="ann", item="hidden", at=NOON),
        Erase(user="cat", at=NOON),
    ]
    await replica.publish(gone)
    wrong = {"ann": [(item, NOON) for item in ("hidden", "erased", "down")]}

    async def take(shard: int, users: Sequence[str]) -> Snapshot:
        return dataclasses.replace(await replica.take(shard, users), feeds=wrong)

    assert (await found(settings, replica.take)).differing == 0
    assert [one.item for one in (await found(settings, take)).differences] == [
        "down",
        "erased",
        "hidden",
    ]


async def test_only_the_first_differences_are_kept(settings: Settings, replica: Replica) -> None:
    """However many feeds differ, all are counted, and ten lines are enough to see why."""
    await replica.publish(traffic(people=30, acts=300))

    async def take(shard: int, users: Sequence[str]) -> Snapshot:
        return dataclasses.replace(await replica.take(shard, users), feeds={})

    verdict = await found(settings, take)

    assert verdict.differing > 20
    assert len(verdict.differences) == 10


async def test_what_lies_beyond_the_fences_does_not_count(
    settings: Settings, replica: Replica
) -> None:
    """A shard that lags is compared with the log up to its fences, and is equal."""
    await replica.publish(traffic(people=30, acts=300))
    replica.fences = {name: fence // 2 for name, fence in replica.fences.items()}

    assert await found(settings, replica.take) == Verdict(users=30, equal=30, events=330)


async def test_a_store_that_has_nothing_yet_is_equal(settings: Settings, replica: Replica) -> None:
    """Without fences, nothing of the log is in the store, and empty feeds are right."""
    await replica.publish(traffic(people=30, acts=100))
    replica.fences = dict.fromkeys(replica.fences, 0)

    assert await found(settings, replica.take) == Verdict(users=30, equal=30, events=130)


async def test_events_that_arrive_meanwhile_are_in_both(
    settings: Settings, replica: Replica
) -> None:
    """While events flow every snapshot is compared at its own fences, further than the last."""
    people = 2 * module.USERS_AT_ONCE + 50
    await replica.publish(traffic(people, acts=200))
    seconds = iter(range(1_000, 9_000, 1_000))

    async def take(shard: int, users: Sequence[str]) -> Snapshot:
        await replica.publish(traffic(people, acts=200, start=next(seconds)))
        return await replica.take(shard, users)

    verdict = await found(settings, take)

    assert (verdict.users, verdict.differing) == (people, 0)
    assert verdict.events == 4 * (people + 200)


async def test_a_store_that_is_flushed_meanwhile_is_folded_anew(
    settings: Settings, replica: Replica
) -> None:
    """Fences that go back are followed back: what was folded beyond them is forgotten."""
    people = module.USERS_AT_ONCE + 50
    await replica.publish(traffic(people, acts=300))

    async def take(shard: int, users: Sequence[str]) -> Snapshot:
        snapshot = await replica.take(shard, users)
        replica.fences = {name: fence // 3 for name, fence in replica.fences.items()}
        return snapshot

    assert (await found(settings, take)).differing == 0


async def test_an_open_job_is_waited_for(
    settings: Settings, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Feeds are compared once no job is open, and a job that nobody ends is said."""
    await replica.publish(traffic(people=10, acts=50))
    jobs = [True, True, False]

    async def busy(shard: int, users: Sequence[str]) -> Snapshot:
        is_busy = jobs.pop(0)
        feeds = {} if is_busy else (await replica.take(shard, users)).feeds
        return dataclasses.replace(await replica.take(shard, users), busy=is_busy, feeds=feeds)

    async def stuck(shard: int, users: Sequence[str]) -> Snapshot:
        return dataclasses.replace(await replica.take(shard, users), busy=True)

    assert (await found(settings, busy)).equal == 10
    monkeypatch.setattr(module, "BUSY_S", 0.3)
    with pytest.raises(StoreError, match="shard 0 has had a job open"):
        await found(settings, stuck)


async def test_a_batch_half_applied_has_moved_the_stream_time(
    settings: Settings, replica: Replica
) -> None:
    """A stream time ahead of the fences is followed, one ahead of the log or behind is an error."""
    history = traffic(people=10, acts=50)
    await replica.publish(history)
    latest = max(event.at for event in history)
    replica.fences = {name: fence // 2 for name, fence in replica.fences.items()}

    def at(moment: int) -> module.Take:
        async def take(shard: int, users: Sequence[str]) -> Snapshot:
            return dataclasses.replace(await replica.take(shard, users), stream_time=moment)

        return take

    assert (await found(settings, at(latest))).differing == 0
    with pytest.raises(StoreError, match="later than all of the log"):
        await found(settings, at(latest + 1))
    with pytest.raises(StoreError, match="earlier than what it has applied"):
        await found(settings, at(NOON - 1))


async def test_a_store_of_another_log_is_said(settings: Settings, replica: Replica) -> None:
    """A fence beyond the end of the log means that the two do not belong together."""
    await replica.publish(traffic(people=10, acts=50))
    replica.fences["likes", 0] += 1

    with pytest.raises(StoreError, match=r"likes:0 .* but the log ends at"):
        await found(settings, replica.take)


async def test_no_topics_and_no_kafka_are_said(settings: Settings) -> None:
    """What cannot be read is one line with the remedy."""
    with pytest.raises(BrokerError, match="likewave topics"):
        await found(settings, Replica(settings).take)
    nowhere = settings.model_copy(update={"kafka": "127.0.0.1:1"})
    with pytest.raises(BrokerError, match="likewave up"):
        await found(nowhere, Replica(nowhere).take)


async def test_poison_is_counted_and_passed_over(settings: Settings, replica: Replica) -> None:
    """Records that break the contract count as rejected, and change no feed."""
    await replica.publish(traffic(people=10, acts=50))
    right = {name: await replica.take(0, [name]) for name in ("u1", "u2")}
    async with Producer(settings) as producer:
        await producer.publish_raw(
            Record(topic, b"u1", value)
            for topic in ("likes", "shares")
            for value in (b"{", b"[]", b"null")
        )

    verdict = await found(settings, replica.take)

    assert (verdict.differing, verdict.rejected) == (0, 6)
    assert (await replica.take(0, ["u1"])).feeds == right["u1"].feeds


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("likes", None),
        ("likes", b"x"),
        ("likes", b'{"kind":"like","at":1,"user":"ann"}'),
        ("likes", b'{"kind":"like","at":1,"user":"ann","item":"a b"}'),
        ("likes", b'{"kind":"view","at":1,"user":"ann","item":"a"}'),
        ("likes", b'{"kind":"like","at":%d,"user":"ann","item":"a"}' % (NOON + AHEAD_MS + 1)),
        ("likes", b'{"kind":"like","at":1,"user":"ann","item":"a"}' + b" " * 65_536),
        ("friendships", b'{"kind":"befriend","at":1,"user":"ann","friend":"ann"}'),
        ("shares", b'{"kind":"share","at":1,"user":"ann","item":"a","to":["ann"]}'),
        ("posts", b'{"kind":"post","at":1,"user":"ann","item":"a","topics":["b c"]}'),
        ("preferences", b'{"kind":"block","at":1,"user":"ann","other":"ann"}'),
        ("preferences", b'{"kind":"takedown","at":1,"item":"a"}'),
    ],
)
def test_an_auditor_refuses_what_the_contract_refuses(topic: str, value: bytes | None) -> None:
    """Wrong JSON, fields, ids, topics, sizes and moments are no events, whoever decodes them."""
    assert judge(topic, SimpleNamespace(value=value, timestamp=NOON)) is None


def test_an_event_may_be_as_late_as_it_likes_and_little_early() -> None:
    """The broker's timestamp on the record is the only clock."""
    for at in (1, NOON, NOON + AHEAD_MS):
        record = SimpleNamespace(
            value=events.encode(Like(user="ann", item="a", at=at)), timestamp=NOON
        )

        assert judge("likes", record) == Like(user="ann", item="a", at=at)


def test_a_verdict_is_a_line_and_one_for_each_difference() -> None:
    """A person reads how many users were compared, what differs first, and why."""
    difference = Difference("ann", "a", "5", None, [])
    verdict = Verdict(
        users=1_000, equal=999, differing=1, events=2_000, seconds=1.25, differences=[difference]
    )

    assert render(verdict).splitlines() == [
        "audit: 1,000 users, 999 equal, 1 differing (2,000 events, 0 rejected, 1.2 s)",
        "  ann: a expected 5, found nothing; proofs: none",
    ]
