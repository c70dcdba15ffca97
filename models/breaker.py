"""The breaker of a partition: when so much of it is invalid that somebody had better look first.

It trips where at least half of the last 1,000 records are invalid, and the last 100 one after the
other. Either number alone would trip by chance or by one bad client: at 50 % poison a run of 100 is
a chance of 1 in 10^30, while a run alone says nothing about a busy partition that lost a minute of
one producer. Both together mean a deployment: a schema that nobody here knows.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.decoding import Decoded

LAST = 1_000  # records that are looked at, counted by whole batches
INVALID_PART = 0.5  # of them
INVALID_RUN = 100  # records one after the other, at the end


class Breaker:
    """What the last records of one partition were."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, int]] = deque()  # records, and the invalid ones of them
        self._records = 0
        self._invalid = 0
        self._run = 0

    def trips(self, decoded: Decoded) -> bool:
        """Count the next batch, and tell whether it should be held."""
        invalid = len(decoded.rejects)
        self._count(len(decoded.events) + invalid, invalid)
        self._run = decoded.last_rejects + (0 if decoded.events else self._run)
        return self._run >= INVALID_RUN and self._invalid >= INVALID_PART * self._records

    def _count(self, records: int, invalid: int) -> None:
        self._batches.append((records, invalid))
        self._records += records
        self._invalid += invalid
        while self._records - self._batches[0][0] >= LAST:
            gone, gone_invalid = self._batches.popleft()
            self._records -= gone
            self._invalid -= gone_invalid
