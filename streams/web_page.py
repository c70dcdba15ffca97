"""The web pages: their files, under an address that changes with any of them.

/, /operator              the pages: asked for again each time, seldom sent again
/static/VERSION/FILE      scripts and styles: kept by browsers, since a change renames all
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from streams.answers import is_known
from streams.problems import Kind, ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

FOLDER = "web"
INDEX, OPERATOR = "index.html", "operator.html"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
KEPT = "public, max-age=31536000, immutable"
ASKED_AGAIN = "no-cache"
UNKEPT = "no-store"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Site:
    """The pages, and the files they are made of."""

    version: str
    pages: dict[str, str]
    parts: dict[str, bytes]


@cache
def site() -> Site:
    """Read all files; they are small, and stay as they are while a process runs."""
    found = {one.name: one.read_bytes() for one in _files(files("streams").joinpath(FOLDER))}
    digest = hashlib.blake2b(digest_size=8)
    for name, content in sorted(found.items()):
        digest.update(name.encode() + b"\0" + content)
    version = digest.hexdigest()
    pages = {
        name: found.pop(name).decode().replace("/static/", f"/static/{version}/")
        for name in (INDEX, OPERATOR)
    }
    parts = {name: one for name, one in found.items() if PurePath(name).suffix in TYPES}
    return Site(version, pages, parts)


def _files(folder: Traversable) -> Iterator[Traversable]:
    """Find all files; those of others lie in folders of their own."""
    for one in folder.iterdir():
        if one.is_dir():
            yield from _files(one)
        else:
            yield one


@router.api_route("/", methods=["GET", "HEAD"])
async def index(request: Request) -> Response:
    """Give the page; that of a local stack says so, and lets look as somebody else."""
    return _page(request, INDEX)


@router.api_route("/operator", methods=["GET", "HEAD"])
async def operator(request: Request) -> Response:
    """Give the page for operators, in which there is nothing until one signs in."""
    return _page(request, OPERATOR)


def _page(request: Request, name: str) -> Response:
    known = site()
    is_local = request.app.state.signer is not None
    tag = f'"{known.version}-{is_local:d}"'
    headers = {"ETag": tag, "Cache-Control": ASKED_AGAIN}
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    page = known.pages[name]
    page = page.replace("<html", "<html data-local", 1) if is_local else page
    return Response(page, headers=headers, media_type="text/html")


@router.api_route("/static/{version}/{name}", methods=["GET", "HEAD"])
async def part(version: str, name: str) -> Response:
    """Give a file; to the page of another version, of another process, it is not one to keep."""
    known = site()
    if name not in known.parts:
        raise ProblemError(Kind.NOT_FOUND, f"the page has no file {name[:80]!r}: reload it")
    headers = {"Cache-Control": KEPT if version == known.version else UNKEPT}
    media_type = TYPES[PurePath(name).suffix]
    return Response(known.parts[name], headers=headers, media_type=media_type)
