"""The shard functions in the store: the files of `streams/functions`, loaded as one library."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import StoreError

if TYPE_CHECKING:
    from redis.asyncio import Redis

SCHEMA = "1"  # of the layout and the functions
NAME = f"likewave_{SCHEMA}"
FOLDER = Path(__file__).with_name("functions")
PARTS = (  # in the order in which they need each other
    "calls",
    "proofs",
    "feeds",
    "signals",
    "engagement",
    "acts",
    "circles",
    "erasure",
    "forgetting",
    "batches",
    "reading",
    "drawing",
    "audit",
    "library",
)


@cache
def code(folder: Path = FOLDER) -> str:
    """Give the text of the library that lies in a folder."""
    return "".join((folder / f"{part}.lua").read_text("utf-8") for part in PARTS)


async def load(store: Redis) -> str:
    """Load the shard functions where they are absent or older; tell which build serves now.

    Builds of one schema may run side by side: a later build only adds to what the functions take
    and give. Raises StoreError where the same build is another text.
    """
    found = await loaded(store)
    if found is None or is_older(found):
        await store.function_load(code(), replace=True)
    return await check(store)


def is_older(text: str) -> bool:
    """Tell whether the functions in a store are an earlier build than this version's."""
    return build_of(text) < build_of(code())


async def check(store: Redis) -> str:
    """Raise StoreError where the functions are absent or others; tell which build is loaded."""
    found = await loaded(store)
    if found is None:
        raise StoreError("the shard functions are not in this store: start a worker, it loads them")
    if found != code() and build_of(found) == build_of(code()):
        raise StoreError(
            f"library {NAME} in the store is another build (sha1 {sha1(found)}) than this "
            f"version's ({sha1(code())}): run matching versions, or stop all workers and "
            f"FUNCTION DELETE {NAME}"
        )
    return named(found)


async def loaded(store: Redis) -> str | None:
    """Give the text of the library in the store; None where there is none."""
    found: Any = await store.function_list(library=NAME, withcode=True)
    if not found:
        return None
    return str(dict(zip(found[0][::2], found[0][1::2], strict=True))["library_code"])


def build_of(text: str) -> int:
    """Give the build number of a library; 0 for one that has none.

    >>> build_of("local BUILD = 3  -- one more"), build_of("#!lua name=likewave_1")
    (3, 0)
    """
    found = re.search(r"^local BUILD = (\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


def named(text: str) -> str:
    """Name a build for a person."""
    return f"{NAME}, build {build_of(text)} (sha1 {sha1(text)})"


def sha1(text: str) -> str:
    """Give the beginning of a digest, to tell texts apart."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:8]
