"""What a stream meets in the wild: poison, events that come twice, and events that come late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from models.errors import SettingsError
from models.events import LARGEST_EVENT, TOPICS, encode
from streams.producer import Record
from streams.topics import COMPACTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator

    from models.traffic import Traffic

KEYS = 1_000  # of poison, so that every partition has its part
RECENT = 1_000  # records of which one may come again
POISON = (
    b"",
    b"\xff\xfe\x00",
    b"not JSON",
    b'{"kind":"like","at":1790000000000,"user":"17","item":',
    b'["like"]',
    b'{"kind":"poke","at":1790000000000,"user":"17","item":"4"}',
    b'{"kind":"like","user":"17","item":"4"}',
    b'{"kind":"like","at":"today","user":"17","item":"4"}',
    b'{"kind":"like","at":-1,"user":"17","item":"4"}',
    b'{"kind":"like","at":4000000000000,"user":"17","item":"4"}',
    b'{"kind":"like","at":1790000000000,"user":"17|18","item":"4"}',
    b'{"kind":"like","at":1790000000000,"user":"","item":"4"}',
    b'{"kind":"view","at":1790000000000,"user":"17","item":"4","completion":1e999}',
    b'{"kind":"share","at":1790000000000,"user":"17","item":"4","to":["17"]}',
    b'{"kind":"befriend","at":1790000000000,"user":"17","friend":"17"}',
    b'{"kind":"post","at":1790000000000,"user":"17","item":"4","topics":["a","b c"]}',
    b'{"kind":"takedown","at":1790000000000,"user":"17"}',
    b'{"kind":"block","at":1790000000000,"user":"17","other":"17"}',
    b'{"kind":"like","at":1790000000000,"user":"17","item":"4"}'.ljust(LARGEST_EVENT + 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How much of what goes wrong is mixed into the traffic."""

    poison: float = 0.0  # part of the records that are no valid event
    duplicates: float = 0.0  # part of the records that are published before
    disorder_ms: int = 0  # by which an act may come late

    def __post_init__(self) -> None:
        """Refuse what cannot be mixed."""
        for name in ("poison", "duplicates"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"--{name} is {getattr(self, name)}: give a part from 0 to 1")
        if self.poison + self.duplicates > 1:
            raise SettingsError("--poison and --duplicates add up to more than 1: lower one")
        if self.disorder_ms < 0:
            raise SettingsError(f"--disorder is {self.disorder_ms}: give 0 or more milliseconds")


class Mixer:
    """Makes records of a traffic, with the noise in between.

    What is on a compacted topic stays in order, and none of it comes twice: Kafka would keep an old
    word for the last one.
    """

    def __init__(self, traffic: Traffic, noise: Noise, chance: Generator) -> None:
        self._traffic = traffic
        self._noise = noise
        self._chance = chance
        self._recent: deque[Record] = deque(maxlen=RECENT)
        self._topic = TOPICS[0]  # of the last event: poison is where the traffic is
        self.poisoned = 0
        self.repeated = 0

    def records(self, count: int, at: int) -> Iterator[Record]:
        """Give the next `count` records, of what happens `at` or shortly before."""
        poison, duplicates = self._noise.poison, self._noise.duplicates
        for roll, place, late in self._chance.random((count, 3)).tolist():
            if roll < poison:
                self.poisoned += 1
                yield _poison(self._topic, place, late)
            elif roll < poison + duplicates and self._recent:
                self.repeated += 1
                yield self._recent[int(place * len(self._recent))]
            else:
                yield self._event(at, int(late * (self._noise.disorder_ms + 1)))

    def _event(self, at: int, late_ms: int) -> Record:
        event = self._traffic.next(at - late_ms)
        self._topic = event.topic
        if event.topic in COMPACTED:
            event = replace(event, at=at)
            return Record(event.topic, event.key.encode(), encode(event))
        record = Record(event.topic, event.key.encode(), encode(event))
        self._recent.append(record)
        return record


def _poison(topic: str, place: float, value: float) -> Record:
    """Make a record that is no event; its key is none of a register, which it would overwrite."""
    return Record(topic, b"%d" % int(place * KEYS), POISON[int(value * len(POISON))])
