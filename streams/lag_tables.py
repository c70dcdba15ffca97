"""The lag and its verdicts as a person reads them: what waits, and what to do, the worst first."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from models.counting import counted
from models.policy import DAY, HOUR, MINUTE, SECOND
from models.verdict import Verdict, processes
from streams.tables import plain
from streams.verdicts import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from streams.verdicts import Diagnosis, Judged

STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow"}
BAD = "bold red"
ROWS = 24  # of partitions; what else there is has the smallest lag
HEADINGS = ("topic", "partition", "lag", "seconds", "share", "in/s", "applied/s", "level in")


def lag(found: Diagnosis) -> RenderableType:
    """Lay out a diagnosis: the total, the partitions that matter, what to do, who makes it."""
    if found.error:
        return Text(f"cannot be measured: {found.error}", style=BAD)
    return Group(_total(found), partitions(found), *remedies(found), *hot_accounts(found))


def partitions(found: Diagnosis, *, telling_lag: int = 1) -> RenderableType:
    """Lay out the partitions, the worst first; those that are OK and lag less are one line."""
    telling = [
        one for one in found.partitions if one.lag >= telling_lag or one.verdict is not Verdict.OK
    ]
    telling.sort(key=lambda one: (_severity(one), one.lag), reverse=True)
    parts: list[RenderableType] = [_table(telling[:ROWS])] if telling else []
    if others := len(found.partitions) - len(telling[:ROWS]):
        noun = "more partition" if telling else "partition"
        words = f"{counted(others, noun)} {_others(telling, telling_lag, count=others)}"
        parts.append(Text(words, style="dim"))
    return Group(*parts)


def remedies(found: Diagnosis) -> Iterator[RenderableType]:
    """Say what to do, and of each such remedy by the partition that lags most what it is about."""
    bad = [one for one in found.partitions if one.verdict is not Verdict.OK]
    bad.sort(key=lambda one: (*_remedy(one), one.lag), reverse=True)
    if found.silent and processes(found.silent) not in {one.command for one in bad}:
        yield Text(f"{Verdict.WARN} {counted(len(found.silent), 'worker')}: {_silent(found)}")
        yield Text(f"    {processes(found.silent)}", style="bold")
    for (_, command), (one, *more) in ((what, list(all_)) for what, all_ in groupby(bad, _remedy)):
        also = f" (and {len(more)} more)" if more else ""
        yield Text(f"{one.verdict} {one.topic}:{one.partition}{also}: {one.sentence}")
        yield Text(f"    {command}", style="bold")


def hot_accounts(found: Diagnosis) -> Iterator[RenderableType]:
    """Say who makes the events of the partition that lags most, where many wait."""
    if found.hot_accounts:
        listed = ", ".join(f"{one.account} {one.share:.0%}" for one in found.hot_accounts)
        yield Text(f"newest events of the partition with the greatest lag: {listed}")


def span(seconds: float | None) -> str:
    """Write a span of time in its largest unit; None is never.

    >>> span(0.4), span(90), span(7_200), span(None)
    ('0.4 s', '1.5 min', '2.0 h', 'never')
    """
    if seconds is None:
        return "never"
    units = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"))
    unit, name = next((one for one in units if seconds * SECOND >= one[0]), (SECOND, "s"))
    return f"{seconds * SECOND / unit:.1f} {name}"


def named(verdict: Verdict) -> Text:
    """Write a verdict in its colour."""
    return Text(verdict.value, style=STYLES.get(verdict, BAD))


def _silent(found: Diagnosis) -> str:
    return (
        f"{', '.join(found.silent)}: connected to the store and silent; in state T it is frozen: "
        "kill -9 it"
    )


def _total(found: Diagnosis) -> str:
    if unknown := sum(one.verdict is Verdict.ERR for one in found.partitions):
        cannot = f"{counted(unknown, 'partition')} cannot be measured"
        return f"lag: {counted(found.lag, 'event')} or more, {cannot}"
    if not found.lag:
        return "lag: 0, all that was published is applied"
    return (
        f"lag: {counted(found.lag, 'event')}, the first of them waits for {span(found.seconds)}; "
        f"level in: {span(found.catch_up_s)}"
    )


def _table(telling: Sequence[Judged]) -> RenderableType:
    table = plain(*HEADINGS, "verdict")
    for one in telling:
        table.add_row(one.topic, str(one.partition), *_numbers(one), named(one.verdict))
    return table


def _numbers(one: Judged) -> Sequence[str]:
    if one.verdict is Verdict.ERR:
        return ["-"] * len(HEADINGS[2:])  # they would be of nothing
    return [
        f"{one.lag:,}",
        f"{one.seconds:.1f}",
        f"{one.share:.0%}",
        f"{one.arrival_rate:,.0f}",
        f"{one.applied_rate:,.0f}",
        span(one.catch_up_s),
    ]


def _others(telling: Sequence[Judged], telling_lag: int, *, count: int) -> str:
    if len(telling) > ROWS:
        return f"{'has' if count == 1 else 'have'} a smaller lag or none"
    are = "is OK" if count == 1 else "are OK"
    return are if telling_lag > 1 else f"{are}, and nothing waits"


def _remedy(one: Judged) -> tuple[int, str]:
    return _severity(one), one.command


def _severity(one: Judged) -> int:
    return SEVERITY.index(one.verdict)
