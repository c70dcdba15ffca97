"""Records of a batch become events; what breaks the contract is rejected, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from operator import sub
from typing import TYPE_CHECKING, Protocol

import msgspec

from models.errors import EventError
from models.events import (
    ID_BYTES,
    KINDS,
    LARGEST_EVENT,
    LONGEST_ID,
    TOPICS,
    check,
    decoder,
    ids,
    is_on_oneself,
    refusal,
)
from models.events import decode as read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.events import Event

AHEAD_MS = 5 * 60_000  # how far the clock of a producer may run ahead of the broker's
OLDEST_NEW = 946_684_800_000  # the year 2000: an `at` in seconds lies before it
FEW = 8  # records that are checked one by one rather than halved again
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)  # what a decoder raises on bytes

_decoders = {
    topic: decoder(kind for kind in KINDS.values() if kind.topic == topic) for topic in TOPICS
}


class Record(Protocol):
    """What decoding needs of a Kafka record; `timestamp` is the broker's, in Unix ms."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Reason(StrEnum):
    """Why a record was rejected."""

    MALFORMED = "malformed"  # no JSON, no UTF-8, or no value
    INVALID = "invalid"  # no object, or a field of it is missing or breaks the contract
    FUTURE = "future"  # `at` lies further ahead of the record's timestamp than clocks may differ
    OVERSIZE = "oversize"  # larger than an event may be


@dataclass(frozen=True, slots=True)
class Reject:
    """One record that cannot be applied: why, and which field (`$` is the whole)."""

    record: Record
    reason: Reason
    path: str
    detail: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """The valid events of a batch with the offsets of their records, and the rejects."""

    events: list[Event]
    offsets: list[int]
    rejects: list[Reject]

    @property
    def at(self) -> int:
        """Give the greatest `at` of the valid events, 0 where there is none."""
        return max((event.at for event in self.events), default=0)

    @property
    def last_rejects(self) -> int:
        """Count the rejects behind the last valid event."""
        last = self.offsets[-1] if self.offsets else -1
        return sum(reject.record.offset > last for reject in self.rejects)


def admit(raw: bytes, *, now: int) -> Event:
    """Decode one event as a worker would that got it at `now` (Unix ms); raise EventError.

    >>> admit(b'{"kind":"like","at":400000,"user":"ann","item":"song"}', now=5)
    Traceback (most recent call last):
    models.errors.EventError: the event lies 399 s in the future
    """
    if len(raw) > LARGEST_EVENT:
        raise EventError(
            f"{len(raw)} bytes are longer than an event may be ({LARGEST_EVENT} bytes)"
        )
    event = read(raw)
    if (ahead := event.at - now) > AHEAD_MS:
        raise EventError(f"the event lies {ahead // 1000} s in the future", path="$.at")
    return event


def admit_new(raw: bytes, *, now: int) -> Event:
    """Admit an event that a program hands in; raise EventError also where `at` must be seconds.

    The log takes such an `at` as a moment of 1970, which is true of nothing that is published now.

    >>> admit_new(b'{"kind":"like","at":1795500060,"user":"ann","item":"song"}', now=1795500060000)
    Traceback (most recent call last):
    models.errors.EventError: 1795500060 is before 2000: give milliseconds
    """
    event = admit(raw, now=now)
    if event.at < OLDEST_NEW:
        raise EventError(f"{event.at} is before 2000: give milliseconds", path="$.at")
    return event


def accepted_from(raw: bytes) -> int:
    """Give from which moment (Unix ms) on an event is not in the future; 0 for what is none."""
    try:
        return read(raw).at - AHEAD_MS
    except EventError:
        return 0


def decode(topic: str, records: Sequence[Record]) -> Decoded:
    """Decode the records of one partition of `topic`."""
    parse = _decoders[topic].decode
    try:
        events = [parse(record.value or b"") for record in records]
    except UNREADABLE:
        return _decode_halves(topic, records)
    if _sound(events, records):
        return Decoded(events, [record.offset for record in records], [])
    return _decode_halves(topic, records)


def _decode_halves(topic: str, records: Sequence[Record]) -> Decoded:
    """Close in on what is wrong by halves, so that poison costs its own batch little."""
    if len(records) <= FEW:
        return _decode_each(topic, records)
    middle = len(records) // 2
    left, right = decode(topic, records[:middle]), decode(topic, records[middle:])
    return Decoded(
        left.events + right.events, left.offsets + right.offsets, left.rejects + right.rejects
    )


def _sound(events: Sequence[Event], records: Sequence[Record]) -> bool:
    """Check a whole batch at once, without saying which record is wrong."""
    if not events:
        return True
    named = ids(events)
    lengths = set(map(len, named))
    ahead = map(sub, [event.at for event in events], [record.timestamp for record in records])
    return (
        "\n".join(named).encode().translate(None, ID_BYTES) == b"\n" * (len(named) - 1)
        and min(lengths) > 0
        and max(lengths) <= LONGEST_ID
        and max(ahead) <= AHEAD_MS
        and max(len(record.value or b"") for record in records) <= LARGEST_EVENT
        and not any(map(is_on_oneself, events))
    )


def _decode_each(topic: str, records: Sequence[Record]) -> Decoded:
    decoded = Decoded([], [], [])
    for record in records:
        found = examine(topic, record)
        if isinstance(found, Reject):
            decoded.rejects.append(found)
        else:
            decoded.events.append(found)
            decoded.offsets.append(record.offset)
    return decoded


def examine(topic: str, record: Record) -> Event | Reject:
    """Decode one record, or say what is wrong with it."""
    value = record.value or b""
    if len(value) > LARGEST_EVENT:
        return Reject(record, Reason.OVERSIZE, "$", f"{len(value)} bytes, at most {LARGEST_EVENT}")
    try:
        event = _decoders[topic].decode(value)
        check(event)
    except (msgspec.ValidationError, EventError) as error:
        complaint = error if isinstance(error, EventError) else refusal(error)
        return Reject(record, Reason.INVALID, complaint.path, str(complaint))
    except UNREADABLE as error:
        return Reject(record, Reason.MALFORMED, "$", str(refusal(error)))
    if event.at > record.timestamp + AHEAD_MS:
        ahead = event.at - record.timestamp
        return Reject(record, Reason.FUTURE, "$.at", f"{ahead} ms ahead of the record")
    return event
