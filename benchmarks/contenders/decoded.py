"""Ingest as Likewave does it: everything a worker does with a batch, but for the store."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from benchmarks.contenders.meter import Meter, from_command_line
from models.breaker import Breaker
from models.columns import rows
from models.decoding import decode
from streams.agents import Tally, create_app
from streams.settings import resolve
from streams.transport import check_internals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faust.types.tuples import TP

    from streams.agents import Carrier
    from streams.settings import Settings
    from streams.transport import Batch


@dataclass(frozen=True, slots=True)
class Decoder:
    """Stands for the carrier: decodes, validates, weighs and lays out, and carries no further."""

    settings: Settings
    meter: Meter
    tally: Tally = field(default_factory=Tally)
    breaker: Breaker = field(default_factory=Breaker)

    async def positions(self, consumer: Any, assigned: set[TP]) -> Mapping[TP, int]:
        """Give the first offset of every log."""
        starts: Mapping[TP, int] = await consumer.earliest_offsets(*assigned)
        return starts

    async def carry(self, tp: TP, batch: Batch) -> bool:
        """Turn `batch` into rows."""
        self.meter.begin()
        topic = tp.topic.removeprefix(self.settings.topic_prefix)
        decoded = decode(topic, batch.records)
        self.breaker.trips(decoded)
        rows(topic, decoded.events, decoded.offsets, self.settings.policy)
        self.meter.add(len(batch))
        return True


async def main(meter: Meter) -> None:
    """Read until the meter is done."""
    check_internals()
    gc.set_threshold(200_000, 20, 100)  # as the worker does
    settings = resolve()
    decoder = Decoder(settings, meter)
    app, _ = create_app(settings, cast("Carrier", decoder))
    await app.start()
    await meter.done.wait()


if __name__ == "__main__":
    asyncio.run(main(from_command_line()))
