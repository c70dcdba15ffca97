"""The wall clock: the only place where it is read."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Read the moment, in Unix ms."""
    return time.time_ns() // 1_000_000
