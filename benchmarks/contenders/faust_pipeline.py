"""The whole job as Faust's documentation teaches it: an agent a topic, and a pipeline an event."""

from __future__ import annotations

import asyncio
from tempfile import mkdtemp
from typing import Any

import faust
from redis.asyncio import Redis

from benchmarks.contenders.meter import Meter, from_command_line
from benchmarks.contenders.pipelines import Fans, write
from streams.settings import resolve


class Like(faust.Record, serializer="json"):
    """A like, or one taken back."""

    kind: str
    user: str
    item: str
    at: int


class View(Like):
    """A view."""

    dwell_ms: int | None = None
    completion: float | None = None


class Share(Like):
    """A share, or one taken back."""

    to: list[str] | None = None


class Friendship(faust.Record, serializer="json"):
    """A friendship made or broken."""

    kind: str
    user: str
    friend: str
    at: int


RECORDS = {"likes": Like, "views": View, "shares": Share, "friendships": Friendship}


async def main(meter: Meter) -> None:
    """Read until the meter is done."""
    settings = resolve()
    app = faust.App(
        settings.group, broker=f"kafka://{settings.kafka}", web_enabled=False, datadir=mkdtemp()
    )
    client = Redis.from_url(settings.redis, decode_responses=True)
    fans = await Fans.stored(client)

    async def carry(stream: Any) -> None:
        async for event in stream:
            meter.begin()
            pipeline = client.pipeline(transaction=False)
            write(pipeline, event.asdict(), fans)
            await pipeline.execute()
            meter.add()

    for name, record in RECORDS.items():
        app.agent(app.topic(settings.topic(name), value_type=record), name=name)(carry)
    await app.start()
    await meter.done.wait()


if __name__ == "__main__":
    asyncio.run(main(from_command_line()))
