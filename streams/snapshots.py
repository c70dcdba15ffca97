"""What the store holds at one moment, with the fences of that moment: of users, and of items.

Each snapshot is one call of one shard, so whatever flows meanwhile, what it holds is of the events
before its fences and no others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from models.engagement import Engagement
from models.holding import PROOFS, SHOWN, SHOWN_PROOFS, Holding, Shelf, Shown, Tally
from models.shedding import Stretch
from models.trends import FRESH, LISTED
from models.view import Proof  # noqa: TC001 - msgspec reads it
from streams.library import SCHEMA
from streams.pages import DEFAULT, Reply, drawn, request
from streams.reader import fence_key, topics_of
from streams.store import mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.settings import Settings
    from streams.store import Store


@dataclass(frozen=True, slots=True)
class Moment:
    """Where one shard stood."""

    fences: dict[tuple[str, int], int]  # (topic without prefix, partition) -> next offset
    stream_time: int  # Unix ms, 0 when nothing was applied
    busy: bool  # a job is open: nothing is complete yet
    shed: dict[tuple[str, int], list[Stretch]] = field(default_factory=dict)  # as far as remembered


class _Moment(msgspec.Struct, array_like=True, frozen=True):
    fields: list[str]
    jobs: int
    shed: list[tuple[str, list[str]]] = []


class _User(msgspec.Struct, array_like=True, frozen=True):
    feed: list[tuple[str, int]]
    floor: str
    circle: frozenset[str]
    shown: list[tuple[str, str, int, tuple[Proof, ...]]]
    draw: Reply


class _Item(msgspec.Struct, array_like=True, frozen=True):
    item: str
    topics: str
    score: str
    likes: str
    shares: str
    views: str


class _Users(msgspec.Struct, array_like=True, frozen=True):
    moment: _Moment
    users: list[_User]


class _Shelf(msgspec.Struct, array_like=True, frozen=True):
    moment: _Moment
    trends: list[tuple[str, list[str]]]
    fresh: list[str]
    items: list[_Item]


_users = msgspec.msgpack.Decoder(_Users, strict=False)  # as a draw is decoded
_shelf = msgspec.msgpack.Decoder(_Shelf)


class Snapshots:
    """Takes snapshots of the shards of a store."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def users(self, shard: int, users: Sequence[str]) -> tuple[Moment, dict[str, Holding]]:
        """Read what is held of `users`, all at home in `shard`."""
        shown = {"page": SHOWN, "page_proofs": SHOWN_PROOFS}
        wanted = {**request(self._settings, DEFAULT, whole=True, proofs=PROOFS), **shown}
        reply = _users.decode(await self._call("snapshot", shard, wanted, users))
        held = zip(users, reply.users, strict=True)
        return _moment(reply.moment), {user: self._holding(user, one) for user, one in held}

    async def shelf(
        self, shard: int, items: Sequence[str], topics: Sequence[str]
    ) -> tuple[Moment, Shelf]:
        """Read what is held of `items`, and what trends in `shard`, in all and in `topics`."""
        lists = {"trending": LISTED, "fresh": FRESH, "topics": topics}
        wanted = {**lists, "mark": mark(self._settings)}
        reply = _shelf.decode(await self._call("shelf", shard, wanted, items))
        trends = {
            topic: [(item, float(score)) for item, score in _pairs(flat)]
            for topic, flat in reply.trends
        }
        fresh = [(item, int(at)) for item, at in _pairs(reply.fresh)]
        tallies = {one.item: _tally(one) for one in reply.items}
        return _moment(reply.moment), Shelf(trends=trends, fresh=fresh, items=tallies)

    def _holding(self, user: str, one: _User) -> Holding:
        draw = drawn(one.draw, self._settings, user)
        return Holding(
            feed=one.feed,
            floor=int(one.floor) if one.floor else None,
            circle=one.circle,
            shown=[Shown(item, proofs, total) for item, _, total, proofs in one.shown],
            viewer=draw.viewer,
            candidates=draw.candidates,
        )

    async def _call(
        self, function: str, shard: int, wanted: dict[str, object], names: Sequence[str]
    ) -> Any:
        return await self._store.execute_command(  # type: ignore[no-untyped-call]  # redis-py
            "FCALL_RO",
            f"likewave_{SCHEMA}_{function}",
            1,
            fence_key(shard),
            msgspec.msgpack.encode(wanted),
            *names,
            NEVER_DECODE=True,
        )


def _moment(one: _Moment) -> Moment:
    fence = dict(_pairs(one.fields))
    positions = {
        _place(source): int(value.split()[0]) for source, value in fence.items() if ":" in source
    }
    shed = {_place(source): [_stretch(one) for one in found] for source, found in one.shed}
    return Moment(positions, int(fence.get("time", 0)), bool(one.jobs), shed)


def _place(source: str) -> tuple[str, int]:
    topic, _, partition = source.rpartition(":")
    return topic, int(partition)


def _stretch(stored: str) -> Stretch:
    begin, following, halvings, _ = map(int, stored.split())
    return Stretch(begin, following, halvings)


def _pairs(flat: list[str]) -> zip[tuple[str, str]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _tally(one: _Item) -> Tally:
    likes, shares, views = (int(count or 0) for count in (one.likes, one.shares, one.views))
    return Tally(
        topics_of(one.topics), Engagement(likes, shares, views, float(one.score or "-inf"))
    )
