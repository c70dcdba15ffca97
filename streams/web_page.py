"""The web page: its files, under an address that changes with any of them.

/                         the page: asked for again each time, seldom sent again
/static/VERSION/FILE      its scripts and its style: kept by browsers, since a change renames all
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

from streams.answers import is_known
from streams.problems import Kind, ProblemError

FOLDER = "web"
INDEX = "index.html"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
KEPT = "public, max-age=31536000, immutable"
ASKED_AGAIN = "no-cache"
UNKEPT = "no-store"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Site:
    """The page, and the files it is made of."""

    version: str
    page: str
    parts: dict[str, bytes]


@cache
def site() -> Site:
    """Read all files; they are small, and stay as they are while a process runs."""
    found = {one.name: one.read_bytes() for one in files("streams").joinpath(FOLDER).iterdir()}
    digest = hashlib.blake2b(digest_size=8)
    for name, content in sorted(found.items()):
        digest.update(name.encode() + b"\0" + content)
    version = digest.hexdigest()
    page = found.pop(INDEX).decode().replace("/static/", f"/static/{version}/")
    return Site(version, page, found)


@router.api_route("/", methods=["GET", "HEAD"])
async def index(request: Request) -> Response:
    """Give the page; that of a local stack says so, and lets look as somebody else."""
    known = site()
    is_local = request.app.state.signer is not None
    tag = f'"{known.version}-{is_local:d}"'
    headers = {"ETag": tag, "Cache-Control": ASKED_AGAIN}
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    page = known.page.replace("<html", "<html data-local", 1) if is_local else known.page
    return Response(page, headers=headers, media_type="text/html")


@router.api_route("/static/{version}/{name}", methods=["GET", "HEAD"])
async def part(version: str, name: str) -> Response:
    """Give a file; to the page of another version, of another process, it is not one to keep."""
    known = site()
    if name not in known.parts:
        raise ProblemError(Kind.NOT_FOUND, f"the page has no file {name[:80]!r}: reload it")
    headers = {"Cache-Control": KEPT if version == known.version else UNKEPT}
    suffix = name[name.rindex(".") :]
    return Response(known.parts[name], headers=headers, media_type=TYPES[suffix])
