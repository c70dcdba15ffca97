"""An audit finds what differs between log and store, names it, and finds nothing else."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import aclosing
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import msgspec
import pytest

from models import events
from models.difference import Difference
from models.errors import BrokerError, StoreError
from models.events import Befriend, Erase, Hide, Like, Post, Takedown
from streams import audit as module
from streams import continuous, store, topics
from streams.audit import Verdict, ahead, audit, render
from streams.clock import now_ms
from streams.continuous import REPORT, WORTH, Audited, ContinuousAudit
from streams.history import AHEAD_MS, judge
from streams.producer import Producer, Record
from streams.spot_check import Choice, Sample, SpotCheck
from tests.crew import crew
from tests.replica import NOON, SEED, Replica, traffic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.holding import Holding
    from models.view import View
    from streams.history import Progress
    from streams.settings import Settings
    from streams.snapshots import Moment


class Forged(Replica):
    """A store that holds other feeds than it should."""

    def __init__(self, settings: Settings, feeds: dict[str, list[tuple[str, int]]]) -> None:
        super().__init__(settings)
        self.forged = feeds

    async def users(self, shard: int, users: Sequence[str]) -> tuple[Moment, dict[str, Holding]]:
        """Forge the feeds, and nothing else."""
        moment, held = await super().users(shard, users)
        return moment, {
            user: dataclasses.replace(one, feed=self.forged.get(user, []))
            for user, one in held.items()
        }


@pytest.fixture
async def replica(settings: Settings) -> Replica:
    """Give a store that is right, with its topics."""
    await topics.ensure(settings)
    return Replica(settings)


async def found(settings: Settings, takes: module.Takes, users: int | None = None) -> Verdict:
    """Audit, without the time it took."""
    verdict = await audit(settings, takes, users=users, seed=SEED)
    return dataclasses.replace(verdict, seconds=0)


async def publish(settings: Settings, history: list[events.Event]) -> None:
    """Put a history on the log."""
    async with Producer(settings) as producer:
        await producer.publish(history)


def feeds_that_differ(verdict: Verdict) -> set[tuple[str, str, str, str]]:
    """Give the differences of feeds alone, without proofs."""
    return {
        (one.who, one.what, one.expected, one.found)
        for one in verdict.differences
        if one.aspect == "feed"
    }


@pytest.mark.parametrize("shards", [1, 4])
async def test_a_store_that_is_right_is_equal(settings: Settings, replica: Replica) -> None:
    """Everyone who acts or is acted on is compared, in whichever shard, and all are equal."""
    await replica.publish(traffic(people=150, acts=600))

    assert await found(settings, replica) == Verdict(users=150, equal=150, items=9, events=750)


async def test_a_sample_is_chosen_by_the_seed(settings: Settings, replica: Replica) -> None:
    """Only so many users as asked for are compared, the same ones for the same seed."""
    await replica.publish(traffic(people=20, acts=50))
    asked: list[set[str]] = []

    class Listening(Replica):
        async def users(
            self, shard: int, users: Sequence[str]
        ) -> tuple[Moment, dict[str, Holding]]:
            asked.append(set(users))
            return await replica.users(shard, users)

        shelf = replica.shelf

    assert (await found(settings, Listening(settings), users=5)).users == 5
    await found(settings, Listening(settings), users=5)

    assert asked[0] == asked[1]


async def test_what_differs_is_counted_and_named(settings: Settings) -> None:
    """A score that is off, an entry that lacks and one that is a ghost are each one line."""
    at = NOON + 1_000
    wrong = {
        "x": [("a", at + 3), ("b", at)],
        "y": [("a", at)],
        "z": [("b", at), ("a", at), ("c", 1)],
    }
    await topics.ensure(settings)
    forged = Forged(settings, wrong)
    likes = [Like(user="bob", item=item, at=at) for item in ("a", "b")]
    await forged.publish([Befriend(user=who, friend="bob", at=NOON) for who in "xyz"] + likes)

    verdict = await found(settings, forged)

    assert (verdict.users, verdict.equal, verdict.differing) == (4, 1, 3)
    assert verdict.aspects["feed"] == 3
    assert feeds_that_differ(verdict) == {
        ("x", "a", f"{at}", f"{at + 3}"),
        ("y", "b", f"{at}", "nothing"),
        ("z", "c", "nothing", "1"),
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
    forged = Forged(settings, {"ann": [(item, NOON) for item in ("hidden", "erased", "down")]})
    forged.log, forged.fences = replica.log, replica.fences

    assert (await found(settings, replica)).is_equal
    assert {what for _, what, _, _ in feeds_that_differ(await found(settings, forged))} == {
        "down",
        "erased",
        "hidden",
    }


async def test_only_the_first_differences_are_kept(settings: Settings) -> None:
    """However many feeds differ, all are counted, and ten lines are enough to see why."""
    await topics.ensure(settings)
    forged = Forged(settings, {})
    await forged.publish(traffic(people=30, acts=300))

    verdict = await found(settings, forged)

    assert verdict.differing > 20
    assert verdict.aspects["feed"] > 20
    assert len(verdict.differences) == 10


async def test_what_lies_beyond_the_fences_does_not_count(
    settings: Settings, replica: Replica
) -> None:
    """A shard that lags is compared with the log up to its fences, and is equal."""
    await replica.publish(traffic(people=30, acts=300))
    replica.fences = {name: fence // 2 for name, fence in replica.fences.items()}

    assert await found(settings, replica) == Verdict(users=30, equal=30, items=9, events=330)


async def test_a_store_that_has_nothing_yet_is_equal(settings: Settings, replica: Replica) -> None:
    """Without fences, nothing of the log is in the store, and empty feeds are right."""
    await replica.publish(traffic(people=30, acts=100))
    replica.fences = dict.fromkeys(replica.fences, 0)

    assert await found(settings, replica) == Verdict(users=30, equal=30, events=130)


async def test_events_that_arrive_meanwhile_are_in_both(settings: Settings) -> None:
    """While events flow every snapshot is compared at its own fences, further than the last."""
    people = 2 * module.USERS_AT_ONCE + 5
    seconds = iter(range(1_000, 9_000, 1_000))

    class Growing(Replica):
        async def users(
            self, shard: int, users: Sequence[str]
        ) -> tuple[Moment, dict[str, Holding]]:
            await self.publish(traffic(people, acts=200, start=next(seconds)))
            return await super().users(shard, users)

    await topics.ensure(settings)
    growing = Growing(settings)
    await growing.publish(traffic(people, acts=200))

    verdict = await found(settings, growing)

    assert (verdict.users, verdict.is_equal) == (people, True)
    assert verdict.events == 4 * (people + 200)


async def test_a_store_that_is_flushed_meanwhile_is_folded_anew(settings: Settings) -> None:
    """Fences that go back are followed back: what was folded beyond them is forgotten."""
    people = module.USERS_AT_ONCE + 5

    class Shrinking(Replica):
        async def users(
            self, shard: int, users: Sequence[str]
        ) -> tuple[Moment, dict[str, Holding]]:
            taken = await super().users(shard, users)
            self.fences = {name: fence // 3 for name, fence in self.fences.items()}
            return taken

    await topics.ensure(settings)
    shrinking = Shrinking(settings)
    await shrinking.publish(traffic(people, acts=300))

    verdict = await found(settings, shrinking)

    assert (verdict.users, verdict.is_equal) == (people, True)


async def test_an_open_job_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Feeds are compared once no job is open, and a job that nobody ends is said."""
    jobs = [True, True, False, False]

    class Busy(Forged):
        async def users(
            self, shard: int, users: Sequence[str]
        ) -> tuple[Moment, dict[str, Holding]]:
            is_busy = jobs.pop(0) if jobs else True
            taken = await (super() if is_busy else super(Forged, self)).users(shard, users)
            return dataclasses.replace(taken[0], busy=is_busy), taken[1]

    await topics.ensure(settings)
    busy = Busy(settings, {})
    await busy.publish(traffic(people=10, acts=50))

    assert (await found(settings, busy)).equal == 10
    monkeypatch.setattr(module, "BUSY_S", 0.3)
    with pytest.raises(StoreError, match="shard 0 has had a job open"):
        await found(settings, busy)


