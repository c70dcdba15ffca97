"""The whole job with aiokafka, orjson and redis-py: a pipeline for a hundred events."""

from __future__ import annotations

import asyncio

import orjson
from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis

from benchmarks.contenders.meter import Meter, from_command_line
from benchmarks.contenders.pipelines import ACTS, Fans, write
from models.events import TOPICS
from streams.settings import resolve


async def main(meter: Meter) -> None:
    """Read until the meter is done."""
    settings = resolve()
    client = Redis.from_url(settings.redis, decode_responses=True)
    fans = await Fans.stored(client)
    consumer = AIOKafkaConsumer(
        *map(settings.topic, TOPICS),
        bootstrap_servers=settings.kafka,
        group_id=settings.group,
        auto_offset_reset="earliest",
    )
    async with consumer:
        while not meter.done.is_set():
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=ACTS)).values():
                meter.begin()
                pipeline = client.pipeline(transaction=False)
                for record in records:
                    write(pipeline, orjson.loads(record.value), fans)
                await pipeline.execute()
                meter.add(len(records))


if __name__ == "__main__":
    asyncio.run(main(from_command_line()))
