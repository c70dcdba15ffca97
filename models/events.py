"""What is published: kinds, fields, topics; the one source of the contract."""

from __future__ import annotations

import functools
import re
from itertools import chain
from operator import attrgetter, or_
from typing import TYPE_CHECKING, Annotated, ClassVar, get_args

import msgspec

from models.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ID_PATTERN = r"\A[A-Za-z0-9_-]{1,64}\Z"
ID_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
LONGEST_ID = 64
AN_ID = "an id is 1 to 64 of A-Z a-z 0-9 _ -"
LARGEST_EVENT = 65_536  # bytes
LATEST = 2**52  # a register is 2 * at + off, exact in a double
MOST_RECIPIENTS = 200
MOST_TOPICS = 8

# The pattern is documented here and checked by `decode` over whole batches: a regular expression
# for each string would cost more than all the rest of the decoding.
Id = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"})]
Moment = Annotated[int, msgspec.Meta(gt=0, lt=LATEST, description="Unix time in milliseconds")]
Recipients = Annotated[list[Id], msgspec.Meta(min_length=1, max_length=MOST_RECIPIENTS)]
Topics = Annotated[list[Id], msgspec.Meta(max_length=MOST_TOPICS)]
Creation = Annotated[
    int, msgspec.Meta(gt=0, lt=LATEST, description="When the user's account was made, Unix ms")
]


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
    register: ClassVar[str]  # the kind of switch that an event and its undoing write
    off: ClassVar[bool] = False  # takes back what its counterpart switched on

    at: Moment

    @property
    def key(self) -> str:
        """Name the record key, which decides partition and compaction: by default the register."""
        return "|".join((self.register, *self.accounts))

    @property
    def accounts(self) -> tuple[str, ...]:
        """Name who acts, then on whom."""
        return ()

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

    @property
    def accounts(self) -> tuple[str, ...]:
        """Name the user."""
        return (self.user,)

    @property
    def since(self) -> int | None:
        """Give when the user's account was made (Unix ms), where the event says so."""
        return None


class Like(OnItem, frozen=True, kw_only=True):
    """`user` likes `item`."""

    topic: ClassVar[str] = "likes"
    register: ClassVar[str] = "like"

    since: Creation | None = None


class Unlike(OnItem, frozen=True, kw_only=True):
    """`user` takes the like of `item` back."""

    topic: ClassVar[str] = "likes"
    register: ClassVar[str] = "like"
    off: ClassVar[bool] = True


class View(OnItem, frozen=True, kw_only=True):
    """`user` saw `item`, privately: it counts for the item, and never spreads."""

    topic: ClassVar[str] = "views"

    dwell_ms: Annotated[int, msgspec.Meta(ge=0, lt=LATEST)] | None = None
    completion: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    since: Creation | None = None


class _Sharing(OnItem, frozen=True, kw_only=True):
    topic: ClassVar[str] = "shares"
    register: ClassVar[str] = "share"

    to: Recipients | None = None

    @property
    def accounts(self) -> tuple[str, ...]:
        return (self.user, *(self.to or ()))


class Share(_Sharing, frozen=True, kw_only=True):
    """`user` shares `item` with all friends, or by name with those in `to`."""

    since: Creation | None = None


class Unshare(_Sharing, frozen=True, kw_only=True):
    """`user` takes a share back: the one to all, or the ones to those in `to`."""

    off: ClassVar[bool] = True


class _Kept(OnItem, frozen=True, kw_only=True):
    @property
    def key(self) -> str:
        return f"{self.register}|{self.user}|{self.item}"


class Post(_Kept, frozen=True, kw_only=True):
    """`user` made `item`, which is about `topics`."""

    topic: ClassVar[str] = "posts"
    register: ClassVar[str] = "post"

    topics: Topics | None = None
    since: Creation | None = None


class Takedown(Event, frozen=True, kw_only=True):
    """`item` is gone for everybody and for ever."""

    topic: ClassVar[str] = "posts"
    register: ClassVar[str] = "takedown"

    item: Id

    @property
    def key(self) -> str:
        """Name the register."""
        return f"{self.register}|{self.item}"


class Hide(_Kept, frozen=True, kw_only=True):
    """`user` does not want to see `item`."""

    topic: ClassVar[str] = "preferences"
    register: ClassVar[str] = "hide"


class Unhide(_Kept, frozen=True, kw_only=True):
    """`user` takes the hiding of `item` back."""

    topic: ClassVar[str] = "preferences"
    register: ClassVar[str] = "hide"
    off: ClassVar[bool] = True


class Edge(Event, frozen=True, kw_only=True):
    """An event between two accounts, keyed by the register it writes."""

    topic: ClassVar[str] = "friendships"

    user: Id
    friend: Id

    @property
    def accounts(self) -> tuple[str, ...]:
        """Name both."""
        return (self.user, self.friend)


class _Mutual(Edge, frozen=True, kw_only=True):
    register: ClassVar[str] = "friend"

    @property
    def key(self) -> str:
        return "|".join((self.register, *sorted(self.accounts)))


class _Directed(Edge, frozen=True, kw_only=True):
    register: ClassVar[str] = "follow"


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


