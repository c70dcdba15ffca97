"""The write side of the shards: batches of rows go into every shard, in calls of a few ms."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass, fields, replace
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import structlog
from redis import exceptions

from models.columns import Rows
from models.decay import contribution
from models.errors import GapError, RewindError, StoreError
from models.policy import DAY
from models.routing import route
from models.shedding import sampled
from streams import worker_metrics
from streams.library import SCHEMA
from streams.store import explain, is_refusal, mark

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.store import Store

STEP = 512  # units of work (signals) in one call: about 3 ms
CALLS_AT_ONCE = 2  # of one shard: one runs, one waits; readers wait for no more
CALL_MS = 6  # that rows of little work may take, too, the call before theirs included
FEWEST_ROWS, MOST_ROWS = 16, 4_096  # rows sent in one call
LATELY = 16  # calls, of which the fastest tells what a row takes: others waited as well
FLUSHED = "POLICY the shard holds feeds of other numbers: none"
PATIENCE_S = (0.05, 2.0)  # first and longest pause while the store is away
PASSING = (
    exceptions.ConnectionError,  # and BusyLoadingError
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch of one partition's log that a batch covers: offsets `begin` to `next` - 1."""

    topic: str  # without the prefix
    partition: int
    begin: int
    next: int
    log: str  # log id: topic id and cluster id
    from_start: bool  # the log has nothing before `begin`
    halvings: int = 0  # of its views one in 2^halvings is counted

    @property
    def source(self) -> str:
        """Name the partition, as the fence does."""
        return f"{self.topic}:{self.partition}"


