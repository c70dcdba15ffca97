"""Ingest with aiokafka and orjson: batches of records, checked one by one, laid out in numpy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from aiokafka import AIOKafkaConsumer

from benchmarks.contenders.meter import Meter, from_command_line
from models.policy import Policy
from streams.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord


async def main(meter: Meter) -> None:
    """Read until the meter is done."""
    settings, policy = resolve(), Policy()
    consumer = AIOKafkaConsumer(
        settings.topic("likes"),
        bootstrap_servers=settings.kafka,
        group_id=settings.group,
        auto_offset_reset="earliest",
    )
    async with consumer:
        while not meter.done.is_set():
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                meter.begin()
                weigh(records, policy)
                meter.add(len(records))


def weigh(records: Sequence[ConsumerRecord], policy: Policy) -> tuple[list[str], list[str], object]:
    """Give users, items and scores of the valid likes."""
    likes = [like for like in map(read, records) if like is not None]
    at = np.array([like["at"] for like in likes], dtype=np.int64)
    scores = np.rint(at + policy.half_life_ms * np.log2(policy.like_weight)).astype(np.int64)
    return [like["user"] for like in likes], [like["item"] for like in likes], scores


def read(record: ConsumerRecord) -> dict[str, Any] | None:
    """Decode one like; None where it is not one."""
    try:
        like = orjson.loads(record.value)
        valid = (
            isinstance(like["user"], str)
            and isinstance(like["item"], str)
            and isinstance(like["at"], int)
            and like["kind"] in ("like", "unlike")
        )
    except (ValueError, KeyError, TypeError):
        return None
    return like if valid else None


if __name__ == "__main__":
    asyncio.run(main(from_command_line()))
