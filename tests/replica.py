"""A store that is right: what the definition says of a log, as a store would hold it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer

from models import events
from models.candidate import Candidate, Source
from models.engagement import engagement
from models.events import (
    Befriend,
    Block,
    Event,
    Favor,
    Follow,
    Hide,
    Like,
    Post,
    Share,
    Unfriend,
    Unlike,
)
from models.holding import ALL, PROOFS, SHOWN, SHOWN_PROOFS, Holding, Shelf, Shown, Tally
from models.routing import shard_of
from models.trends import FRESH, LISTED
from models.viewing import fresh, viewer
from streams import topics
from streams.producer import Producer
from streams.snapshots import Moment
from tests.cases import view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.view import Entry, Proof, View
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
                    events.View(user=user, item=item, at=at),
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
    """Holds what the definition says of the log before its fences."""

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

    def view(self) -> View:
        """Apply what is before the fences."""
        return view_of(
            event for name, log in self.log.items() for event in log[: self.fences[name]]
        )

    async def users(self, shard: int, users: Sequence[str]) -> tuple[Moment, dict[str, Holding]]:
        """Hold the feeds of users, and a page of each made of nothing else."""
        del shard  # all of them are at the same fences
        view = self.view()
        return self._moment(view), {user: held_of(view, user) for user in users}

    async def shelf(
        self, shard: int, items: Sequence[str], topics: Sequence[str]
    ) -> tuple[Moment, Shelf]:
        """Hold what counts for items, and all lists."""
        view = self.view()
        known = {*items, *view.posted()}
        home = [item for item in known if shard_of(item, self._settings.shards) == shard]
        tallies = {item: tally_of(view, item) for item in home}
        trends = {topic: trending(tallies, topic) for topic in (ALL, *topics)}
        newest = [(item, at) for at, item in fresh(view, home, FRESH)]
        return self._moment(view), Shelf(trends=trends, fresh=newest, items=tallies)

    def _moment(self, view: View) -> Moment:
        fences = {name: fence for name, fence in self.fences.items() if fence}
        return Moment(fences, view.stream_time, busy=False)


def held_of(view: View, user: str) -> Holding:
    """Hold the feed of a user, and candidates of nothing else."""
    feed, who = view.feed(user), viewer(view, user)
    candidates = [candidate(view, one) for one in feed]
    readable = [
        entry for entry, one in zip(feed, candidates, strict=True) if one.author not in who.blocked
    ]
    return Holding(
        feed=[(one.item, one.score) for one in feed],
        floor=None,
        circle=frozenset(view.circle(user)),
        shown=[
            Shown(one.item, newest(one.proofs)[:SHOWN_PROOFS], len(one.proofs))
            for one in readable[:SHOWN]
        ],
        viewer=who,
        candidates=candidates,
    )


def candidate(view: View, entry: Entry) -> Candidate:
    """Make a candidate of an entry of a feed."""
    origin = next(iter(view.origins(entry.item)), None)
    return Candidate(
        item=entry.item,
        sources=frozenset({Source.SOCIAL}),
        author=origin.author if origin else None,
        topics=origin.topics if origin else (),
        posted_at=origin.at if origin else None,
        social=entry.score,
        proofs=newest(entry.proofs)[:PROOFS],
        actors_total=len({one.actor for one in entry.proofs}),
    )


def newest(proofs: Sequence[Proof]) -> tuple[Proof, ...]:
    """Put the newest proofs first."""
    return tuple(sorted(proofs, key=lambda one: one.at, reverse=True))


def tally_of(view: View, item: str) -> Tally:
    """Count what the definition counts."""
    origin = next(iter(view.origins(item)), None)
    return Tally(origin.topics if origin else (), engagement(view, item))


def trending(tallies: dict[str, Tally], topic: str) -> list[tuple[str, float]]:
    """List what trends, the greatest first."""
    scores = {
        item: one.engagement.score
        for item, one in tallies.items()
        if one.engagement.score > 0 and (topic == ALL or topic in one.topics)
    }
    ranked = sorted(scores.items(), key=lambda entry: (entry[1], entry[0]), reverse=True)
    return ranked[:LISTED]


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
