"""What every request passes first: no body too large, safe headers, no bare mistake, a clock."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import structlog
from starlette.requests import ClientDisconnect

from streams import api_metrics
from streams.problems import Kind, ProblemError, response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "/v1/"
LARGEST_BODY = 1 << 20  # bytes
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
ENCODED = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

log = structlog.get_logger()


class Guard:
    """ASGI middleware around all that is ours."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False
        arrived = time.monotonic()

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", ()), *ENCODED]
                api_metrics.answered(scope, message["status"], time.monotonic() - arrived)
            await send(message)

        try:
            _check_query(scope)
            await self._app(scope, Measured(scope, receive), guarded)
        except ClientDisconnect:
            return  # in the middle of a body: nobody is there to be answered
        except Exception as error:
            if begun:
                raise
            answer = response(_problem(error, scope["path"]))
            await answer(scope, receive, guarded)


def _check_query(scope: Scope) -> None:
    """Raise ProblemError where a value is given twice: what stands between might read the other."""
    if not scope["path"].startswith(API):
        return
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    times = Counter(name for name, _ in given)
    if twice := next((name for name, count in times.items() if count > 1), None):
        raise ProblemError(Kind.INVALID, "it is given more than once", field=f"query.{twice}")


class Measured:
    """Receives a body, and no more than LARGEST_BODY of it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._told = dict(scope["headers"]).get(b"content-length", b"0")
        self._size = 0

    async def __call__(self) -> Message:
        """Receive the next piece; raise ProblemError where it is too much."""
        if self._told.isdigit() and int(self._told[:20]) > LARGEST_BODY:
            raise _too_large()
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > LARGEST_BODY:
            raise _too_large()
        return message


def _too_large() -> ProblemError:
    return ProblemError(
        Kind.TOO_LARGE, f"a body has at most {LARGEST_BODY:,} bytes: send it in several requests"
    )


def _problem(error: Exception, path: str) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    log.error("mistake", path=path, exc_info=error)
    return ProblemError(Kind.BUG, "the mistake is ours, and in the log: try again")
