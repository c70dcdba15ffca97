"""Paging over a live feed: what was there at the first page, and what of it was shown.

A feed changes between two pages, so a position in it means nothing. A cursor names the items that
could be shown at the first page, those already shown first. A further page is made of the rest of
them: nothing comes twice, nothing of what was there is skipped, and what came since is counted,
until a new first page takes it in.

As text: version, moment, counts, fingerprints of six bytes, check sum, in URL-safe base64; 200
items are 1.6 KB. The check sum finds accidents, not forgers.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.errors import CursorError

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = struct.Struct(">BQHH")  # version, moment, number shown, number waiting
CHECK_SUM = struct.Struct(">I")
VERSION = 1
FINGERPRINT_BYTES = 6  # two of 1,000 items are alike in one of 500 million cursors
REMEMBERED = 65_536  # fingerprints: the same items are on many pages


@functools.lru_cache(REMEMBERED)
def fingerprint(item: str) -> bytes:
    """Shorten an id."""
    return hashlib.blake2b(item.encode(), digest_size=FINGERPRINT_BYTES).digest()


@dataclass(frozen=True, slots=True)
class Cursor:
    """What has been shown since the first page, made `at` (Unix ms), and what is waiting.

    >>> first = Cursor.begin(["a", "b", "c"], at=1_000).turned(["b"])
    >>> first.waiting_of(["new", "c", "b", "a"]), first.count_new(["new", "c", "b", "a"])
    (['c', 'a'], 1)
    """

    at: int
    shown: frozenset[bytes]
    waiting: frozenset[bytes]

    @classmethod
    def begin(cls, items: Iterable[str], at: int) -> Cursor:
        """Remember what could be shown at the first page, before any of it is."""
        return cls(at, frozenset(), frozenset(map(fingerprint, items)))

    def turned(self, page: Iterable[str]) -> Cursor:
        """Remember that the items of `page` are shown."""
        shown = frozenset(map(fingerprint, page)) & self.waiting
        return Cursor(self.at, self.shown | shown, self.waiting - shown)

    def waiting_of(self, items: Iterable[str]) -> list[str]:
        """Choose the items that were there at the first page and have not been shown."""
        return [item for item in items if fingerprint(item) in self.waiting]

    def count_new(self, items: Iterable[str]) -> int:
        """Count the items that came since the first page."""
        known = self.shown | self.waiting
        return sum(fingerprint(item) not in known for item in items)


def encode(cursor: Cursor) -> str:
    """Write a cursor as text fit for a URL, always the same for equal ones."""
    head = HEAD.pack(VERSION, cursor.at, len(cursor.shown), len(cursor.waiting))
    body = b"".join((head, *sorted(cursor.shown), *sorted(cursor.waiting)))
    return base64.urlsafe_b64encode(body + CHECK_SUM.pack(zlib.crc32(body))).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Read a cursor from text; raise CursorError where it is not as it was written.

    >>> decode(encode(Cursor.begin(["a"], at=1_000))).at
    1000
    >>> decode("AQAA")
    Traceback (most recent call last):
    ...
    models.errors.CursorError: this cursor was changed or cut: start again at the first page
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        body, (check_sum,) = raw[: -CHECK_SUM.size], CHECK_SUM.unpack(raw[-CHECK_SUM.size :])
        version, at, shown, waiting = HEAD.unpack_from(body)
    except (ValueError, struct.error) as error:
        raise _changed() from error
    length = HEAD.size + (shown + waiting) * FINGERPRINT_BYTES
    if version != VERSION or zlib.crc32(body) != check_sum or len(body) != length:
        raise _changed()
    prints = [body[k : k + FINGERPRINT_BYTES] for k in range(HEAD.size, length, FINGERPRINT_BYTES)]
    return Cursor(at, frozenset(prints[:shown]), frozenset(prints[shown:]))


def _changed() -> CursorError:
    return CursorError("this cursor was changed or cut: start again at the first page")
