"""Publishes likes at an even rate until it is ended; arguments: rate, users, likes before these."""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import islice

from benchmarks import workload
from streams.producer import Producer
from streams.settings import resolve

PERIOD_S = 0.005


async def main(rate: float, users: int, before: int) -> None:
    """Publish what is due, again and again."""
    at = workload.START + workload.STEP_MS * before
    likes = workload.likes(workload.circle(users).users, seed=2, at=at)
    published, began = 0, time.perf_counter()
    async with Producer(resolve()) as producer:
        while True:
            due = int(rate * (time.perf_counter() - began)) - published
            await producer.publish(islice(likes, due))
            published += due
            await asyncio.sleep(PERIOD_S)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
