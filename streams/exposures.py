"""How many pages each group of an experiment was shown, under which numbers.

    exposures:{s}    hash  <experiment>|<variant>|<version of the page policy> -> pages

A page counts in its user's shard. No page waits for it: a process adds up what it serves and writes
the sums once a second and at its end. What cannot be written is lost, and the log says how much; it
is not tried again, since that might count it twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from redis.exceptions import RedisError

from models.routing import shard_of

if TYPE_CHECKING:
    from streams.store import Store

WRITE_EVERY_S = 1.0
SEPARATOR = "|"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Exposed:
    """How many pages were made for one group under one version of the page policy."""

    experiment: str
    variant: str
    version: str
    pages: int


class Exposures:
    """Counts pages, until closed."""

    def __init__(self, store: Store, shards: int) -> None:
        self._store = store
        self._shards = shards
        self._counts: Counter[tuple[int, str]] = Counter()  # of shard and field, not yet written
        self._closing = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def count(self, user: str, experiment: str, variant: str, version: str) -> None:
        """Count a page that `user` was shown in an experiment, made under `version`."""
        field = SEPARATOR.join((experiment, variant, version))
        self._counts[shard_of(user, self._shards), field] += 1
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_on())

    async def close(self) -> None:
        """Write what is left."""
        self._closing.set()
        if self._writing is not None:
            await self._writing

    async def _write_on(self) -> None:
        """Write once a second for as long as there is something to write."""
        while self._counts:
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_EVERY_S):
                    await self._closing.wait()
            await self._write()

    async def _write(self) -> None:
        counts, self._counts = self._counts, Counter()
        for (shard, field), pages in counts.items():
            try:
                await self._store.hincrby(_key(shard), field, pages)
            except RedisError as error:
                log.warning("exposures lost", field=field, pages=pages, error=str(error))


async def totals(store: Store, shards: int) -> list[Exposed]:
    """Add the counts of all shards up, in the order of names."""
    counts: Counter[str] = Counter()
    for shard in range(shards):
        found: Any = await store.hgetall(_key(shard))
        counts.update({field: int(pages) for field, pages in found.items()})
    return [_exposed(field, pages) for field, pages in sorted(counts.items())]


def _exposed(field: str, pages: int) -> Exposed:
    experiment, group, version = field.split(SEPARATOR)
    return Exposed(experiment, group, version, pages)


def _key(shard: int) -> str:
    return f"exposures:{{{shard}}}"
