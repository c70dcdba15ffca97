"""The client of producers: every kind of event as a method, checked here, acknowledged by Kafka.

    async with Feed(load()) as feed:
        await feed.like("ann", "song")

One `Feed` serves all tasks of a process: calls that are made at the same time travel together. For
a stream of events without end, `streams.producer.Producer` keeps several batches on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from models import events
from models.decoding import admit_new
from models.errors import EventError
from streams.clock import now_ms
from streams.producer import Record
from streams.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from models.events import Event


class Feed(Publisher):
    """Publishes what people do; every method returns once Kafka has acknowledged.

    `at` is when it happened and `since` when the user's account was made, in Unix ms; without `at`
    it happens now. Each raises EventError, with the path of the field, where the event breaks the
    contract, and BrokerError where Kafka does not acknowledge: `acknowledged` of the first events
    are in the log, and to publish the others again, or all of them, does no harm.
    """

    async def publish(self, events: Iterable[Event]) -> None:
        """Publish `events` in their order, or none of them where one breaks the contract."""
        now = now_ms()
        await self.carry([_checked(event, now, f"[{n}]") for n, event in enumerate(events)])

    async def like(
        self, user: str, item: str, *, at: int | None = None, since: int | None = None
    ) -> None:
        """Have `user` like `item`."""
        await self._one(events.Like(user=user, item=item, at=_or_now(at), since=since))

    async def unlike(self, user: str, item: str, *, at: int | None = None) -> None:
        """Take the like back."""
        await self._one(events.Unlike(user=user, item=item, at=_or_now(at)))

    async def view(  # noqa: PLR0913  what a view may tell
        self,
        user: str,
        item: str,
        *,
        dwell_ms: int | None = None,
        completion: float | None = None,
        at: int | None = None,
        since: int | None = None,
    ) -> None:
        """Have `user` see `item` for `dwell_ms`, or as much of it as `completion` (0 to 1)."""
        await self._one(
            events.View(
                user=user,
                item=item,
                at=_or_now(at),
                dwell_ms=dwell_ms,
                completion=completion,
                since=since,
            )
        )

    async def share(
        self,
        user: str,
        item: str,
        *,
        to: Sequence[str] | None = None,
        at: int | None = None,
        since: int | None = None,
    ) -> None:
        """Have `user` share `item`, by name with those in `to`, without it with all friends."""
        named = _listed("to", to)
        await self._one(events.Share(user=user, item=item, to=named, at=_or_now(at), since=since))

    async def unshare(
        self, user: str, item: str, *, to: Sequence[str] | None = None, at: int | None = None
    ) -> None:
        """Take back the share with all, or those with who is in `to`."""
        named = _listed("to", to)
        await self._one(events.Unshare(user=user, item=item, to=named, at=_or_now(at)))

    async def post(
        self,
        user: str,
        item: str,
        *,
        topics: Sequence[str] | None = None,
        at: int | None = None,
        since: int | None = None,
    ) -> None:
        """Have `user` post `item`, which is about `topics`."""
        about = _listed("topics", topics)
        await self._one(
            events.Post(user=user, item=item, topics=about, at=_or_now(at), since=since)
        )

    async def takedown(self, item: str, *, at: int | None = None) -> None:
        """Take `item` away from everybody, for ever."""
        await self._one(events.Takedown(item=item, at=_or_now(at)))

    async def befriend(self, user: str, friend: str, *, at: int | None = None) -> None:
        """Make two users friends of each other."""
        await self._one(events.Befriend(user=user, friend=friend, at=_or_now(at)))

    async def unfriend(self, user: str, friend: str, *, at: int | None = None) -> None:
        """End a friendship."""
        await self._one(events.Unfriend(user=user, friend=friend, at=_or_now(at)))

    async def follow(self, user: str, friend: str, *, at: int | None = None) -> None:
        """Have `user` follow `friend`."""
        await self._one(events.Follow(user=user, friend=friend, at=_or_now(at)))

    async def unfollow(self, user: str, friend: str, *, at: int | None = None) -> None:
        """Have `user` no longer follow `friend`."""
        await self._one(events.Unfollow(user=user, friend=friend, at=_or_now(at)))

    async def hide(self, user: str, item: str, *, at: int | None = None) -> None:
        """Keep `item` out of the feed of `user`."""
        await self._one(events.Hide(user=user, item=item, at=_or_now(at)))

    async def unhide(self, user: str, item: str, *, at: int | None = None) -> None:
        """Take the hiding back."""
        await self._one(events.Unhide(user=user, item=item, at=_or_now(at)))

    async def block(self, user: str, other: str, *, at: int | None = None) -> None:
        """Keep what either of the two does from the other."""
        await self._one(events.Block(user=user, other=other, at=_or_now(at)))

    async def unblock(self, user: str, other: str, *, at: int | None = None) -> None:
        """Take the block back."""
        await self._one(events.Unblock(user=user, other=other, at=_or_now(at)))

    async def mute(self, user: str, other: str, *, at: int | None = None) -> None:
        """Keep what `other` does from `user`."""
        await self._one(events.Mute(user=user, other=other, at=_or_now(at)))

    async def unmute(self, user: str, other: str, *, at: int | None = None) -> None:
        """Take the muting back."""
        await self._one(events.Unmute(user=user, other=other, at=_or_now(at)))

    async def favor(self, user: str, other: str, *, at: int | None = None) -> None:
        """Have what `other` does weigh more for `user`."""
        await self._one(events.Favor(user=user, other=other, at=_or_now(at)))

    async def unfavor(self, user: str, other: str, *, at: int | None = None) -> None:
        """Have it weigh again what it weighs for anybody."""
        await self._one(events.Unfavor(user=user, other=other, at=_or_now(at)))

    async def erase(self, user: str, *, at: int | None = None) -> None:
        """Erase all that `user` ever did, for ever."""
        await self._one(events.Erase(user=user, at=_or_now(at)))

    async def _one(self, event: Event) -> None:
        await self.carry([_checked(event, now_ms())])


def _or_now(at: int | None) -> int:
    return now_ms() if at is None else at


def _checked(event: Event, now: int, place: str = "") -> Record:
    """Hold an event against the contract, as a worker will; raise EventError naming the field."""
    try:
        is_whole = admit_new(events.encode(event), now=now) == event
    except EventError as error:
        if not _changed(event):
            raise _refused(error, place, error.path.removeprefix("$")) from error
        is_whole = False
    except (TypeError, UnicodeEncodeError):
        is_whole = False
    if not is_whole:
        field = _changed(event)
        why = f"JSON does not carry {getattr(event, field, event)!r:.80} as it is"
        raise _refused(why, place, field and f".{field}")
    return Record.of(event)


def _changed(event: Event) -> str:
    """Name the field that does not travel as it is, such as bytes and NaN; "" where none does."""
    for field in getattr(event, "__struct_fields__", ()):
        value = getattr(event, field)
        try:
            is_whole = msgspec.json.decode(msgspec.json.encode(value)) == value
        except (TypeError, UnicodeEncodeError):
            is_whole = False
        if not is_whole:
            return str(field)
    return ""


def _listed(field: str, ids: Iterable[str] | None) -> list[str] | None:
    """List `ids`; raise EventError where they are a single text, of which each letter is an id."""
    if isinstance(ids, str | bytes):
        raise _refused(f"give a list of ids, such as [{ids!r:.80}]", field=f".{field}")
    return None if ids is None else list(ids)


def _refused(why: object, place: str = "", field: str = "") -> EventError:
    path = f"${place}{field}"
    return EventError(f"{path}: {why}", path=path)
