"""The dead letters as an operator finds them: read to the end, and marked.

Kafka does not change a record. So what became of a letter is said by another record behind it, a
mark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from aiokafka import AIOKafkaProducer, TopicPartition

from models.events import DEAD_LETTERS
from models.letters import (
    DONE,
    Identity,
    Letter,
    Place,
    Selection,
    State,
    done,
    mark,
    marked,
)
from streams.kafka import ANSWER_MS, consuming, explained, hang_up, options, reach
from streams.stretches import records
from streams.topics import DEAD_MESSAGE_BYTES, log_bounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    from streams.settings import Settings

Progress: TypeAlias = Callable[[str, int, int], None]  # stage, done, total

AT_ONCE = 500  # letters sent, and then marked
SEND_S = 15.0  # for an acknowledgement, which aiokafka itself awaits for ever


class Letters:
    """The dead-letter topic, open to an operator."""

    def __init__(
        self, settings: Settings, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer
    ) -> None:
        self._settings = settings
        self._topic = settings.topic(DEAD_LETTERS)
        self._consumer = consumer
        self._producer = producer

    async def read(self, selection: Selection, progress: Progress) -> list[Letter]:
        """Read the letters that are meant, the oldest first; of one record the newest letter."""
        found: dict[Identity, Letter] = {}
        for letter in await self.everything(selection, progress):
            if selection.fits(letter):
                found.pop(letter.identity, None)
                found[letter.identity] = letter
        return [letter for letter in found.values() if letter.state in selection.states]

    async def everything(self, selection: Selection, progress: Progress) -> list[Letter]:
        """Read all letters of the partitions that are meant, the oldest first.

        A worker that was killed, or a store that is filled again, rejects a record once more. What
        was said of one of its letters is said of all.
        """
        letters: list[Letter] = []
        states: dict[Place, State] = {}
        async for record in self._records(selection, progress):
            headers = {
                name: (text or b"").decode(errors="replace") for name, text in record.headers
            }
            place = Place(record.partition, record.offset)
            if state := done(headers):
                marks = (Place(place.partition, offset) for offset in marked(record.value))
                states |= dict.fromkeys(marks, state)
            else:
                letters.append(Letter(place, record.timestamp, record.key, record.value, headers))
        letters.sort(key=lambda letter: (letter.at, letter.place))
        said = {one.identity: states[one.place] for one in letters if one.place in states}
        return [replace(one, state=said.get(one.identity, State.OPEN)) for one in letters]

    async def mark(self, letters: Sequence[Letter], state: State) -> None:
        """Note what became of `letters`."""
        for partition in sorted({letter.place.partition for letter in letters}):
            offsets = [one.place.offset for one in letters if one.place.partition == partition]
            await self.append(partition, mark(offsets), headers={DONE: state.value})

    async def drop(self, letters: Sequence[Letter], progress: Progress) -> None:
        """Mark letters as done with."""
        for end, some in pieces(letters):
            await self.mark(some, State.DROPPED)
            progress("dropping", end, len(letters))

    async def append(
        self,
        partition: int,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: dict[str, str],
    ) -> Place:
        """Write a record to the end of a partition; give its place."""
        return await self.send(self._topic, value, key=key, partition=partition, headers=headers)

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None,
        partition: int | None = None,
        headers: dict[str, str],
    ) -> Place:
        """Write a record to a topic, and give its place once Kafka has it."""
        told = [(name, text.encode()) for name, text in headers.items()]
        with explained(self._settings):
            async with asyncio.timeout(SEND_S):
                sent = await self._producer.send_and_wait(
                    topic, value=value, key=key, partition=partition, headers=told
                )
        return Place(sent.partition, sent.offset)

    async def _records(
        self, selection: Selection, progress: Progress
    ) -> AsyncIterator[ConsumerRecord]:
        """Read what is in the topic now, in the partitions that the selection needs."""
        wanted, read = {partition for partition, _ in selection.places}, 0
        stretches = {
            TopicPartition(self._topic, number): (max(begin, end - (selection.last or end)), end)
            for (_, number), (begin, end) in (
                await log_bounds(self._settings, [DEAD_LETTERS])
            ).items()
            if not wanted or number in wanted
        }
        total = sum(end - begin for begin, end in stretches.values())
        async for some in records(self._settings, self._consumer, stretches):
            for record in some:
                yield record
            read += len(some)
            progress("reading dead letters", read, total)


def pieces(letters: Sequence[Letter]) -> Iterator[tuple[int, Sequence[Letter]]]:
    """Cut letters into pieces; give how far each reaches, and the piece."""
    for begin in range(0, len(letters), AT_ONCE):
        yield min(begin + AT_ONCE, len(letters)), letters[begin : begin + AT_ONCE]


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Letters]:
    """Open the dead letters; raise BrokerError where Kafka or the topic is missing."""
    async with consuming(
        settings, request_timeout_ms=ANSWER_MS, max_partition_fetch_bytes=2 * DEAD_MESSAGE_BYTES
    ) as consumer:
        producer = AIOKafkaProducer(
            **options(settings),
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=ANSWER_MS,
            max_request_size=DEAD_MESSAGE_BYTES,
        )
        try:
            await reach(settings, producer.start)
            yield Letters(settings, consumer, producer)
        finally:
            await hang_up(producer)
