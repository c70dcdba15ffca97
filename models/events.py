"""What is published: kinds, fields, topics; the one source of the contract."""

from __future__ import annotations

import functools
import re
from operator import attrgetter, or_
from typing import TYPE_CHECKING, Annotated, ClassVar, get_args

import msgspec

from models.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ID_PATTERN = r"\A[A-Za-z0-9_-]{1,64}\Z"
ID_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
LONGEST_ID = 64
LARGEST_EVENT = 65_536  # bytes
LATEST = 2**52  # a register is 2 * at + off, exact in a double
MOST_RECIPIENTS = 200

# The pattern is documented here and checked by `decode` over whole batches: a regular expression
# for each string would cost more than all the rest of the decoding.
Id = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"})]
Moment = Annotated[int, msgspec.Meta(gt=0, lt=LATEST, description="Unix time in milliseconds")]
Recipients = Annotated[list[Id], msgspec.Meta(min_length=1, max_length=MOST_RECIPIENTS)]


class Event(
    msgspec.Struct,
    frozen=True,
    gc=False,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag=str.lower,
):
    """One JSON object on a topic: `kind`, `at`, and the fields of its kind."""

    topic: ClassVar[str]
    off: ClassVar[bool] = False  # takes back what its counterpart switched on

    at: Moment

    @property
    def key(self) -> str:
        """Name the record key, which decides partition and compaction."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """Name the kind, as on the wire."""
        return type(self).__name__.lower()


class OnItem(Event, frozen=True, kw_only=True):
    """An event of one user on one item, keyed by the user."""

    user: Id
    item: Id

    @property
    def key(self) -> str:
        """Name the user: what one does stays in order."""
        return self.user


class Like(OnItem, frozen=True, kw_only=True):
    """`user` likes `item`."""

    topic: ClassVar[str] = "likes"


class Unlike(OnItem, frozen=True, kw_only=True):
    """`user` takes the like of `item` back."""

    topic: ClassVar[str] = "likes"
    off: ClassVar[bool] = True


class View(OnItem, frozen=True, kw_only=True):
    """`user` saw `item`, privately: it counts for the item, and never spreads."""

    topic: ClassVar[str] = "views"

    dwell_ms: Annotated[int, msgspec.Meta(ge=0, lt=LATEST)] | None = None
    completion: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None


class Share(OnItem, frozen=True, kw_only=True):
    """`user` shares `item` with all friends, or by name with those in `to`."""

    topic: ClassVar[str] = "shares"

    to: Recipients | None = None


class Unshare(OnItem, frozen=True, kw_only=True):
    """`user` takes a share back: the one to all, or the ones to those in `to`."""

    topic: ClassVar[str] = "shares"
    off: ClassVar[bool] = True

    to: Recipients | None = None


class Edge(Event, frozen=True, kw_only=True):
    """An event between two accounts, keyed by the register it writes."""

    topic: ClassVar[str] = "friendships"

    user: Id
    friend: Id


class _Mutual(Edge, frozen=True, kw_only=True):
    @property
    def key(self) -> str:
        return "friend|" + "|".join(sorted((self.user, self.friend)))


class _Directed(Edge, frozen=True, kw_only=True):
    @property
    def key(self) -> str:
        return f"follow|{self.user}|{self.friend}"


class Befriend(_Mutual, frozen=True, kw_only=True):
    """`user` and `friend` become friends of each other."""


class Unfriend(_Mutual, frozen=True, kw_only=True):
    """`user` and `friend` are no longer friends."""

    off: ClassVar[bool] = True


class Follow(_Directed, frozen=True, kw_only=True):
    """`user` follows `friend`."""


class Unfollow(_Directed, frozen=True, kw_only=True):
    """`user` no longer follows `friend`."""

    off: ClassVar[bool] = True


AnyEvent = Like | Unlike | View | Share | Unshare | Befriend | Unfriend | Follow | Unfollow

KINDS: dict[str, type[Event]] = {kind.__name__.lower(): kind for kind in get_args(AnyEvent)}
TOPICS: tuple[str, ...] = tuple(dict.fromkeys(kind.topic for kind in KINDS.values()))
DEAD_LETTERS = "dead-letters"

_encoder = msgspec.json.Encoder()
_id = re.compile(ID_PATTERN)


def decoder(kinds: Iterable[type[Event]]) -> msgspec.json.Decoder[Event]:
    """Make a decoder of JSON objects of any of `kinds`; it leaves ids to `check`."""
    return msgspec.json.Decoder(functools.reduce(or_, kinds))


_any = decoder(KINDS.values())


def encode(event: Event) -> bytes:
    """Encode `event` as it travels: one JSON object, without the fields that are absent."""
    return _encoder.encode(event)


def decode(raw: bytes) -> Event:
    """Decode and check one event of any kind; raise EventError with the path of the bad field."""
    try:
        event = _any.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise refusal(error) from error
    check(event)
    return event


def check(event: Event) -> None:
    """Raise EventError where the ids of a decoded `event` break the contract."""
    match event:
        case Share(user=user, to=to) | Unshare(user=user, to=to):
            _check_ids({"$.user": user, "$.item": event.item})
            for place, recipient in enumerate(to or ()):
                _check_ids({f"$.to[{place}]": recipient})
                _check_other(user, recipient, f"$.to[{place}]")
        case Edge(user=user, friend=friend):
            _check_ids({"$.user": user, "$.friend": friend})
            _check_other(user, friend, "$.friend")
        case OnItem(user=user, item=item):
            _check_ids({"$.user": user, "$.item": item})


def ids(events: Sequence[Event]) -> list[str]:
    """List all ids that events of one topic name."""
    kind = type(events[0])
    other = "item" if issubclass(kind, OnItem) else "friend"
    named = [*map(attrgetter("user"), events), *map(attrgetter(other), events)]
    if issubclass(kind, Share | Unshare):
        for recipients in filter(None, map(attrgetter("to"), events)):
            named += recipients
    return named


def is_on_oneself(event: Event) -> bool:
    """Tell whether the users of `event` are one and the same."""
    match event:
        case Share(user=user, to=to) | Unshare(user=user, to=to):
            return to is not None and user in to
        case Edge(user=user, friend=friend):
            return user == friend
        case _:
            return False


def _check_ids(named: dict[str, str]) -> None:
    for path, value in named.items():
        if not _id.match(value):
            raise EventError(f"an id is 1 to 64 of A-Z a-z 0-9 _ -, got {value[:80]!r}", path=path)


def _check_other(user: str, other: str, path: str) -> None:
    if user == other:
        raise EventError(f"a user cannot act on themselves ({user})", path=path)


def refusal(error: Exception) -> EventError:
    """Turn a decoder's complaint into an EventError that names the field."""
    message, _, path = str(error).partition(" - at `")
    return EventError(message or type(error).__name__, path=path.rstrip("`") or "$")
