"""What a stream says, as server-sent events: a feed, what becomes of it, and the end.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from models.movement import difference
from streams.live_feeds import document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.movement import Placed
    from models.present import Present
    from streams.live_feeds import Entry, LiveFeed

RETRY = b"retry: 1000\n\n"  # ms, after which a browser comes again
HERE = b": here\n\n"


def feed(whole: LiveFeed, present: Present) -> bytes:
    """Tell a whole feed."""
    items = [document(entry, present) for entry in whole.entries]
    return _event("feed", {"version": whole.version, "items": items}, whole.version)


def change(old: LiveFeed, new: LiveFeed, present: Present) -> bytes:
    """Tell what became of the feed `old`, which is now `new`."""
    became = difference(old.entries, new.entries)
    told = {
        "version": new.version,
        "gone": became.gone,
        "moved": _placed(became.moved, present),
        "new": _placed(became.new, present),
        "changed": [document(entry, present) for entry in became.changed],
    }
    return _event("change", told, new.version)


def end(reason: str) -> bytes:
    """Tell why nothing more comes."""
    return _event("end", {"reason": reason})


def _placed(entries: Iterable[Placed[Entry]], present: Present) -> list[dict[str, object]]:
    return [{"place": one.place, **document(one.entry, present)} for one in entries]


def _event(name: str, data: object, version: str | None = None) -> bytes:
    named = f"id: {version}\n" if version else ""
    return f"{named}event: {name}\n".encode() + b"data: " + msgspec.json.encode(data) + b"\n\n"
