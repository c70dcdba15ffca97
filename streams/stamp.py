"""What tells one state of a file from another, for whoever looks at it again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Stamp(NamedTuple):
    """One state of a file."""

    inode: int
    size: int
    changed: int  # Unix ns


def stamp_of(path: Path) -> Stamp | None:
    """Look at a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns)