class Stance(Event, frozen=True, kw_only=True):
    """What one account makes of another, which nobody is told; keyed by the register it writes."""

    topic: ClassVar[str] = "preferences"

    user: Id
    other: Id

    @property
    def accounts(self) -> tuple[str, ...]:
        """Name both."""
        return (self.user, self.other)


class Block(Stance, frozen=True, kw_only=True):
    """Nothing that `user` does reaches `other` any more, nor the other way round."""

    register: ClassVar[str] = "block"


class Unblock(Stance, frozen=True, kw_only=True):
    """`user` takes the block of `other` back."""

    register: ClassVar[str] = "block"
    off: ClassVar[bool] = True


class Mute(Stance, frozen=True, kw_only=True):
    """Nothing that `other` does reaches `user` any more."""

    register: ClassVar[str] = "mute"


class Unmute(Stance, frozen=True, kw_only=True):
    """`user` takes the muting of `other` back."""

    register: ClassVar[str] = "mute"
    off: ClassVar[bool] = True


class Favor(Stance, frozen=True, kw_only=True):
    """What `other` does weighs more for `user`."""

    register: ClassVar[str] = "favor"


class Unfavor(Stance, frozen=True, kw_only=True):
    """What `other` does weighs for `user` as what anybody does."""

    register: ClassVar[str] = "favor"
    off: ClassVar[bool] = True


class Erase(Event, frozen=True, kw_only=True):
    """`user` is gone for ever, as if they had never done anything."""

    topic: ClassVar[str] = "preferences"
    register: ClassVar[str] = "erase"

    user: Id

    @property
    def accounts(self) -> tuple[str, ...]:
        """Name the user."""
        return (self.user,)


AnyEvent = (
    (Like | Unlike | View | Share | Unshare)
    | (Befriend | Unfriend | Follow | Unfollow)
    | (Post | Takedown)
    | (Hide | Unhide | Block | Unblock | Mute | Unmute | Favor | Unfavor | Erase)
)

KINDS: dict[str, type[Event]] = {kind.__name__.lower(): kind for kind in get_args(AnyEvent)}
TOPICS: tuple[str, ...] = tuple(dict.fromkeys(kind.topic for kind in KINDS.values()))
DEAD_LETTERS = "dead-letters"

# What the decoder says of JSON that ends too soon, and how it begins to say what is missing.
CUT, MISSING = "Input data was truncated", "Object missing required field "

# What a field means is the same in every kind: whose name it holds, or whose names.
ONE_ID = ("user", "item", "friend", "other")
MANY_IDS = ("to", "topics")
ACTED_ON = ("$.friend", "$.other", "$.to[")  # beginnings of the paths that lead to another account

_fields = {
    kind: tuple(name for name in kind.__struct_fields__ if name in ONE_ID + MANY_IDS)
    for kind in KINDS.values()
}
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
    for path, named in _named(event):
        if not _id.match(named):
            raise EventError(f"{AN_ID}, got {named[:80]!r}", path=path)
        if path.startswith(ACTED_ON) and named == event.accounts[0]:
            raise EventError(f"a user cannot act on themselves ({named})", path=path)


def moved(event: Event, by_ms: int) -> Event:
    """Give an event as it would be had all happened `by_ms` later.

    >>> moved(Like(at=5, user="ann", item="song", since=1), 10)
    Like(at=15, user='ann', item='song', since=11)
    """
    since = getattr(event, "since", None)
    account = {} if since is None else {"since": since + by_ms}
    return msgspec.structs.replace(event, at=event.at + by_ms, **account)


def ids(events: Sequence[Event]) -> list[str]:
    """List all ids that events name, in no order; quick where they are of one topic."""
    shapes = {_fields[kind] for kind in set(map(type, events))}
    named: list[str] = []
    for shape in shapes:
        alike = (
            events if len(shapes) == 1 else [one for one in events if _fields[type(one)] == shape]
        )
        for field in shape:
            values = map(attrgetter(field), alike)
            named += chain.from_iterable(filter(None, values)) if field in MANY_IDS else values
    return named


def is_on_oneself(event: Event) -> bool:
    """Tell whether somebody acts on themselves."""
    accounts = event.accounts
    return len(accounts) > 1 and accounts[0] in accounts[1:]


def _named(event: Event) -> Iterator[tuple[str, str]]:
    """Give each id of an event, after the path to it."""
    for field in _fields[type(event)]:
        value = getattr(event, field)
        if field in ONE_ID:
            yield f"$.{field}", value
        else:
            yield from ((f"$.{field}[{place}]", one) for place, one in enumerate(value or ()))


def refusal(error: Exception) -> EventError:
    """Turn a decoder's complaint into an EventError that names the field.

    >>> refusal(ValueError("Object missing required field `item`")).path
    '$.item'
    """
    message, _, end = str(error).partition(" - at `")
    path = end.rstrip("`") or "$"
    if isinstance(error, RecursionError):
        message = "it is nested too deeply"
    elif isinstance(error, UnicodeDecodeError):
        message = "it is no UTF-8"
    elif message == CUT:
        message = (
            "it is empty, or ends in the middle, or half of a surrogate pair is in it (\\ud800): "
            "give one JSON object"
        )
    elif message.startswith(MISSING):
        field = message.removeprefix(MISSING).strip("`")
        message, path = f"`{field}` is missing", f"{path}.{field}"
    return EventError(message or type(error).__name__, path=path)
