"""Memory that is given back: Python looks for cycles as if objects were few, and stands still."""

from __future__ import annotations

import gc


def look_seldom(objects: int = 200_000) -> None:
    """Let this process look for cycles when there are so many new `objects`: few are in cycles.

    To look through what a rebuild remembers of a log, or through a thousand streams, takes tenths
    of a second, in which nothing else is done. What is there already is looked through no more.
    """
    gc.freeze()
    gc.set_threshold(objects, 20, 100)
