"""What the doors answer with: the shapes that the contract describes, and how they are sent.

An answer may have a tag, which stays as long as nothing changed that a viewer is told; strengths
and values fall with every millisecond, and do not change it. Whoever has it already is told so in
304 and no more.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

MINE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
SECRET = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Proof:
    """An act of the circle that put an item into the feed, at a moment (Unix ms)."""

    kind: str
    who: str
    at: int


@dataclass(frozen=True, slots=True)
class PageItem:
    """One item of a page: where it stands, and every number that put it there."""

    place: int
    item: str
    value: float
    reasons: list[str]
    author: str | None
    topics: list[str]
    sources: list[str]
    proofs: list[Proof]
    actors_total: int
    account: str | None
    reserved: bool
    parts: dict[str, float]
    places: dict[str, int | None]
    effective_time: int | None
    strength: float


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A page of the ranked feed; `cursor` is of the next one, null at the end."""

    user: str
    version: str
    experiment: str | None
    variant: str | None
    new_count: int
    cursor: str | None
    items: list[PageItem]


@dataclass(frozen=True, slots=True)
class LiveItem:
    """One item of a live feed."""

    item: str
    effective_time: int
    strength: float
    proofs: list[Proof]
    proofs_total: int
    author: str | None
    topics: list[str]


@dataclass(frozen=True, slots=True)
class LiveFeed:
    """The top of a live feed, best first; its version changes when anything of it does."""

    version: str
    items: list[LiveItem]


@dataclass(frozen=True, slots=True)
class ExplainedAct:
    """One act behind an item, or what all others add."""

    who: str
    what: str
    at: int | None
    weight: float | None
    strength: float


@dataclass(frozen=True, slots=True)
class ItemCounters:
    """How many accounts did what."""

    views: int
    likes: int
    shares: int


@dataclass(frozen=True, slots=True)
class ExplainedEvidence:
    """All there is about an item, for one viewer."""

    contributions: list[ExplainedAct]
    trending: float
    counters: ItemCounters | None
    affinities: dict[str, float]


@dataclass(frozen=True, slots=True)
class ItemExplained:
    """Why an item is where it is on the pages of a viewer, or on none."""

    user: str
    item: str
    version: str
    verdict: str
    evidence: ExplainedEvidence | None
    filters: dict[str, bool]
    parts: dict[str, float]
    value: float | None
    places: dict[str, int | None]
    page: int | None


def tag_of(told: object) -> str:
    """Make the tag of what a viewer is told."""
    digest = hashlib.blake2b(msgspec.msgpack.encode(told), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def is_known(request: Request, tag: str) -> bool:
    """Tell whether the sender has the answer of `tag` already."""
    given = request.headers.get("if-none-match", "")
    known = [one.strip().removeprefix("W/") for one in given.split(",")]
    return "*" in known or tag.removeprefix("W/") in known


def not_modified(tag: str) -> Response:
    """Answer that nothing changed."""
    return Response(status_code=304, headers={**MINE, "ETag": tag})


def reply(value: object, tag: str | None = None) -> Response:
    """Answer with what is the caller's own, and may be kept if it is asked for again each time."""
    headers = MINE if tag is None else {**MINE, "ETag": tag}
    return Response(msgspec.json.encode(value), headers=headers, media_type="application/json")


def secret(value: object) -> Response:
    """Answer with what must be kept nowhere."""
    return Response(msgspec.json.encode(value), headers=SECRET, media_type="application/json")
