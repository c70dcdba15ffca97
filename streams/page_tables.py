"""Pages, explanations and exposures, as tables for a person."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from streams import tables, wording

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from models.explanation import Evidence, Explanation
    from streams.exposures import Exposed
    from streams.pager import Page

FACTORS = ("circle", "author")  # parts that a value is multiplied by
RIGHT = ("place", "value", "weight", "strength", "number", "pages")

plain = partial(tables.plain, right=RIGHT)


def page(shown: Page) -> RenderableType:
    """Lay out a page, best item first, and below it what it was made with."""
    if not shown.items:
        return "Nothing is left to show."
    table = plain("place", "item", "value", "why")
    for ranked in shown.items:
        place, value = str(ranked.places["page"]), f"{ranked.value:.3f}"
        table.add_row(place, ranked.item, value, ", ".join(ranked.reasons))
    return Group(table, _footer(shown))


def _footer(shown: Page) -> Text:
    group = f", {shown.experiment}: {shown.variant}" if shown.experiment else ""
    new = f"; {shown.new_count} new since the first page" if shown.new_count else ""
    return Text(f"page policy {shown.version}{group}{new}", style="dim")


def explanation(explained: Explanation, *, now: int) -> RenderableType:
    """Lay out an explanation as it was `now` (Unix ms): the verdict, then every number."""
    return Group(*_explanation(explained, now))


def _explanation(explained: Explanation, now: int) -> Iterator[RenderableType]:
    yield Text(explained.verdict, style="bold")
    if explained.evidence is not None:
        yield from ("", _contributions(explained.evidence, now))
        yield from ("", _parts(explained), _crowd(explained.evidence))
        yield from ("", _places(explained))
    for passed, word in ((True, "passed"), (False, "failed")):
        names = [name for name, found in explained.filters.items() if found is passed]
        if names:
            yield f"filters {word}: {', '.join(names)}"
    yield Text(f"page policy {explained.version}", style="dim")


def _contributions(evidence: Evidence, now: int) -> RenderableType:
    if not evidence.contributions:
        return "Nobody in the circle acted on it."
    table = plain("who", "what", "when", "weight", "strength")
    for one in evidence.contributions:
        table.add_row(
            one.who,
            one.what,
            "-" if one.at is None else wording.ago(one.at, now),
            "-" if one.weight is None else f"{one.weight:g}",
            f"{one.strength:.3f}",
        )
    return table


def _parts(explained: Explanation) -> RenderableType:
    """Lay out the sum that makes the value."""
    table = plain("part", "number")
    for name, number in explained.parts.items():
        table.add_row(name, f"{'* ' if name in FACTORS else ''}{number:.3f}")
    table.add_row("value", f"{explained.value or 0.0:.3f}", style="bold")
    return table


def _crowd(evidence: Evidence) -> str:
    """Say what everybody does, and how the viewer likes the item's topics."""
    told = [f"trending strength {evidence.trending:.3f}"]
    if evidence.counters is not None:
        told += [f"{count:,} {name}" for name, count in evidence.counters._asdict().items()]
    told += [f"affinity to {topic} {number:.2f}" for topic, number in evidence.affinities.items()]
    return ", ".join(told)


def _places(explained: Explanation) -> Table:
    """Lay out where the item stood after each step."""
    table = plain("step", "place")
    for step, place in explained.places.items():
        named = f"page {explained.page}" if step == "page" and explained.page else step
        table.add_row(named, "-" if place is None else str(place))
    return table


def exposures(counted: Sequence[Exposed]) -> RenderableType:
    """Lay out how many pages each group was shown."""
    if not counted:
        return "No page was made in an experiment."
    table = plain("experiment", "variant", "page policy", "pages")
    for one in counted:
        table.add_row(one.experiment, one.variant, one.version, f"{one.pages:,}")
    return table
