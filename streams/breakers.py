"""The breakers: which partitions wait until somebody has looked, as the store knows it.

    breaker:{0}    <topic>:<partition> -> `open <offset> <since>`: held there since (Unix ms)
                                          `released <offset>`: what is invalid before it passes

The state is in the store, so that a worker that starts again, or takes a partition over, still
holds it, and so that whoever looks sees it when no worker runs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from redis.exceptions import RedisError

from models.breaker import Breaker
from models.errors import SettingsError
from streams.clock import now_ms

if TYPE_CHECKING:
    from models.decoding import Decoded
    from streams.feeds import Span
    from streams.store import Store

KEY = "breaker:{0}"
OPEN, RELEASED = "open", "released"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Held:
    """A partition that waits for an operator: from which offset on, and since when (Unix ms)."""

    source: str  # <topic>:<partition>, without the prefix
    offset: int
    since: int


class Breakers:
    """The breakers of the partitions of one worker."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)
        self._released: dict[str, int] = {}
        self.held: dict[str, Held] = {}

    async def load(self) -> None:
        """Take up what the store says, as partitions are given out anew."""
        self._breakers.clear()
        self._released, self.held = {}, {}
        for source, words in (await _read(self._store)).items():
            self._take(source, words)

    async def holds(self, span: Span) -> bool:
        """Tell whether the partition of `span` is still held; the store knows."""
        mine = self.held.get(span.source)
        if mine is None:
            return False
        try:
            found: Any = await self._store.hget(KEY, span.source)
            self._take(span.source, (found or "").split())
            if span.source in self.held and not (found or "").startswith(OPEN):
                await self._write(mine)
        except RedisError as error:
            log.warning("store away", error=str(error))
        return span.source in self.held

    async def trips(self, span: Span, decoded: Decoded) -> bool:
        """Count a batch, and tell whether it is to be held from now on."""
        if span.begin < self._released.get(span.source, 0):
            return False
        if not self._breakers[span.source].trips(decoded):
            return False
        del self._breakers[span.source]
        self.held[span.source] = Held(span.source, span.begin, now_ms())
        last = decoded.rejects[-1]
        log.error(
            "breaker tripped, the partition is held",
            source=span.source,
            offset=span.begin,
            reason=last.reason.value,
            path=last.path,
            detail=ascii(last.detail),  # somebody else's text, on its way to a terminal
            remedy=f"mend the producer, then likewave dlq release {span.source}",
        )
        return await self.holds(span)

    async def _write(self, held: Held) -> None:
        await self._store.hset(KEY, held.source, f"{OPEN} {held.offset} {held.since}")

    def _take(self, source: str, words: list[str]) -> None:
        match words:
            case [str(state), offset, since] if state == OPEN:
                self.held[source] = Held(source, int(offset), int(since))
            case [str(state), offset] if state == RELEASED:
                self._released[source] = int(offset)
                if source in self.held and self.held[source].offset < int(offset):
                    del self.held[source]
                    log.info("breaker released", source=source, until=int(offset))


async def held(store: Store) -> list[Held]:
    """Give the partitions that wait for an operator."""
    found = await _read(store)
    return [
        Held(source, int(words[1]), int(words[2]))
        for source, words in sorted(found.items())
        if words[0] == OPEN
    ]


async def check_held(store: Store, source: str) -> None:
    """Raise SettingsError where the partition is not held."""
    if source not in {one.source for one in await held(store)}:
        raise SettingsError(
            f"{source} is not held: `likewave dlq ls` names the partitions that are"
        )


async def release(store: Store, source: str, end: int) -> None:
    """Let a held partition go on; what is invalid before offset `end` passes, too."""
    await store.hset(KEY, source, f"{RELEASED} {end}")


async def _read(store: Store) -> dict[str, list[str]]:
    found: Any = await store.hgetall(KEY)
    return {source: words.split() for source, words in found.items()}
