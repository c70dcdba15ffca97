"""What the API counts, for Prometheus; docs/metrics.md has the table.

A label is never what a caller made up: routes are those of the contract, and users are in none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

if TYPE_CHECKING:
    from starlette.types import Scope

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
REQUEST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
UNKNOWN = "unknown"
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})

request_seconds = Histogram(
    "likewave_api_request_seconds",
    "Time until an answer began",
    ["route", "method", "status"],
    buckets=REQUEST_S,
    registry=REGISTRY,
)
open_streams = Gauge("likewave_api_open_streams", "Streams open", registry=REGISTRY)
slow_readers = Counter(
    "likewave_api_slow_readers", "Streams dropped: their readers took nothing", registry=REGISTRY
)
notices = Counter(
    "likewave_api_notices", "Notices of changed feeds that the shards sent", registry=REGISTRY
)
published_events = Counter(
    "likewave_api_published_events", "Events that Kafka acknowledged", registry=REGISTRY
)
rate_limited = Counter(
    "likewave_api_rate_limited", "Requests refused by a quota", ["quota"], registry=REGISTRY
)


def answered(scope: Scope, status: int, seconds: float) -> None:
    """Observe the answer to a request that was routed in `scope`."""
    route = getattr(scope.get("route"), "path", UNKNOWN)
    method = scope["method"] if scope["method"] in METHODS else UNKNOWN
    request_seconds.labels(route, method, str(status)).observe(seconds)
