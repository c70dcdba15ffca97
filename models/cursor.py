"""Paging over a live feed: what was there at the first page, and what of it was shown.

A feed changes between two pages, so a position in it means nothing. A cursor names the items that
could be shown at the first page and have not been, with what brought them: they are looked at again
for every further page, even where stronger ones have pushed them out of a feed or a list since. So
nothing comes twice, nothing of what was there is skipped, and what came since is counted, until a
new first page takes it in. Of items already shown there are fingerprints, to tell them from new.

As text: version, number shown, fingerprints of six bytes, the waiting items compressed, check sum,
in URL-safe base64; 240 items with ids of 64 bits are 3.5 KB, with UUIDs 7 KB. The check sum, which
the viewer's id goes into, finds accidents and another's cursor, not forgers: a forged one shows a
viewer what they may see, in another order.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from models.candidate import ALONE, BITS, JOINED
from models.errors import CursorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from models.candidate import Candidate, Source

    Sources: TypeAlias = frozenset[Source]

HEAD = struct.Struct(">BH")  # version, number shown
CHECK_SUM = struct.Struct(">I")
VERSION = 1
FINGERPRINT_BYTES = 6  # two of 1,000 items are alike in one of 500 million cursors
REMEMBERED = 65_536  # fingerprints: the same items are on many pages
WINDOW_BITS, MEMORY_LEVEL = 13, 6  # of zlib: setting up the defaults takes longer than the work
MOST_BYTES = 65_536  # of the waiting items' text: 1,000 of the longest ids
ENTRY = re.compile(r"([0-9a-f])([A-Za-z0-9_-]{1,64})")  # what brought it, as bits; its id
DIGITS = {sources: f"{bits:x}" for sources, bits in BITS.items()}


@functools.lru_cache(REMEMBERED)
def fingerprint(item: str) -> bytes:
    """Shorten an id."""
    return hashlib.blake2b(item.encode(), digest_size=FINGERPRINT_BYTES).digest()


@dataclass(frozen=True, slots=True)
class Cursor:
    """What has been shown since the first page, and what is waiting, with what brought it then.

    >>> from models.candidate import Candidate
    >>> first = Cursor.begin([Candidate(item="a"), Candidate(item="b")]).turned(["b"])
    >>> list(first.waiting), first.count_new(["new", "b", "a"])
    (['a'], 1)
    """

    shown: frozenset[bytes]
    waiting: Mapping[str, Sources]

    @classmethod
    def begin(cls, candidates: Iterable[Candidate], behind: Iterable[str] = ()) -> Cursor:
        """Remember what could be shown at the first page, and what is `behind` it in the feed."""
        waiting = dict.fromkeys(behind, ALONE)
        return cls(frozenset(), waiting | {one.item: one.sources for one in candidates})

    def turned(self, page: Iterable[str]) -> Cursor:
        """Remember that the items of `page` are shown."""
        shown = self.waiting.keys() & set(page)
        waiting = {item: sources for item, sources in self.waiting.items() if item not in shown}
        return Cursor(self.shown.union(map(fingerprint, shown)), waiting)

    def count_new(self, items: Iterable[str]) -> int:
        """Count the items that came since the first page."""
        strange = [item for item in items if item not in self.waiting]
        return sum(fingerprint(item) not in self.shown for item in strange)


def encode(cursor: Cursor, user: str) -> str:
    """Write a cursor of `user` as text fit for a URL, always the same for equal ones."""
    entries = [DIGITS[sources] + item for item, sources in cursor.waiting.items()]
    compressor = zlib.compressobj(wbits=WINDOW_BITS, memLevel=MEMORY_LEVEL)
    waiting = compressor.compress(",".join(sorted(entries)).encode()) + compressor.flush()
    head = HEAD.pack(VERSION, len(cursor.shown))
    body = b"".join((head, *sorted(cursor.shown), waiting))
    return base64.urlsafe_b64encode(body + CHECK_SUM.pack(_sum(body, user))).decode().rstrip("=")


def decode(text: str, user: str) -> Cursor:
    """Read a cursor from text; raise CursorError where it is not as it was written for `user`.

    >>> from models.candidate import Candidate
    >>> decode(encode(Cursor.begin([Candidate(item="a")]), "ann"), "ann").waiting
    {'a': frozenset({<Source.SOCIAL: 'social'>})}
    >>> decode("AQAA", "ann")
    Traceback (most recent call last):
    ...
    models.errors.CursorError: this cursor was changed, cut, or another's: start at the first page
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        body, (check_sum,) = raw[: -CHECK_SUM.size], CHECK_SUM.unpack(raw[-CHECK_SUM.size :])
        version, count = HEAD.unpack_from(body)
        if version != VERSION or _sum(body, user) != check_sum:
            raise _changed()
        end = HEAD.size + count * FINGERPRINT_BYTES
        prints = range(HEAD.size, end, FINGERPRINT_BYTES)
        shown = frozenset(body[k : k + FINGERPRINT_BYTES] for k in prints)
        return Cursor(shown, dict(map(_entry, _listed(body[end:]))))
    except (ValueError, struct.error, zlib.error) as error:
        raise _changed() from error


def _sum(body: bytes, user: str) -> int:
    return zlib.crc32(body, zlib.crc32(user.encode()))


def _listed(compressed: bytes) -> list[str]:
    text = zlib.decompressobj().decompress(compressed, MOST_BYTES).decode()
    return text.split(",") if text else []


def _entry(text: str) -> tuple[str, Sources]:
    match = ENTRY.fullmatch(text)
    if match is None:
        raise _changed()
    return match[2], JOINED[int(match[1], 16)]


def _changed() -> CursorError:
    return CursorError("this cursor was changed, cut, or another's: start at the first page")
