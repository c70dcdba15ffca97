"""What cannot be applied goes to the dead letters: the raw value, and in headers why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from models.events import DEAD_LETTERS
from models.letters import DIGITS, REDRIVEN
from streams.clock import now_ms
from streams.kafka import hang_up, options
from streams.topics import DEAD_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faust.types.tuples import TP

    from models.decoding import Record, Reject
    from streams.settings import Settings

PAUSE_S = 1.0
LARGEST = DEAD_MESSAGE_BYTES - 65_536  # bytes of a value; the rest is for key, headers and framing
LARGEST_KEY = 16_384

log = structlog.get_logger()


class DeadLetters:
    """The dead-letter topic, as a worker writes to it; a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic(DEAD_LETTERS)
        self._producer = AIOKafkaProducer(
            **options(settings),
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            max_request_size=DEAD_MESSAGE_BYTES,
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await hang_up(self._producer)

    async def send(self, tp: TP, rejects: Sequence[Reject]) -> None:
        """Deliver `rejects` of partition `tp`, however long it takes: none is ever lost."""
        left = list(rejects)
        while left:
            outcomes = await asyncio.gather(
                *[self._send(tp, reject) for reject in left], return_exceptions=True
            )
            failed = [
                (reject, outcome)
                for reject, outcome in zip(left, outcomes, strict=True)
                if isinstance(outcome, KafkaError)
            ]
            left = [reject for reject, _ in failed]
            if failed:
                log.warning("dead letters away", left=len(left), error=repr(failed[0][1]))
                await asyncio.sleep(PAUSE_S)

    async def _send(self, tp: TP, reject: Reject) -> None:
        record = reject.record
        headers = {
            "topic": tp.topic,
            "partition": str(tp.partition),
            "offset": str(record.offset),
            "reason": reject.reason.value,
            "path": reject.path,
            "detail": reject.detail,
            "time": str(now_ms()),
        }
        if times := _redriven(record):
            headers[REDRIVEN] = times
        value, key = record.value or b"", record.key or b""
        if len(value) > LARGEST or len(key) > LARGEST_KEY:  # only compressed records unpack to that
            headers["truncated"] = str(len(value))
        await self._producer.send_and_wait(
            self._topic,
            value=record.value and value[:LARGEST],
            key=record.key and record.key[:LARGEST_KEY],
            headers=[(name, text.encode()) for name, text in headers.items()],
        )


def _redriven(record: Record) -> str:
    """Carry on how often a record was sent again, in digits and nothing else."""
    found = dict(record.headers).get(REDRIVEN) or b""
    return found.decode() if found.isdigit() and len(found) <= DIGITS else ""
