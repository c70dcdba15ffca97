"""What the monitor found, as Prometheus metrics: of its last report, and of no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from models.verdict import Verdict
from streams.report import FEED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from streams.continuous import Summary
    from streams.report import Report
    from streams.verdicts import Judged

BUCKETS = (
    *(0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0),
)
OF_PARTITION: dict[str, tuple[str, Callable[[Judged], float]]] = {
    "lag_events": ("Events in the log that some shard lacks", lambda one: one.lag),
    "lag_seconds": ("How long the first of them has waited in the log", lambda one: one.seconds),
    "log_end_offset": ("Where the log ends", lambda one: one.end),
    "fence_offset": ("Up to where all shards have the log", lambda one: one.fence),
    "arrival_rate": ("Events a second that reach the log", lambda one: one.arrival_rate),
    "applied_rate": ("Events a second that are applied", lambda one: one.applied_rate),
}


def registry() -> CollectorRegistry:
    """Make an empty registry: each monitor has its own."""
    return CollectorRegistry()


def freshness(metrics: CollectorRegistry) -> Histogram:
    """Register the histogram of what the canary sees."""
    return Histogram(
        "likewave_freshness_seconds",
        "From an act of the canary until it is visible",
        ["path"],
        buckets=BUCKETS,
        registry=metrics,
    )


class Findings(Collector):
    """Tells Prometheus of the last report, which `last` gives."""

    def __init__(self, last: Callable[[], Report]) -> None:
        self._last = last

    def collect(self) -> Iterator[Metric]:
        """Give all metrics but the histogram; none before the first look."""
        report = self._last()
        if not report.at:
            return
        yield _gauge("broker_up", "Whether Kafka answers", report.diagnosis.broker_up)
        yield _gauge("store_up", "Whether the store answers", not report.store.error)
        yield _clocks(report)
        if report.diagnosis.error == "":
            yield from _partitions(report)
        if report.store.error == "":
            yield from _store(report)
            yield _breakers(report)
            if report.store.audited is not None:
                yield from _audit(report.store.audited)
        if FEED in report.freshness and report.freshness[FEED].seen_at:
            yield _gauge(
                "canary_last_seen_timestamp_seconds",
                "When an act of the canary was last seen in a feed",
                report.freshness[FEED].seen_at / 1000,
            )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"likewave_{name}", text, value=float(value))


def _clocks(report: Report) -> Metric:
    family = GaugeMetricFamily(
        "likewave_clock_ahead_seconds",
        "Of the monitor's clock; below 0 is behind",
        labels=["server"],
    )
    if report.broker_ahead_s is not None:
        family.add_metric(["kafka"], report.broker_ahead_s)
    if not report.store.error:
        family.add_metric(["store"], report.store.clock_ahead_s)
    return family


def _partitions(report: Report) -> Iterator[Metric]:
    labels = ["topic", "partition"]
    for name, (text, value) in OF_PARTITION.items():
        family = GaugeMetricFamily(f"likewave_{name}", text, labels=labels)
        for one in report.diagnosis.partitions:
            family.add_metric([one.topic, str(one.partition)], value(one))
        yield family
    verdicts = GaugeMetricFamily(
        "likewave_verdict", "1 for the verdict that a partition has", labels=[*labels, "verdict"]
    )
    for one in report.diagnosis.partitions:
        for verdict in Verdict:
            verdicts.add_metric([one.topic, str(one.partition), verdict], one.verdict is verdict)
    yield verdicts
    yield CounterMetricFamily(
        "likewave_dead_letters",
        "Records that went to the dead letters",
        value=report.diagnosis.dead_letters,
    )


def _store(report: Report) -> Iterator[Metric]:
    state = report.store
    yield _gauge("store_memory_bytes", "Memory that the store uses", state.memory_bytes)
    yield _gauge("store_max_memory_bytes", "Its limit; 0 is none", state.max_memory_bytes)
    yield _gauge("store_disk_ok", "Whether it could write to its disk", not state.unwritten)
    warm = GaugeMetricFamily("likewave_warm_users", "Users whose feed is kept", labels=["shard"])
    time = GaugeMetricFamily(
        "likewave_stream_time_seconds", "The greatest time of an event applied", labels=["shard"]
    )
    job = GaugeMetricFamily("likewave_job_open", "Whether a job is open", labels=["shard"])
    work = CounterMetricFamily(
        "likewave_shard_work", "Signals and retractions done", labels=["shard"]
    )
    for one in state.shards:
        shard = [str(one.shard)]
        warm.add_metric(shard, one.warm)
        time.add_metric(shard, one.stream_time / 1000)
        job.add_metric(shard, one.busy)
        work.add_metric(shard, one.work)
    yield from (warm, time, job, work)


def _breakers(report: Report) -> Metric:
    family = GaugeMetricFamily(
        "likewave_breaker_open", "Whether a partition is held", labels=["topic", "partition"]
    )
    held = {one.source for one in report.store.held}
    known = {f"{one.topic}:{one.partition}" for one in report.diagnosis.partitions}
    for source in sorted(held | known):
        family.add_metric(source.split(":"), source in held)
    return family


def _audit(found: Summary) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "likewave_audit_users", "Users held against the log", value=found.users_total
    )
    yield CounterMetricFamily(
        "likewave_audit_differences", "Differences found", value=found.differences_total
    )
    yield _gauge("audit_differing_users", "Users who differed at the last check", found.differing)
    yield _gauge("audit_last_timestamp_seconds", "When the last check ended", found.at / 1000)
    yield _gauge(
        "audit_busy_timestamp_seconds",
        "When it last read on in the log, or ended a check",
        found.busy_at / 1000,
    )
