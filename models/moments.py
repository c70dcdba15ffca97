"""A moment in words."""

from datetime import UTC, datetime

BEYOND_MS = 253_402_300_800_000  # the year 10000, for which there is no calendar here
YEAR_MS = 31_556_952_000


def moment(at: int) -> str:
    """Write a moment (Unix ms), in UTC; of one far beyond our calendar the year alone.

    >>> moment(1_795_500_500_000)
    '2026-11-24 06:08:20'
    >>> moment(1_795_500_500_000_000)
    'the year 58867'
    """
    if at >= BEYOND_MS:
        return f"the year {1970 + at // YEAR_MS}"
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
