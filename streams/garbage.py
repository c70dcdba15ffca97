"""Memory that is given back: Python looks for cycles as if objects were few, and stands still."""

from __future__ import annotations

import gc


def look_seldom() -> None:
    """Let this process look for cycles seldom: batches and logs are many objects, and no cycles.

    To look through what a rebuild remembers of a million events takes a third of a second, in
    which nothing else is done. What is there already is looked through no more.
    """
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
