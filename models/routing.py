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


def shard_of(name: str, shards: int) -> int:
    """Give the home of a user or an item: CRC-32 of the id modulo `shards`.

    >>> shard_of("ann", 4)
    3
    """
    return zlib.crc32(name.encode()) % shards


def route(rows: Rows, shards: int) -> list[tuple[Rows, list[bool]]]:
    """Give each shard its rows, and which of them are on items at home there."""
    if shards == 1:
        return [(rows, [True] * len(rows))]
    homes = [
        _home(*row, shards) for row in zip(rows.kind, rows.who, rows.item, rows.other, strict=True)
    ]
    return [_share_of(shard, rows, homes) for shard in range(shards)]


def _home(kind: str, who: str, item: str, other: str, shards: int) -> int:
    match kind:
        case "like" | "share" | "post" | "view" | "takedown":
            return shard_of(item, shards)
        case "direct":
            return shard_of(other, shards)
        case _:
            return shard_of(who, shards)


def _share_of(shard: int, rows: Rows, homes: Sequence[int]) -> tuple[Rows, list[bool]]:
    own = [home == shard for home in homes]
    here = [at_home or kind in EVERYWHERE for at_home, kind in zip(own, rows.kind, strict=True)]
    if all(here):
        return rows, own
    columns = {
        column.name: list(compress(getattr(rows, column.name), here)) for column in fields(Rows)
    }
    return Rows(**columns), list(compress(own, here))
