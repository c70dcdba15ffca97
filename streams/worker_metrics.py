"""What a worker counts, for Prometheus; docs/metrics.md has the table.

Everything is counted once a batch or once a call, never once an event. There is one worker in a
process, so its metrics are the module's.
"""

from __future__ import annotations

from collections import Counter as Times
from itertools import product
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from models.decoding import Reason
from models.events import TOPICS

if TYPE_CHECKING:
    from models.decoding import Decoded

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
BATCH_EVENTS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)
CALL_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
REBALANCE_S = (0.1, 0.5, 1, 2, 5, 10, 30, 60)

events = Counter("likewave_worker_events", "Events applied", ["topic"], registry=REGISTRY)
rejects = Counter(
    "likewave_worker_rejects", "Dead letters written", ["topic", "reason"], registry=REGISTRY
)
for one in product(TOPICS, Reason):
    rejects.labels(*one)  # from 0 on: Prometheus counts no first value as an increase
batch_events = Histogram(
    "likewave_worker_batch_events",
    "Records of a batch, rejects included",
    buckets=BATCH_EVENTS,
    registry=REGISTRY,
)
call_seconds = Histogram(
    "likewave_worker_call_seconds",
    "Time that a shard took for one call",
    buckets=CALL_S,
    registry=REGISTRY,
)
signals = Counter(
    "likewave_worker_signals", "Signals and retractions done by the shards", registry=REGISTRY
)
store_retries = Counter(
    "likewave_worker_store_retries",
    "Calls repeated because the store was away",
    registry=REGISTRY,
)
busy_seconds = Counter(
    "likewave_worker_busy_seconds",
    "Time that batches were in hand, summed over partitions",
    registry=REGISTRY,
)
shed_views = Counter(
    "likewave_worker_shed_views",
    "Views that were not counted, because too many events waited",
    registry=REGISTRY,
)
shed_rate = Gauge(
    "likewave_worker_shed_rate", "Which part of views is counted; 1 is all", registry=REGISTRY
)
shed_rate.set(1)
partitions = Gauge("likewave_worker_partitions", "Partitions assigned", registry=REGISTRY)
rebalance_seconds = Histogram(
    "likewave_worker_rebalance_seconds",
    "Time that a rebalance took, from revoked to reading on",
    buckets=REBALANCE_S,
    registry=REGISTRY,
)
exits = Counter(
    "likewave_worker_exits",
    "Workers of this store that ended with an error, known when this one started",
    ["reason"],
    registry=REGISTRY,
)


def carried(topic: str, decoded: Decoded, *, work: int, busy_s: float) -> None:
    """Count one batch that is in all shards."""
    events.labels(topic).inc(len(decoded.events))
    batch_events.observe(len(decoded.events) + len(decoded.rejects))
    signals.inc(work)
    busy_seconds.inc(busy_s)
    for reason, times in Times(reject.reason for reject in decoded.rejects).items():
        rejects.labels(topic, reason.value).inc(times)
