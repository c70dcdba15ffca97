"""What came out: rates with the CPU time they took, and the figures they are held against."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one contender."""

    count: int  # events, or signals
    seconds: float
    client_cpu_s: float  # of the process that reads Kafka or writes to the store
    store_cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Give the events, or signals, a second."""
        return self.count / self.seconds


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of a contender's rounds; CPU time in microseconds for each thing counted."""

    measure: str
    contender: str
    rounds: int
    rate: float
    client_us: float
    store_us: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure to reach, and what was measured."""

    name: str
    measured: float
    unit: str
    wanted: float
    at_least: bool  # or at most

    @property
    def holds(self) -> bool:
        """Tell whether the figure was reached."""
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


@dataclass(frozen=True, slots=True)
class Finding:
    """One number of a simulation: what was found of whom, under which heading."""

    heading: str
    measure: str
    contender: str
    measured: float


@dataclass(frozen=True, slots=True)
class Report:
    """The results, findings and figures of one benchmark, or of all."""

    results: list[Result] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def __add__(self, other: Report) -> Report:
        """Put two reports together."""
        return Report(
            self.results + other.results,
            self.figures + other.figures,
            self.findings + other.findings,
        )

    def rate(self, measure: str, contender: str) -> float:
        """Give the median rate of a contender."""
        return self._of(measure, contender).rate

    def ratio(self, measure: str, contender: str, other: str) -> float:
        """Tell how many times the rate of `other` a contender reached."""
        return self.rate(measure, contender) / self.rate(measure, other)

    def client_us(self, measure: str, contender: str) -> float:
        """Give the client's median CPU time for each thing counted, in microseconds."""
        return self._of(measure, contender).client_us

    def _of(self, measure: str, contender: str) -> Result:
        return next(
            result
            for result in self.results
            if (result.measure, result.contender) == (measure, contender)
        )


def at_least(name: str, measured: float, wanted: float, unit: str) -> Figure:
    """Make a figure that is the better the greater it is."""
    return Figure(name, measured, unit, wanted, at_least=True)


def at_most(name: str, measured: float, wanted: float, unit: str) -> Figure:
    """Make a figure that is the better the smaller it is."""
    return Figure(name, measured, unit, wanted, at_least=False)


def summarise(measure: str, contender: str, samples: Sequence[Sample]) -> Result:
    """Take the medians of a contender's rounds."""
    return Result(
        measure=measure,
        contender=contender,
        rounds=len(samples),
        rate=median(sample.rate for sample in samples),
        client_us=median(1e6 * sample.client_cpu_s / sample.count for sample in samples),
        store_us=median(1e6 * sample.store_cpu_s / sample.count for sample in samples),
    )


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value that `share` of all `values` do not exceed."""
    ranked = sorted(values)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]


def results_table(results: Sequence[Result]) -> Table:
    """Lay out rates and CPU times."""
    table = Table("measure", "contender", title="Rates (medians of interleaved rounds)")
    for head in ("rounds", "a second", "client µs", "store µs"):
        table.add_column(head, justify="right")
    for one in results:
        cpu = [f"{us:.1f}" if us else "" for us in (one.client_us, one.store_us)]
        numbers = [str(one.rounds), f"{one.rate:,.0f}", *cpu]
        table.add_row(one.measure, one.contender, *numbers)
    return table


def findings_tables(findings: Sequence[Finding]) -> list[Table]:
    """Lay out the findings: a table a heading, a row a measure, a column a contender."""
    headings = dict.fromkeys(one.heading for one in findings)
    return [
        _findings_table(heading, [one for one in findings if one.heading == heading])
        for heading in headings
    ]


def _findings_table(heading: str, findings: Sequence[Finding]) -> Table:
    table = Table("measure", title=heading)
    contenders = list(dict.fromkeys(one.contender for one in findings))
    for contender in contenders:
        table.add_column(contender, justify="right")
    found = {(one.measure, one.contender): f"{one.measured:,.4g}" for one in findings}
    for measure in dict.fromkeys(one.measure for one in findings):
        table.add_row(measure, *(found.get((measure, contender), "") for contender in contenders))
    return table


def figures_table(figures: Sequence[Figure]) -> Table:
    """Lay out the figures against what was wanted."""
    table = Table("figure", title="Figures")
    for head in ("measured", "wanted", ""):
        table.add_column(head, justify="right")
    for one in figures:
        sign = "≥" if one.at_least else "≤"
        verdict = "holds" if one.holds else "missed"
        measured, wanted = f"{one.measured:,.4g} {one.unit}", f"{sign} {one.wanted:,.4g} {one.unit}"
        table.add_row(one.name, measured, wanted, verdict)
    return table


def as_json(report: Report) -> dict[str, Any]:
    """Give the report as JSON values."""
    return {
        "results": [asdict(result) for result in report.results],
        "figures": [asdict(figure) | {"holds": figure.holds} for figure in report.figures],
        "findings": [asdict(finding) for finding in report.findings],
    }
