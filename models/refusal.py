"""Why a store refuses writes, and the command that helps, by what its INFO says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FULL = 0.99  # of its limit: the next write may be the one for which there is no room
GROWTH = 1.5
MEGABYTE = 2**20
STEP = 100  # MB that a new limit is a multiple of
UNWRITTEN = ("aof_last_write_status", "rdb_last_bgsave_status")  # `err` is why it refuses
CLI = 'redis-cli -u "$(likewave config redis)"'
WHERE = f"{CLI} CONFIG GET dir  # make room on that disk: df -h"
LARGEST = f"{CLI} --bigkeys"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing can be written, in words, and the first command to run."""

    sentence: str
    command: str


def refusal(info: Mapping[str, Any]) -> Refusal | None:
    """Tell why a store refuses writes; None where it takes them.

    >>> refusal({"used_memory": 2**30, "maxmemory": 2**30, "total_system_memory": 2**34})
    ... # doctest: +NORMALIZE_WHITESPACE
    Refusal(sentence='the store is full (1,024 MB of 1,024 MB)',
            command='redis-cli -u "$(likewave config redis)" CONFIG SET maxmemory 1600mb')
    """
    used, limit = info["used_memory"], info["maxmemory"]
    if limit and used >= FULL * limit:
        full = f"the store is full ({used / MEGABYTE:,.0f} MB of {limit / MEGABYTE:,.0f} MB)"
        return _full(full, wanted=GROWTH * max(used, limit), machine=info["total_system_memory"])
    if failed := [name for name in UNWRITTEN if info.get(name, "ok") != "ok"]:
        return Refusal(f"the store cannot write to its disk ({', '.join(failed)})", WHERE)
    return None


def _full(sentence: str, *, wanted: float, machine: int) -> Refusal:
    if wanted > machine:
        return Refusal(f"{sentence}, and its machine has no more to give", LARGEST)
    steps = -(-wanted // (STEP * MEGABYTE))
    return Refusal(sentence, f"{CLI} CONFIG SET maxmemory {steps * STEP:.0f}mb")
