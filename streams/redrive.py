"""Sends dead letters again to the topics they came from, where a worker judges them as any record.

    send -> marked as redriven: a crash in between sends twice, which does no harm

On a compacted topic the record of the highest offset is the last word on its key for ever. There a
letter is sent only where it is a valid event by now, and the log has no newer word of its register.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka import TopicPartition

from models import events
from models.decoding import accepted_from, admit
from models.errors import EventError
from models.letters import REDRIVEN, State, left
from models.moments import moment
from streams.clock import now_ms
from streams.kafka import READ_MS, consuming
from streams.letters import pieces
from streams.stretches import records
from streams.topics import COMPACTED, log_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

    from models.letters import Letter
    from streams.letters import Letters, Progress
    from streams.settings import Settings

    Word = tuple[int, bool]  # when, and whether it switches off: the greater counts
    Words = dict[tuple[str, bytes | None], Word]  # by topic and key

NONE = (0, False)  # no word at all


@dataclass(frozen=True, slots=True)
class Redriven:
    """How many letters were sent again, and why others were left."""

    redriven: int
    left: dict[str, int]


async def judge(
    settings: Settings, chosen: Sequence[Letter], *, again: bool
) -> tuple[list[Letter], dict[str, int]]:
    """Give those of `chosen` that may be sent again, and count by reason those that are left."""
    reasons = {letter: _hindrance(letter, settings, again=again) for letter in chosen}
    reasons |= _early([one for one, why in reasons.items() if not why], now=now_ms())
    reasons |= await _outdated([one for one, why in reasons.items() if not why], settings)
    ready = [letter for letter, why in reasons.items() if not why]
    return ready, left(why for why in reasons.values() if why)


async def redrive(
    letters: Letters,
    settings: Settings,
    chosen: Sequence[Letter],
    *,
    again: bool,
    progress: Progress,
) -> Redriven:
    """Send `chosen` again; those that were redriven before only `again`."""
    ready, kept = await judge(settings, chosen, again=again)
    for done, some in pieces(ready):
        await asyncio.gather(*(_send(letters, letter) for letter in some))
        await letters.mark(some, State.REDRIVEN)
        progress("redriving", done, len(ready))
    return Redriven(len(ready), kept)


async def _send(letters: Letters, letter: Letter) -> None:
    times = str(letter.redriven + 1)
    await letters.send(letter.topic, letter.value, key=letter.key, headers={REDRIVEN: times})


def _hindrance(letter: Letter, settings: Settings, *, again: bool) -> str:
    """Say why a letter cannot be sent, whatever is in the log; nothing where it can."""
    if letter.topic not in map(settings.topic, events.TOPICS):
        return "came from no topic of this deployment"
    if letter.value is None or "truncated" in letter.headers:
        return "has no whole value"
    if len(letter.value) > events.LARGEST_EVENT:
        return "is larger than an event may be"
    if letter.redriven and not again:
        return "failed again after it was redriven (--again sends it)"
    return ""


def _early(letters: Sequence[Letter], *, now: int) -> dict[Letter, str]:
    """Say which letters a worker would find in the future still, and until when."""
    moments = {letter: accepted_from(letter.value or b"") for letter in letters}
    early = {letter: at for letter, at in moments.items() if at > now}
    if not early:
        return {}
    first, last = (f"{moment(bound(early.values()))} UTC" for bound in (min, max))
    why = f"lies in the future still: accepted from {first} on"
    return dict.fromkeys(early, why if first == last else f"{why}, the last of them from {last} on")


async def _outdated(letters: Sequence[Letter], settings: Settings) -> dict[Letter, str]:
    """Say which letters of compacted topics must not become the last word of their key."""
    compacted = {settings.topic(topic): topic for topic in COMPACTED}
    reasons: dict[Letter, str] = {}
    valid: dict[Letter, Word] = {}
    for letter in letters:
        if letter.topic in compacted:
            word = _word(letter, compacted[letter.topic], now=now_ms())
            if word is None:
                reasons[letter] = "still breaks the contract, on a compacted topic"
            else:
                valid[letter] = word
    words = await _last_words(settings, list(valid)) if valid else {}
    for letter, word in sorted(valid.items(), key=lambda one: one[1], reverse=True):
        name = letter.topic, letter.key
        if word <= words.get(name, NONE):
            reasons[letter] = "was overtaken: the log has a newer word"
        words[name] = max(word, words.get(name, NONE))
    return reasons


def _word(record: Letter | ConsumerRecord, topic: str, *, now: int) -> Word | None:
    """Give when an event was, and whether it switches off; None where a worker would reject it."""
    try:
        event = admit(record.value or b"", now=now)
    except EventError:
        return None
    is_right = event.topic == topic and event.key.encode() == record.key
    return (event.at, event.off) if is_right else None


async def _last_words(settings: Settings, letters: Sequence[Letter]) -> Words:
    """Read, from the oldest of `letters` on, what their topics say last of their keys."""
    names = {(letter.topic, letter.key) for letter in letters}
    words: Words = {}
    async with consuming(settings, request_timeout_ms=READ_MS) as consumer:
        async for some in records(settings, consumer, await _since(settings, letters)):
            for record in some:
                name = record.topic, record.key
                topic = record.topic.removeprefix(settings.topic_prefix)
                if name in names and (word := _word(record, topic, now=record.timestamp)):
                    words[name] = max(word, words.get(name, NONE))
    return words


async def _since(
    settings: Settings, letters: Sequence[Letter]
) -> dict[TopicPartition, tuple[int, int]]:
    """Give the stretches of the log from the oldest of `letters` on."""
    stretches: dict[TopicPartition, tuple[int, int]] = {}
    for (topic, number), (start, end) in (await log_bounds(settings, COMPACTED)).items():
        here = settings.topic(topic), number
        offsets = [one.source[1] for one in letters if (one.topic, one.source[0]) == here]
        if offsets:
            stretches[TopicPartition(*here)] = max(start, min(offsets)), end
    return stretches
