"""Who makes the events of a partition: the newest of them, counted by account."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka import TopicPartition

from models.events import ID_PATTERN
from streams import clock
from streams.kafka import asking

if TYPE_CHECKING:
    from streams.settings import Settings

NEWEST = 1_000  # events to count
LISTED = 5
PATIENCE_MS = 1_000


@dataclass(frozen=True, slots=True)
class Account:
    """An account, and its share of the events that were counted."""

    account: str
    share: float


async def of(settings: Settings, topic: str, partition: int) -> list[Account]:
    """Count the newest events of a partition by account; those with the most, first."""
    keys = await _newest_keys(settings, TopicPartition(settings.topic(topic), partition))
    counted = Counter(filter(None, map(account_of, keys)))
    return [Account(name, count / len(keys)) for name, count in counted.most_common(LISTED)]


def account_of(key: bytes | None) -> str | None:
    """Give the account whose doing an event is, by its key; None for a key of nobody's.

    >>> account_of(b"ann"), account_of(b"follow|ann|bob"), account_of(b"no id"), account_of(None)
    ('ann', 'ann', None, None)
    """
    first, *others = (key or b"").decode(errors="replace").split("|")
    account = others[0] if others else first
    return account if re.match(ID_PATTERN, account) else None


async def _newest_keys(settings: Settings, place: TopicPartition) -> list[bytes | None]:
    keys: list[bytes | None] = []
    async with asking(settings) as consumer:
        end = (await consumer.end_offsets([place]))[place]
        consumer.assign([place])
        consumer.seek(place, max(0, end - NEWEST))
        until = clock.now_ms() + PATIENCE_MS
        while (left := until - clock.now_ms()) > 0 and await consumer.position(place) < end:
            for records in (await consumer.getmany(place, timeout_ms=left)).values():
                keys += [record.key for record in records]
    return keys
