"""An evaluation as a person sees it: a table, and a picture with its intervals."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from models.errors import SettingsError
from streams import tables, wording

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from models.evaluation import Comparison, Interval, Measures
    from streams.evaluation import Evaluation

COLUMNS = ("hr@10", "hr@50", "mrr", "coverage", "outside")
SIZE, DPI = (9.6, 3.6), 150  # inches
OURS, THEIRS = "#1f6feb", "#9aa4b2"


def table(found: Evaluation) -> RenderableType:
    """Lay out the rankings in the order of an evaluation, and below them the comparison."""
    laid = tables.plain("ranking", *COLUMNS, right=COLUMNS)
    for one in found.rankings:
        laid.add_row(
            one.ranking,
            _bounded(one.hr_10, one.hr_10_interval),
            _bounded(one.hr_50, one.hr_50_interval),
            _fraction(one.mrr, 4),
            f"{one.coverage:.1%}",
            f"{one.outside_circle:.1%}",
            style="bold" if one.ranking == found.comparison.ranking else None,
        )
    return Group(laid, Text(comparison_line(found.comparison)), Text(setting(found), style="dim"))


def comparison_line(found: Comparison) -> str:
    """Say how a ranking did against the best of the baselines.

    >>> from models.evaluation import Comparison
    >>> comparison_line(Comparison("likewave", "popularity", 0.01, (0.004, 0.016), "above"))
    'likewave - popularity, the best single baseline: hr@10 +0.0100 [+0.0040, +0.0160], above'
    """
    low, high = found.interval
    return (
        f"{found.ranking} - {found.baseline}, the best single baseline: "
        f"hr@10 {found.difference:+.4f} [{low:+.4f}, {high:+.4f}], {found.verdict}"
    )


def setting(found: Evaluation) -> str:
    """Say what was asked, and under which numbers."""
    half_life = next(
        f"{found.half_life_ms / span:g} {unit}"
        for span, unit in wording.SPANS
        if found.half_life_ms >= span
    )
    side = {"tune": "before", "report": "from"}[found.part]
    day = datetime.fromtimestamp(found.split, UTC).date()
    return (
        f"{found.targets:,} targets of {found.users:,} users, {side} {day}; half-life {half_life}; "
        f"page policy {found.page_policy}; in brackets 95 of 100 bootstraps over users"
    )


def check_drawing(path: Path) -> None:
    """Raise SettingsError where no picture can be drawn or none can be written to `path`."""
    _figure_class()
    if not path.parent.is_dir():
        raise SettingsError(f"--png is {path}: there is no folder {path.parent}, make it first")


def draw(found: Evaluation, title: str, path: Path) -> None:
    """Write a picture of hits and places, with their intervals, as PNG."""
    figure = _figure_class()(figsize=SIZE, dpi=DPI, layout="constrained")
    figure.suptitle(f"{title}: {comparison_line(found.comparison)}\n{setting(found)}", fontsize=8)
    panels = figure.subplots(1, 3, sharey=True)
    ours = found.comparison.ranking
    for panel, name in zip(panels, ("hr_10", "hr_50", "mrr"), strict=True):
        _bars(panel, found.rankings, name, ours)
    panels[0].invert_yaxis()  # the first ranking on top
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise SettingsError(f"--png is {path}: {error.strerror}; name another file") from error


def _bars(panel: Any, rankings: list[Measures], name: str, ours: str) -> None:
    values = [getattr(one, name) for one in rankings]
    bounds = [getattr(one, f"{name}_interval") for one in rankings]
    below = [value - low for value, (low, _) in zip(values, bounds, strict=True)]
    beyond = [high - value for value, (_, high) in zip(values, bounds, strict=True)]
    names = [one.ranking for one in rankings]
    colours = [OURS if one == ours else THEIRS for one in names]
    panel.barh(names, values, color=colours, xerr=(below, beyond), error_kw={"elinewidth": 1})
    panel.set_title(name.replace("hr_", "hr@"), fontsize=9)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def _bounded(value: float, interval: Interval) -> str:
    low, high = (_fraction(bound, 3) for bound in interval)
    return f"{_fraction(value, 4)} [{low} {high}]"


def _fraction(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".removeprefix("0")


def _figure_class() -> Any:
    try:
        return importlib.import_module("matplotlib.figure").Figure
    except ImportError as error:
        raise SettingsError(
            "--png needs matplotlib: pip install 'likewave[evaluate]', or leave --png out"
        ) from error
