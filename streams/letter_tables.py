"""What the commands about dead letters show to a person, and say to a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from models.decoding import accepted_from
from models.letters import REDRIVEN, summary
from models.moments import moment
from streams import wording
from streams.inert import document, inert
from streams.tables import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from models.letters import Letter
    from streams.breakers import Held

COUNTED = ("count", "from offset")
LONGEST = 4_000  # characters of a value that a terminal is shown


def listing(
    letters: Sequence[Letter], held: Sequence[Held], *, limit: int, now: int
) -> RenderableType:
    """Lay out letters: a summary, then the newest of them; what is held before all."""
    parts = _held(held, now) if held else []
    if not letters:
        return Group(*parts, "No dead letters.")
    newest = plain("letter", "state", "reason", "record", "path", "detail", right=COUNTED)
    for letter in letters[::-1][:limit]:
        state = f"{letter.state}, failed again" if letter.redriven else letter.state.value
        record = f"{letter.topic}:{letter.source[0]}:{letter.source[1]}"
        texts = (str(letter.place), state, letter.reason, record, *_what(letter))
        newest.add_row(*(Text(inert(text), overflow="fold") for text in texts))
    return Group(*parts, groups(letters, now=now), "", newest)


def groups(letters: Sequence[Letter], *, now: int) -> RenderableType:
    """Lay out how many letters there are of each reason and topic."""
    table = plain("reason", "topic", "count", "oldest", "newest", right=COUNTED)
    for one in summary(letters):
        times = (wording.ago(at, now) for at in (one.oldest, one.newest))
        table.add_row(Text(inert(one.reason)), Text(inert(one.topic)), f"{one.count:,}", *times)
    return table


def _held(held: Sequence[Held], now: int) -> list[RenderableType]:
    table = plain("held", "from offset", "since", right=COUNTED)
    for one in held:
        table.add_row(one.source, f"{one.offset:,}", wording.ago(one.since, now))
    names = " ".join(one.source for one in held)
    remedy = f"Nearly all is invalid there: mend the producer, then\nlikewave dlq release {names}\n"
    return [table, remedy]


def _what(letter: Letter) -> tuple[str, str]:
    return letter.headers.get("path", ""), letter.headers.get("detail", "")


def listing_document(
    letters: Sequence[Letter], held: Sequence[Held], *, limit: int
) -> dict[str, object]:
    """Give the same for a script."""
    newest = [about(letter) for letter in letters[::-1][:limit]]
    return {"held": held, "total": len(letters), "groups": summary(letters), "newest": newest}


def about(letter: Letter) -> dict[str, object]:
    """Give all that is known of a letter, but for its value."""
    path, detail = _what(letter)
    partition, offset = letter.source
    return {
        "letter": str(letter.place),
        "state": letter.state.value,
        "topic": letter.topic,
        "partition": partition,
        "offset": offset,
        "reason": letter.reason,
        "path": path,
        "detail": detail,
        "time": letter.at,
        REDRIVEN: letter.redriven,
        **document("key", letter.key),
    }


def lines(letter: Letter) -> Iterator[str]:
    """Show a letter: its headers as they are, then key and value."""
    yield f"letter     {letter.place} ({letter.state})"
    for name, text in letter.headers.items():
        told = f" ({moment(letter.at)} UTC)" if name == "time" else ""
        yield f"{inert(name):<10} {inert(text)}{told}"
    if begins := accepted_from(letter.value or b""):
        yield f"accepted   from {moment(begins)} UTC on"
    yield f"key        {inert(letter.key)}"
    size = 0 if letter.value is None else len(letter.value)
    yield f"value      {size:,} bytes{'' if letter.value is not None else ': there is none'}"
    text = inert(letter.value)
    if text:
        yield ""
        yield text[:LONGEST]
    if len(text) > LONGEST:
        yield f"... and more: likewave dlq show {letter.place} --raw"
