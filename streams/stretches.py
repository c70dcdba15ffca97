"""Stretches of the log, read to their ends: for whoever looks at what is there now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.errors import BrokerError
from streams.kafka import READ_MS, explained

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

    from streams.settings import Settings

READ_RECORDS = 5_000  # taken from the consumer at a time


async def records(
    settings: Settings,
    consumer: AIOKafkaConsumer,
    stretches: Mapping[TopicPartition, tuple[int, int]],
) -> AsyncIterator[list[ConsumerRecord]]:
    """Read each partition from the first to before the second offset, some records at a time."""
    unread = {place: end for place, (begin, end) in stretches.items() if begin < end}
    consumer.assign(list(unread))
    for place in unread:
        consumer.seek(place, stretches[place][0])
    while unread:
        with explained(settings):
            before = [await consumer.position(place) for place in unread]
            taken = await consumer.getmany(*unread, timeout_ms=READ_MS, max_records=READ_RECORDS)
            after = {place: await consumer.position(place) for place in unread}
        if before == list(after.values()):
            raise BrokerError(
                f"Kafka at {settings.kafka} has given no record of {', '.join(map(str, unread))} "
                f"for {READ_MS // 1000} s: is it healthy? try again"
            )
        for place, found in taken.items():
            yield [record for record in found if record.offset < unread[place]]
        unread = {place: end for place, end in unread.items() if after[place] < end}
