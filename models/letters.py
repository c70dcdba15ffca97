"""Dead letters: what they say, which are chosen, what became of them.

A letter is a record of the dead-letter topic, and its place there (partition and offset, `3:127`)
is its address. What became of it stands behind it in the same partition: a mark, whose header
`done` says what was done and whose value lists the offsets. So no mark is gone before its letter.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Identity: TypeAlias = tuple[str, int, int, int]

REDRIVEN = "redriven"  # header: how often a record was sent again
DONE = "done"  # header of a mark
DIGITS = 12  # of a number in a header: whoever writes to a topic may write any header
NOT_ACCOUNTS = ("item", "topics")  # fields whose ids are not those of accounts
ITEM_LAST = ("post", "hide")  # registers whose name ends with an item


class State(StrEnum):
    """What became of a letter."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DROPPED = "dropped"


class Place(NamedTuple):
    """Where a letter is: partition and offset in the dead-letter topic.

    >>> str(Place(3, 127))
    '3:127'
    """

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; topic, partition and offset of `headers` are those of the record it was."""

    place: Place
    timestamp: int  # the broker's, Unix ms
    key: bytes | None
    value: bytes | None
    headers: dict[str, str] = field(hash=False)
    state: State = State.OPEN

    @property
    def reason(self) -> str:
        """Say why the record was rejected."""
        return self.headers.get("reason", "")

    @property
    def topic(self) -> str:
        """Name the topic that the record came from, in full."""
        return self.headers.get("topic", "")

    @property
    def source(self) -> tuple[int, int]:
        """Give partition and offset of the record in its topic."""
        return number(self.headers.get("partition")), number(self.headers.get("offset"))

    @property
    def identity(self) -> Identity:
        """Name the record; one of another log at the same place is another."""
        return self.topic, *self.source, hash(self.value)

    @property
    def at(self) -> int:
        """Give the moment of the rejection (Unix ms)."""
        return number(self.headers.get("time")) or self.timestamp

    @property
    def redriven(self) -> int:
        """Count how often the record was sent again before it came here."""
        return number(self.headers.get(REDRIVEN))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which letters are meant: those that fit whatever is given."""

    places: frozenset[Place] = frozenset()
    states: frozenset[State] = frozenset({State.OPEN})
    reason: str | None = None
    topic: str | None = None  # in full
    partition: int | None = None  # of that topic
    since: int = 0  # Unix ms
    until: int | None = None
    last: int | None = None  # records of each partition of the dead letters; no others are read

    def fits(self, letter: Letter) -> bool:
        """Tell whether `letter` is meant, whatever became of it."""
        return (
            (not self.places or letter.place in self.places)
            and self.reason in (None, letter.reason)
            and self.topic in (None, letter.topic)
            and self.partition in (None, letter.source[0])
            and self.since <= letter.at
            and (self.until is None or letter.at <= self.until)
        )


@dataclass(frozen=True, slots=True)
class Group:
    """The letters of one reason and topic: how many, and when they came (Unix ms)."""

    reason: str
    topic: str
    count: int
    oldest: int
    newest: int


def summary(letters: Iterable[Letter]) -> list[Group]:
    """Count letters by reason and topic, the most first."""
    moments: dict[tuple[str, str], list[int]] = {}
    for letter in letters:
        moments.setdefault((letter.reason, letter.topic), []).append(letter.at)
    groups = [Group(*one, len(at), min(at), max(at)) for one, at in moments.items()]
    return sorted(groups, key=lambda group: (-group.count, group.reason, group.topic))


def number(text: str | None) -> int:
    """Read the number in a header; 0 where there is none.

    >>> number("17"), number("-1"), number("²"), number(None)
    (17, 0, 0, 0)
    """
    is_number = text and text.isascii() and text.isdecimal() and len(text) <= 2 * DIGITS
    return int(text) if text and is_number else 0


def done(headers: Mapping[str, str]) -> State | None:
    """Read what a mark says; None where the record is no mark."""
    return next((state for state in State if headers.get(DONE) == state), None)


def mark(offsets: Sequence[int]) -> bytes:
    """Write down which letters of a partition a mark is about."""
    return msgspec.json.encode(offsets)


def marked(value: bytes | None) -> list[int]:
    """Read the offsets of a mark; none where it is damaged."""
    try:
        return msgspec.json.decode(value or b"", type=list[int])
    except msgspec.MsgspecError:
        return []


def names(letter: Letter, user: str) -> bool:
    """Tell whether `user` is named in a letter, as an account as far as that can be told.

    >>> def letter(value): return Letter(Place(0, 0), 0, b"17", value, {})
    >>> names(letter(b'{"user":"ann","at":"soon"}'), "ann")
    True
    >>> names(letter(b'{"user":"bob","item":"ann"}'), "ann"), names(letter(b"ann-17 {"), "ann")
    (False, False)
    """
    token = re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(user)}(?![A-Za-z0-9_-])")
    return any(map(token.search, _texts(letter)))


def _texts(letter: Letter) -> Iterator[str]:
    """Give the places where an account may be named."""
    kind, *named = (letter.key or b"").decode(errors="replace").split("|")
    if kind != "takedown":
        yield from named[:1] if kind in ITEM_LAST else named or [kind]
    yield letter.headers.get("detail", "")
    try:
        yield from _strings(msgspec.json.decode(letter.value or b""))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        yield (letter.value or b"").decode(errors="replace")


def _strings(found: object) -> Iterator[str]:
    """Give all texts in a JSON document, but for those in fields that name no accounts."""
    match found:
        case str():
            yield found
        case list():
            for one in found:
                yield from _strings(one)
        case dict():
            for name, one in found.items():
                yield name
                if name not in NOT_ACCOUNTS:
                    yield from _strings(one)


def left(reasons: Iterable[str]) -> dict[str, int]:
    """Count why letters were left where they are, the most frequent first."""
    return dict(Counter(reasons).most_common())
