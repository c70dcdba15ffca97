"""Takes the letters that name somebody out of the dead-letter topic.

Kafka deletes no single record, only the beginning of a partition. So what stands before the last of
these letters and is no such letter is copied to the end, and then everything up to it is deleted. A
crash in between leaves letters twice, which are taken for one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from models.events import DEAD_LETTERS
from models.letters import Selection, State, names
from streams.clock import now_ms
from streams.kafka import ANSWER_MS, explained, leave, options, reach
from streams.letters import pieces
from streams.topics import DEAD_LETTERS_KEPT_MS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.letters import Letter
    from streams.letters import Letters, Progress
    from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Purge:
    """What was taken out of the log: letters that named somebody, and letters that were moved."""

    removed: int
    moved: int
    expired: int  # older than letters are kept: not moved, gone


async def purge(settings: Settings, letters: Letters, user: str, progress: Progress) -> Purge:
    """Take every letter that names `user` out of the log."""
    found = await letters.everything(Selection(), progress)
    named = {letter for letter in found if names(letter, user)}
    cuts: dict[int, int] = {}
    for partition, offset in sorted(one.place for one in named):
        cuts[partition] = offset + 1
    before = [one for one in found if one.place.offset < cuts.get(one.place.partition, 0)]
    others = [one for one in before if one not in named]
    kept = [one for one in others if one.at > now_ms() - DEAD_LETTERS_KEPT_MS]
    for end, some in pieces(kept):
        await _move(letters, some)
        progress("moving", end, len(kept))
    if cuts:
        await _cut(settings, cuts)
    return Purge(len(named), len(kept), len(others) - len(kept))


async def count(letters: Letters, user: str, progress: Progress) -> int:
    """Count the letters that name `user`."""
    return sum(names(letter, user) for letter in await letters.everything(Selection(), progress))


async def _move(letters: Letters, some: Sequence[Letter]) -> None:
    """Write letters to the end of their partitions, with what became of them."""
    places = await asyncio.gather(
        *(
            letters.append(one.place.partition, one.value, key=one.key, headers=one.headers)
            for one in some
        )
    )
    moved = [replace(one, place=place) for one, place in zip(some, places, strict=True)]
    for state in (State.REDRIVEN, State.DROPPED):
        await letters.mark([one for one in moved if one.state is state], state)


async def _cut(settings: Settings, cuts: Mapping[int, int]) -> None:
    """Delete what stands before the offsets of `cuts`."""
    admin = AIOKafkaAdminClient(**options(settings), request_timeout_ms=ANSWER_MS)
    with explained(settings):
        try:
            await reach(settings, admin.start)
            await admin.delete_records(
                {
                    TopicPartition(settings.topic(DEAD_LETTERS), partition): RecordsToDelete(
                        before_offset=offset
                    )
                    for partition, offset in cuts.items()
                }
            )
        finally:
            await leave(admin.close)
