"""The doors of access: who the caller is, the cookie of a browser, tickets for streams.

In a local stack there is one more, which makes anybody anybody; elsewhere it is not there.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from streams import answers, tickets
from streams.clock import now_ms
from streams.doors import (
    COOKIE,
    Configuration,
    Feeds,
    Reader,
    Token,
    Writer,
    check_origin,
    unauthorized,
)
from streams.feed_api import ID, REFUSED
from streams.problems import Kind, ProblemError, declared

LOOK_MINUTES = 60
# A page of another name that was made to lead to this machine has its own name here.
LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
ALTERED = {**REFUSED, **declared(Kind.FORBIDDEN)}

router = APIRouter(prefix="/v1", tags=["access"])
local_router = APIRouter(prefix="/v1/dev", tags=["local stack"])


@dataclass(frozen=True, slots=True)
class Me:
    """Who the caller is, and until when (Unix ms)."""

    user: str
    operator: bool
    expires: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """What opens one stream, once, within 30 seconds: `GET /v1/feed/stream?ticket=…`."""

    ticket: str


@dataclass(frozen=True, slots=True)
class Looking:
    """A token with which to look as somebody."""

    token: str


class LookAs(BaseModel):
    """As whom to look."""

    user: Annotated[str, Field(pattern=ID)]


@router.get("/me", response_model=Me, responses=REFUSED)
async def me(reader: Reader) -> Response:
    """Say who the caller is."""
    return answers.reply(Me(reader.user, reader.is_operator, reader.expires_at))


@router.post("/feed/stream/ticket", response_model=Ticket, responses=ALTERED)
async def ticket(writer: Writer, feeds: Feeds) -> Response:
    """Give a ticket for a stream of the caller's, for clients that can send no header."""
    return answers.secret(Ticket(await tickets.issue(feeds, writer)))


@router.post("/session", status_code=204, responses=ALTERED)
async def begin(writer: Writer, token: Token, settings: Configuration) -> Response:
    """Keep the bearer token in a cookie that scripts cannot read, until it expires."""
    if token is None:
        raise unauthorized("a session begins with a token: `Authorization: Bearer …`")
    response = Response(status_code=204, headers=answers.SECRET)
    response.set_cookie(
        COOKIE,
        token.credentials,
        max_age=(writer.expires_at - now_ms()) // 1_000,
        secure=settings.api_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )
    return response


@router.delete("/session", status_code=204, responses=declared(Kind.FORBIDDEN, Kind.INVALID))
async def end(request: Request) -> Response:
    """Forget the cookie, also one whose token is not valid any more."""
    if COOKIE in request.cookies:
        check_origin(request)
    response = Response(status_code=204, headers=answers.SECRET)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


@local_router.post(
    "/token",
    response_model=Looking,
    responses=declared(Kind.MALFORMED, Kind.FORBIDDEN, Kind.TOO_LARGE, Kind.INVALID),
)
async def look_as(
    request: Request,
    wanted: LookAs,
    x_likewave: Annotated[Literal["1"], Header(description="No other origin can send it")],
) -> Response:
    """Give a token of anybody, to this machine."""
    del x_likewave
    if not LOCAL_HOST.fullmatch(request.headers.get("host", "")):
        raise ProblemError(Kind.FORBIDDEN, "call the API by localhost or 127.0.0.1")
    signed = request.app.state.signer.token(wanted.user, now=now_ms(), minutes=LOOK_MINUTES)
    return answers.secret(Looking(signed))
