"""What operators look at, on one screen: the worst first, with the course of the last minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from models.counting import counted
from models.moments import moment
from models.policy import SECOND
from streams import lag_tables, wording
from streams.lag_tables import BAD, span
from streams.report import FEED, LATE_MS, Freshness
from streams.verdicts import MANY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from streams.course import Numbers
    from streams.outlook import Sight
    from streams.report import Report, StoreState

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 20  # of a sparkline
MEGABYTE = 2**20
UP = {True: "up", False: "away"}
UNTOLD = "while the store refuses writes, no monitor can leave its report there"
UNREAD = "while the store does not answer, no report of a monitor can be read"


def top(sight: Sight, *, now: int) -> RenderableType:
    """Lay out the report as it looks at `now` (Unix ms)."""
    report = sight.report
    return Group(
        _headline(report),
        _source(sight, now),
        *lag_tables.remedies(report.diagnosis),
        "",
        _numbers(report, now),
        "",
        lag_tables.partitions(report.diagnosis, telling_lag=MANY),
        *lag_tables.hot_accounts(report.diagnosis),
    )


def sparkline(values: Sequence[float | None], width: int = WIDTH) -> str:
    """Draw numbers as blocks, the greatest of each stretch; what was not measured is blank.

    >>> sparkline([0, 1, 2, 3, None, 7], width=6), sparkline([0, 0, 5, 0], width=2)
    ('▁▂▃▄ █', '▁█')
    """
    stretches = [
        [one for one in stretch if one is not None]
        for stretch in _stretches(values, min(width, len(values)))
    ]
    tallest = max((max(one) for one in stretches if one), default=0) or 1
    return "".join(
        BLOCKS[round(max(one) / tallest * (len(BLOCKS) - 1))] if one else " " for one in stretches
    )


def _stretches(values: Sequence[float | None], count: int) -> Iterator[Sequence[float | None]]:
    for place in range(count):
        yield values[place * len(values) // count : (place + 1) * len(values) // count]


def _headline(report: Report) -> RenderableType:
    found = report.diagnosis
    words = [
        f"broker {UP[found.broker_up]}",
        f"store {UP[not report.store.error]}",
        *([report.store.refusal] if report.store.refusal else []),
        f"workers with partitions: {found.workers}",
    ]
    if not found.error:
        return Text.assemble(lag_tables.named(found.verdict), "  ", ", ".join(words))
    return Group(Text(", ".join(words[:-1])), Text(f"cannot be measured: {found.error}", style=BAD))


def _source(sight: Sight, now: int) -> Text:
    age = f"{span(sight.monitor_age_ms / SECOND)} old"
    if sight.by_monitor:
        return Text(f"{moment(now)} UTC, by a monitor's report, {age}", style="dim")
    here = Text(f"{moment(now)} UTC, asked from here: ", style="dim")
    if sight.report.store.error:
        return here.append(UNREAD)
    if sight.report.store.refusal:
        return here.append(UNTOLD)
    if not sight.monitor_at:
        return here.append("no report of a monitor is found")
    if sight.monitor_age_ms < LATE_MS:
        return here.append(f"a monitor's report is {age}")
    return Text.assemble(here, (f"the monitor's last report is {age}: see whether it runs", BAD))


def _numbers(report: Report, now: int) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(no_wrap=True, style="cyan")
    for name, words, course in [*_of_log(report), *_of_store(report.store, now)]:
        table.add_row(name, words, sparkline(course))
    return table


def _of_log(report: Report) -> Iterator[tuple[str, str, Numbers]]:
    found, course = report.diagnosis, report.course
    fresh = report.freshness.get(FEED, Freshness())
    if not found.error:
        words = f"{counted(found.lag, 'event')}, first waits {span(found.seconds)}, "
        yield "lag", f"{words}level in {span(found.catch_up_s)}", course.lag
    yield "arriving", _rate(course.arrival_rate), course.arrival_rate
    yield "applied", _rate(course.applied_rate), course.applied_rate
    yield "visible", _delay(fresh), course.p99
    if not found.error:
        rate = _rate(course.dead_letter_rate)
        yield "rejected", f"{found.dead_letters:,} in all, {rate}", course.dead_letter_rate
    if held := ", ".join(one.source for one in report.store.held):
        yield "held", f"{held} (likewave dlq ls)", []


def _rate(course: Numbers) -> str:
    return "unknown" if not course or course[-1] is None else f"{course[-1]:,.0f} events/s"


def _delay(fresh: Freshness) -> str:
    if fresh.p50 is None or fresh.p99 is None:
        return "not measured (likewave monitor does)"
    return f"after p50 {fresh.p50 * 1_000:,.0f} ms, p99 {fresh.p99 * 1_000:,.0f} ms"


def _of_store(state: StoreState, now: int) -> Iterator[tuple[str, str, Numbers]]:
    if state.error:
        yield "store", state.error, []
        return
    limit = state.max_memory_bytes
    of = f" of {limit / MEGABYTE:,.0f} MB ({state.memory_bytes / limit:.0%})" if limit else ""
    memory = f"{state.memory_bytes / MEGABYTE:,.1f} MB{of}"
    work = f"{state.clients} clients, {state.operations_per_s:,} operations/s"
    yield "store", f"{memory}, {work}", []
    busy = ", ".join(str(one.shard) for one in state.shards if one.busy)
    job = f", a job is open in shard {busy}" if busy else ""
    warm = sum(one.warm for one in state.shards)
    yield "shards", f"{len(state.shards)}, {warm:,} warm users{job}", []
    yield "audit", _audit(state, now), []


def _audit(state: StoreState, now: int) -> str:
    found = state.audited
    if found is None:
        return "none runs (likewave audit --continuous)"
    since = counted(found.differences_total, "difference")
    return (
        f"{counted(found.users, 'user')}, {found.differing:,} differing, "
        f"{wording.ago(found.at, now)}; {since} since its start"
    )
