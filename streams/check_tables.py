"""What the doctor found, as a person reads it: the worst first, each with what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from models.finding import Finding, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

STYLES = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}


def findings(found: Sequence[Finding]) -> RenderableType:
    """Lay out findings, long lines folded within their column."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("")
    table.add_column("check", no_wrap=True)
    table.add_column("found", overflow="fold")
    for one in found:
        state = Text(one.state.value, style=STYLES[one.state])
        table.add_row(state, Text(one.check), Text(one.found))
        if one.remedy:
            table.add_row("", "", Text(f"-> {one.remedy}", style="bold"))
    return table
