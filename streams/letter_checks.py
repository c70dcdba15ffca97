"""What may be wrong with producers: why records of the last minutes are dead letters."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from models.decoding import Reason
from models.errors import LikewaveError
from models.events import TOPICS
from models.finding import Finding, ok, warn
from models.letters import Selection
from models.policy import MINUTE
from streams.clock import now_ms
from streams.history import unheard
from streams.letters import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.settings import Settings

RECENT_MIN = 10
LAST = 500  # records of each partition: they name a flood as well as all of it would
PATIENCE_S = 2.0
SENT_RIGHT = "have whoever sends them mended"
CLOCK = (
    "a clock is ahead of Kafka's where they are sent: chronyc makestep there, then "
    "likewave dlq redrive --reason future"
)


async def examine(settings: Settings, shift_ms: int) -> Sequence[Finding]:
    """Warn of each reason for which records were rejected of late."""
    recent = Selection(since=now_ms() + shift_ms - RECENT_MIN * MINUTE, last=LAST)
    try:
        async with asyncio.timeout(PATIENCE_S), opened(settings) as letters:
            found = await letters.read(recent, unheard)
    except (LikewaveError, TimeoutError):
        words = f"cannot be read within {PATIENCE_S:g} s"
        return [warn("dead letters", words, "likewave dlq ls says why")]
    counts = Counter((letter.reason, letter.topic) for letter in found)
    told = {reason: _told(reason, counts, settings) for reason in Reason}
    faults = [_fault(reason, of) for reason, of in told.items() if of]
    return faults or [ok("dead letters", f"none is new in the last {RECENT_MIN} min")]


def _told(reason: Reason, counts: Counter[tuple[str, str]], settings: Settings) -> str:
    """Count by the topics that are ours: whoever writes a letter may call its topic anything."""
    named = {topic: counts[reason, settings.topic(topic)] for topic in TOPICS}
    return ", ".join(f"{count:,} of {topic}" for topic, count in named.items() if count)


def _fault(reason: Reason, of: str) -> Finding:
    return warn(
        "dead letters",
        f"rejected as {reason} in the last {RECENT_MIN} min: {of}",
        f"likewave dlq ls --reason {reason} --since {RECENT_MIN}m; "
        f"{CLOCK if reason is Reason.FUTURE else SENT_RIGHT}",
    )