async def test_a_batch_half_applied_has_moved_the_stream_time(settings: Settings) -> None:
    """A stream time ahead of the fences is followed, one ahead of the log or behind is an error."""

    class Elsewhen(Replica):
        stream_time = 0

        def _moment(self, view: View) -> Moment:
            return dataclasses.replace(super()._moment(view), stream_time=self.stream_time)

    await topics.ensure(settings)
    history = traffic(people=10, acts=50)
    replica = Elsewhen(settings)
    await replica.publish(history)
    latest = replica.stream_time = max(event.at for event in history)
    replica.fences = {name: fence // 2 for name, fence in replica.fences.items()}

    assert (await found(settings, replica)).is_equal
    replica.stream_time = latest + 1
    with pytest.raises(StoreError, match="later than all of the log"):
        await found(settings, replica)
    replica.stream_time = NOON - 1
    with pytest.raises(StoreError, match="earlier than what it has applied"):
        await found(settings, replica)


async def test_a_store_of_another_log_is_said(settings: Settings, replica: Replica) -> None:
    """A fence beyond the end of the log means that the two do not belong together."""
    await replica.publish(traffic(people=10, acts=50))
    replica.fences["likes", 0] += 1

    with pytest.raises(StoreError, match=r"likes:0 .* but the log ends at .*--another-log"):
        await found(settings, replica)


async def test_no_topics_and_no_kafka_are_said(settings: Settings) -> None:
    """What cannot be read is one line with the remedy."""
    with pytest.raises(BrokerError, match="likewave topics"):
        await found(settings, Replica(settings))
    nowhere = settings.model_copy(update={"kafka": "127.0.0.1:1"})
    with pytest.raises(BrokerError, match="likewave up"):
        await found(nowhere, Replica(nowhere))


async def test_poison_is_counted_and_passed_over(settings: Settings, replica: Replica) -> None:
    """Records that break the contract count as rejected, and change no feed."""
    await replica.publish(traffic(people=10, acts=50))
    async with Producer(settings) as producer:
        await producer.publish_raw(
            Record(topic, b"u1", value)
            for topic in ("likes", "shares")
            for value in (b"{", b"[]", b"null")
        )

    verdict = await found(settings, replica)

    assert (verdict.is_equal, verdict.rejected) == (True, 6)


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
    """A person reads how much was compared, what differs first, and why."""
    verdict = Verdict(events=2_000, seconds=1.25)
    verdict.add_user([Difference("ann", "feed", "a", "5", "nothing", proofs=())])
    verdict.add_user([])
    verdict.add_items(5, [Difference("a", "trending", "in music", "7.000", "nothing")])

    first, *rest = render(verdict).splitlines()

    assert first == (
        "audit: 2 users, 1 equal, 1 differing; 5 items, 1 differing "
        "(2,000 events, 0 rejected, 1.2 s)"
    )
    assert rest == [
        "  ann: feed a expected 5, found nothing; proofs: none",
        "  a: trending in music expected 7.000, found nothing",
    ]
    assert {name: count for name, count in verdict.aspects.items() if count} == {
        "feed": 1,
        "trending": 1,
    }


async def test_a_continuous_audit_finds_what_is_corrupted(
    settings: Settings, tmp_path: Path
) -> None:
    """Each check is of what is there then; what differs is counted, told, and left in the store."""
    stop, heard = asyncio.Event(), []
    async with crew(settings, tmp_path, workers=1) as team, store.opened(settings) as feeds:
        await publish(settings, traffic(people=40, acts=300))
        await team.caught_up()

        async def corrupt(found: Audited) -> None:
            heard.append(found)
            if len(heard) == 1:
                await publish(settings, traffic(people=40, acts=100, start=400))
            elif len(heard) == 3:
                await feeds.zadd("feed:{0}:u1", {"ghost": NOON})
            elif len(heard) == 4:
                stop.set()

        doing: list[asyncio.Task[None]] = []
        auditing = ContinuousAudit(
            feeds,
            settings,
            users=40,
            every_s=0.5,
            hear=lambda found: doing.append(asyncio.create_task(corrupt(found))),
        )
        await asyncio.wait_for(auditing.run(stop), 60)
        await asyncio.gather(*doing)
        left = json.loads(await feeds.get("audited:{0}") or "")

    assert [one.differing for one in heard] == [0, 0, 0, 1]
    assert all(one.users > 30 for one in heard)
    assert left["users_total"] == sum(one.users for one in heard)
    assert {(one["who"], one["what"]) for one in left["differences"]} >= {("u1", "ghost")}


async def test_a_continuous_audit_tells_that_it_reads(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long after its last check, too: what that found stays, and reading goes on."""
    stop, began, found = asyncio.Event(), now_ms(), list[str | None]()
    read, before = (
        SpotCheck.read,
        Audited(1, 20, 1, 1_200, 3, [Difference("u1", "feed", "a", "1", "2")]),
    )

    async def slowly(checking: SpotCheck, progress: Progress) -> None:
        await read(checking, progress)
        await asyncio.sleep(0.5)
        found.append(await feeds.get(REPORT))

    monkeypatch.setattr(SpotCheck, "read", slowly)
    monkeypatch.setattr(continuous, "TELL_S", 0.1)
    await topics.ensure(settings)
    await publish(settings, traffic(people=40, acts=100))
    async with store.opened(settings) as feeds:
        await store.prepare(feeds, settings)
        await feeds.set(REPORT, msgspec.json.encode(before))
        auditing = ContinuousAudit(feeds, settings, users=20, every_s=60, hear=lambda _: stop.set())
        await asyncio.wait_for(auditing.run(stop), 60)
        (reading,), after = found, await continuous.last(feeds)

    told = json.loads(reading or "")
    assert told == dataclasses.asdict(before) | {"read_at": told["read_at"]}
    assert told["read_at"] >= began
    assert after is not None
    assert (after.read_at, after.busy_at) == (0, after.at)


async def test_a_continuous_audit_does_not_run_out_of_users(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where fewer than half are left others are chosen, but not before reading has paid."""
    stop, heard, choices = asyncio.Event(), list[Audited](), list[tuple[int, int]]()
    read = SpotCheck.read

    async def noting(checking: SpotCheck, progress: Progress) -> None:
        began = now_ms()
        await read(checking, progress)
        choices.append((began, now_ms()))

    def hear(found: Audited) -> None:
        heard.append(found)
        if len(choices) == 2:
            stop.set()

    monkeypatch.setattr(SpotCheck, "read", noting)
    async with crew(settings, tmp_path, workers=1) as team, store.opened(settings) as feeds:
        await publish(settings, traffic(people=40, acts=100))
        await team.caught_up()
        auditing = ContinuousAudit(feeds, settings, users=20, every_s=0.2, hear=hear)
        running = asyncio.create_task(auditing.run(stop))
        while not heard:
            await asyncio.sleep(0.1)
        await publish(
            settings, [Befriend(user=f"u{n}", friend=f"x{n}", at=NOON) for n in range(40)]
        )
        await asyncio.wait_for(running, 60)

    first, *_, exhausted, last = heard
    assert (first.users, exhausted.users, last.users) == (20, 0, 20)
    (began, chosen), (began_anew, _) = choices
    assert began_anew - began >= WORTH * (chosen - began)
    assert not any(one.differing for one in heard)


def test_a_sample_needs_what_reaches_its_users_and_no_more() -> None:
    """Acts of strangers are let go; whom a stranger comes to reach is judged no more."""
    sample = Sample(["ann"])
    sample.hear(Befriend(user="bob", friend="ann", at=NOON))

    assert sample.keep(Like(user="bob", item="a", at=NOON))
    assert not sample.keep(Like(user="eve", item="a", at=NOON))
    assert sample.keep(Post(user="eve", item="a", at=NOON))
    assert sample.keep(Befriend(user="bob", friend="cat", at=NOON))
    assert sample.users == {"ann"}
    assert sample.keep(events.Follow(user="ann", friend="eve", at=NOON))
    assert sample.users == set()


def test_a_choice_does_not_hang_on_the_order() -> None:
    """The same seed chooses the same users from the same friendships, another one others."""
    history = [Befriend(user=f"u{n}", friend=f"u{n + 1}", at=NOON) for n in range(100)]

    def chosen(seed: int, heard: list[Befriend]) -> list[str]:
        choice = Choice(5, seed)
        assert not any(map(choice.hear, heard))
        return choice.users

    assert chosen(1, history) == chosen(1, history[::-1])
    assert len({tuple(chosen(seed, history)) for seed in range(5)}) == 5


async def test_snapshots_are_taken_ahead_but_one_at_a_time() -> None:
    """The next is on its way while one is compared; an older one never comes after a newer one."""
    under_way, told = 0, list[str]()

    async def ask(number: int) -> int:
        nonlocal under_way
        under_way += 1
        assert under_way == 1
        told.append(f"asked {number}")
        await asyncio.sleep(0)
        under_way -= 1
        return number

    answers = ahead(partial(ask, number) for number in range(3))
    async for number in answers:
        told.append(f"used {number}")
    assert told == ["asked 0", "asked 1", "used 0", "asked 2", "used 1", "used 2"]


async def test_nothing_is_asked_for_any_more_where_nobody_goes_on() -> None:
    """Whoever stops amid the answers leaves no question behind."""
    ended = asyncio.Event()

    async def ask() -> None:
        try:
            await asyncio.sleep(3_600 if ended.is_set() else 0)
        finally:
            ended.set()

    async with aclosing(ahead([ask] * 3)) as answers:
        await anext(answers)
    assert len(asyncio.all_tasks()) == 1