class Shards:
    """All shards of a deployment, as a worker writes to them.

    `step` is the work of one call; `turns` is how many calls may be under way in all shards
    together, unless given CALLS_AT_ONCE in each. Of a store that is away, or takes no writes, it is
    waited for `patience_s`; then what it said is raised.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        step: int = STEP,
        turns: asyncio.Semaphore | None = None,
        patience_s: float = inf,
    ) -> None:
        self._store = store
        self._count = settings.shards
        self._policy = numbers(settings) | {"step": step}
        shards = range(settings.shards)
        self._rows = [FEWEST_ROWS for _ in shards]
        self._row_ms = [deque[float](maxlen=LATELY) for _ in shards]
        self._turns = [turns or asyncio.Semaphore(CALLS_AT_ONCE) for _ in shards]
        self._patience_s = patience_s
        self.waits = False  # for a store that takes no writes

    async def apply(self, rows: Rows, span: Span, at: int) -> int:
        """Carry a batch into every shard, jobs included; give the work done (signals).

        `at` is the greatest of the batch's valid events, the rows' own or not. Waits out a store
        that is away. Raises GapError where a shard lacks what comes before the batch.
        """
        if span.halvings:
            rows = sampled(rows, span.halvings, self._policy["trending_half_life"])
            worker_metrics.shed_views.inc(rows.kind.count("seen"))
        parts = route(rows, self._count)
        work = await asyncio.gather(
            *(self._apply(shard, *part, span, at) for shard, part in enumerate(parts))
        )
        return sum(work)

    async def drain(self, shard: int) -> None:
        """Finish the job that a worker left open in `shard`."""
        policy = msgspec.msgpack.encode(self._policy)
        while (await self._call(shard, "drain", policy))[0]:
            pass

    async def _apply(self, shard: int, rows: Rows, home: list[int], span: Span, at: int) -> int:
        first, total, busy, left = 0, 0, 1, span
        while left.begin < left.next or busy:
            last = _between_records(rows, first + self._rows[shard])
            piece = self._encode(rows, home, slice(first, last), left, at)
            (position, busy, applied, work), took_ms = await self._call(shard, "apply", piece)
            if position > left.begin:  # a store that loses what it has done must refuse the rest
                left = replace(left, begin=position, from_start=False)
            total += work
            self._pace(shard, applied, asked=last - first, took_ms=took_ms)
            first = bisect_left(rows.offset, position, first)
        return total

    def _pace(self, shard: int, applied: int, *, asked: int, took_ms: float) -> None:
        """Ask next for about as many rows as a call got done, and more where it did them all.

        Rows that are hardly any work take time all the same: no more than a call may take.
        """
        if applied:
            self._row_ms[shard].append(took_ms / applied)
        wanted = 2 * asked if applied == asked else applied + FEWEST_ROWS
        in_time = CALL_MS / min(self._row_ms[shard], default=CALL_MS / MOST_ROWS)
        self._rows[shard] = max(FEWEST_ROWS, min(wanted, int(in_time), MOST_ROWS))

    def _encode(self, rows: Rows, home: list[int], piece: slice, span: Span, at: int) -> bytes:
        upto = span.next if piece.stop == len(rows) else rows.offset[piece.stop]
        columns = {column.name: getattr(rows, column.name)[piece] for column in fields(Rows)}
        return msgspec.msgpack.encode(
            {
                "source": span.source,
                "begin": span.begin,
                "next": upto,
                "from_start": span.from_start,
                "log": span.log,
                "at": at,
                "halvings": span.halvings,
                "policy": self._policy,
                "home": home[piece],
                **columns,
            }
        )

    async def _call(self, shard: int, function: str, blob: bytes) -> tuple[Any, float]:
        """Call a function of a shard, once it can be; give the answer, and how long it took, ms."""
        name = f"likewave_{SCHEMA}_{function}"
        since, (pause, longest) = perf_counter(), PATIENCE_S
        while True:
            try:
                async with self._turns[shard]:
                    began = perf_counter()
                    with worker_metrics.call_seconds.time():
                        answer = await self._store.fcall(name, 1, f"fence:{{{shard}}}", blob)
                    took_ms = 1_000 * (perf_counter() - began)
            except PASSING as error:
                if perf_counter() - since > self._patience_s:
                    raise
                worker_metrics.store_retries.inc()
                self._wait("store away", shard, error)
            except exceptions.ResponseError as error:
                if str(error).startswith("HOLD"):
                    pause, _ = PATIENCE_S  # a rebuild is about to take its place
                elif is_refusal(error) and perf_counter() - since <= self._patience_s:
                    self._wait("store takes no writes", shard, error)
                else:
                    raise _refusal(shard, error) from error
            except exceptions.RedisError as error:
                raise StoreError(f"shard {shard}: {error}") from error
            else:
                if self.waits:
                    log.info("store back", shard=shard)
                self.waits = False
                return answer, took_ms
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    def _wait(self, why: str, shard: int, error: Exception) -> None:
        if not self.waits:
            log.warning(why, shard=shard, error=str(error))
        self.waits = True


def _between_records(rows: Rows, last: int) -> int:
    """Move the end of a piece on to where a record ends: a shard never holds half of one."""
    return bisect_right(rows.offset, rows.offset[last - 1]) if last < len(rows) else len(rows)


def _refusal(shard: int, error: exceptions.ResponseError) -> StoreError:
    message = str(error)
    if message.startswith("GAP"):
        return GapError(f"shard {shard}: {message.removeprefix('GAP ')}")
    if message == FLUSHED:
        return RewindError(
            f"shard {shard} is empty: it was flushed, or feeds were rebuilt in fewer shards; the "
            "worker starts again"
        )
    if message.startswith("LOG"):
        return StoreError(
            f"shard {shard}: {message.removeprefix('LOG ')}: the topic was deleted and made anew, "
            "or the feeds were; the worker starts again"
        )
    return StoreError(f"shard {shard}: {explain(error)}")


def numbers(settings: Settings) -> dict[str, Any]:
    """Give the policy as the shard functions take it; bonuses are what a weight adds, in ms."""
    policy = settings.policy
    bonus = {kind: _bonus(weight, policy.half_life_ms) for kind, weight in policy.weights.items()}
    trending = {
        kind: _bonus(policy.weights[kind], policy.trending_half_life_ms)
        for kind in ("like", "share")
    }
    return {
        "mark": mark(settings),
        "half_life": policy.half_life_ms,
        "trending_half_life": policy.trending_half_life_ms,
        "horizon": policy.horizon_ms,
        "feed_size": policy.feed_size,
        "acts_kept": policy.acts_kept,
        "direct_kept": policy.direct_kept,
        "bonus": bonus,
        "favor": policy.favor,
        "favor_bonus": _bonus(policy.favor, policy.half_life_ms),
        "young_bonus": _bonus(policy.young_weight, policy.trending_half_life_ms),
        "trending_bonus": trending,
        "warm": settings.warm_days * DAY,
        "fan_out": settings.fan_out_limit,
    }


def _bonus(weight: float, half_life_ms: int) -> int:
    return int(contribution(np.array([0]), weight, half_life_ms)[0])
