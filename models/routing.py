"""Which shards a row concerns: acts go to every shard, the rest to where it is needed."""

from __future__ import annotations

import zlib
from dataclasses import fields
from itertools import compress
from typing import TYPE_CHECKING

from models.columns import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERYWHERE = ("like", "share", "post", "takedown", "erase")
ITEM, WHO = 1, 2  # who is at home in a shard, of a row: its item, or whoever it is about


def shard_of(name: str, shards: int) -> int:
    """Give the home of a user or an item: CRC-32 of the id modulo `shards`.

    >>> shard_of("ann", 4)
    3
    """
    return zlib.crc32(name.encode()) % shards


def route(rows: Rows, shards: int) -> list[tuple[Rows, list[int]]]:
    """Give each shard its rows, and of each whether ITEM, WHO, or both (their sum) are at home.

    A view concerns the home of the item, which counts it, and that of the viewer; a share by name
    that of the recipient, who gets it, and that of the sender, who is active. `ITEM` says of the
    latter that the recipient is at home.
    """
    if shards == 1:
        return [(rows, [ITEM + WHO] * len(rows))]
    homes = [
        _homes(*row, shards) for row in zip(rows.kind, rows.who, rows.item, rows.other, strict=True)
    ]
    return [_part(shard, rows, homes) for shard in range(shards)]


def _homes(kind: str, who: str, item: str, other: str, shards: int) -> tuple[int, int]:
    """Give the home of a row's item (or recipient) and of whoever it is about."""
    mine = shard_of(who, shards)
    match kind:
        case "like" | "share" | "post" | "view" | "takedown":
            return shard_of(item, shards), mine
        case "direct":
            return shard_of(other, shards), mine
        case _:
            return mine, mine


def _part(shard: int, rows: Rows, homes: Sequence[tuple[int, int]]) -> tuple[Rows, list[int]]:
    home = [ITEM * (one == shard) + WHO * (two == shard) for one, two in homes]
    here = [at_home or kind in EVERYWHERE for at_home, kind in zip(home, rows.kind, strict=True)]
    if all(here):
        return rows, home
    columns = {
        column.name: list(compress(getattr(rows, column.name), here)) for column in fields(Rows)
    }
    return Rows(**columns), list(compress(home, here))
