"""The course of the last minutes: numbers of every moment, as columns, oldest first."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from streams.verdicts import Diagnosis

Numbers: TypeAlias = list[float | None]  # None where it could not be measured

MOMENTS = 300  # at one a second: five minutes
RECENT = 10  # moments that the rate of dead letters is taken over


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Columns of equal length; rates are events a second, spans are seconds."""

    at: list[int] = field(default_factory=list)  # Unix ms
    lag: Numbers = field(default_factory=list)
    seconds: Numbers = field(default_factory=list)
    arrival_rate: Numbers = field(default_factory=list)
    applied_rate: Numbers = field(default_factory=list)
    dead_letters: Numbers = field(default_factory=list)
    dead_letter_rate: Numbers = field(default_factory=list)
    p50: Numbers = field(default_factory=list)
    p99: Numbers = field(default_factory=list)

    def continued(
        self, at: int, found: Diagnosis, *, p50: float | None, p99: float | None
    ) -> Course:
        """Give the course with one moment more, and of the oldest no more than are kept."""
        now: dict[str, Any] = {"at": at, "p50": p50, "p99": p99}
        if not found.error:
            now |= {
                "lag": found.lag,
                "seconds": round(found.seconds, 3),
                "arrival_rate": round(sum(one.arrival_rate for one in found.partitions), 1),
                "applied_rate": round(sum(one.applied_rate for one in found.partitions), 1),
                "dead_letters": found.dead_letters,
                "dead_letter_rate": self._rate(at, found.dead_letters),
            }
        return Course(
            **{
                name: [*getattr(self, name), now.get(name)][-MOMENTS:]
                for name in (one.name for one in fields(self))
            }
        )

    def _rate(self, at: int, dead_letters: int) -> float | None:
        """Give dead letters a second, since the oldest of the last moments that is known."""
        recent = zip(self.at[-RECENT:], self.dead_letters[-RECENT:], strict=True)
        for then, count in recent:
            if count is not None and then < at:
                return round(max(0.0, dead_letters - count) * 1_000 / (at - then), 2)
        return None
