"""Ingest as Faust's documentation teaches it: an agent over a Record."""

from __future__ import annotations

import asyncio
import math
from array import array
from tempfile import mkdtemp

import faust

from benchmarks.contenders.meter import Meter, from_command_line
from models.policy import Policy
from streams.settings import resolve


class Like(faust.Record, serializer="json"):
    """A like."""

    kind: str
    user: str
    item: str
    at: int


async def main(meter: Meter) -> None:
    """Read until the meter is done."""
    settings, policy = resolve(), Policy()
    app = faust.App(
        settings.group, broker=f"kafka://{settings.kafka}", web_enabled=False, datadir=mkdtemp()
    )
    topic = app.topic(settings.topic("likes"), value_type=Like)
    scores = array("d")

    @app.agent(topic)
    async def weigh(likes: faust.Stream[Like]) -> None:
        async for like in likes:
            meter.begin()
            scores.append(like.at + policy.half_life_ms * math.log2(policy.like_weight))
            meter.add()

    await app.start()
    await meter.done.wait()


if __name__ == "__main__":
    asyncio.run(main(from_command_line()))
