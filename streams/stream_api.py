"""The stream: the live feed of whoever calls, as server-sent events.

    retry                     once, at the beginning
    feed    {version, items}  the whole feed, unless it is that of Last-Event-ID
    change  {version, gone, moved, new, changed}
    end     {reason}          expired, or stopping

Nothing waits in a queue: a reader who is slow gets fewer, larger changes, and one who takes nothing
for SLOWEST_S is dropped.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, cast

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from models.policy import Policy
from models.present import Present
from streams import api_metrics, stream_events
from streams.clock import now_ms
from streams.doors import Configuration, Feeds, Watcher
from streams.feed_api import MOST_LIVE
from streams.live_feeds import LiveFeed
from streams.problems import Kind, ProblemError, declared, store_away, too_many
from streams.screens import Screens, Watch

KEEP_ALIVE_S = 15.0
FIRST_S = 5.0  # for the first reading of a feed
SLOWEST_S = 20.0  # for a reader to take anything of what waits for it
MOST_OF_USER = 10  # streams, in one process
MOST = 5_000  # streams of one process

Known = Annotated[str | None, Header(description="Version of the feed that the caller has")]

log = structlog.get_logger()
router = APIRouter(tags=["feed"])


class Stream(StreamingResponse):
    """Sends what a watch sees, and closes it."""

    media_type = "text/event-stream"

    def __init__(self, screens: Screens, watch: Watch, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._screens = screens
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the reader is gone, the events end, or the reader takes no more."""
        with self._watch:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send the events, each within SLOWEST_S; else leave off, which ends the connection."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async for event in self.body_iterator:
                async with asyncio.timeout(SLOWEST_S):
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            async with asyncio.timeout(SLOWEST_S):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            self._screens.dropped += 1
            api_metrics.slow_readers.inc()
            log.warning("slow reader dropped", user=self._watch.user, dropped=self._screens.dropped)


async def screens(request: Request) -> Screens:
    """Give the screens of this process."""
    return cast("Screens", request.app.state.screens)


@router.get(
    "/v1/feed/stream",
    response_class=Stream,
    status_code=200,  # FastAPI looks for a default in the class, and finds none
    responses=declared(Kind.UNAUTHORIZED, Kind.INVALID, Kind.TOO_MANY, Kind.STORE),
)
async def stream(
    caller: Watcher,
    shown: Annotated[Screens, Depends(screens)],
    settings: Configuration,
    _: Feeds,
    limit: Annotated[int, Query(ge=1, le=MOST_LIVE)] = 20,
    last_event_id: Known = None,
) -> Response:
    """Push the caller's live feed: first as it is, then whatever becomes of it."""
    _admit(shown, caller.user)
    watch = await shown.open(caller.user, limit)
    try:
        first = await _first(watch)
    except BaseException:
        shown.close(watch)
        raise
    told = events(watch, first, last_event_id, caller.expires_at, settings.policy)
    return Stream(shown, watch, told)


async def _first(watch: Watch) -> LiveFeed | None:
    try:
        async with asyncio.timeout(FIRST_S):
            return await watch.next()
    except TimeoutError as error:
        raise store_away() from error


def _admit(shown: Screens, user: str) -> None:
    if shown.of(user) >= MOST_OF_USER:
        detail = f"{user} has {MOST_OF_USER} streams open here: close one"
        raise too_many(detail, wait_s=KEEP_ALIVE_S)
    if len(shown) >= MOST or shown.stopped:
        headers = {"Retry-After": "1"}
        raise ProblemError(Kind.BUSY, "try again: another server may have room", headers=headers)


async def events(
    watch: Watch, first: LiveFeed | None, known: str | None, until: int, policy: Policy
) -> AsyncIterator[bytes]:
    """Tell a feed, unless its version is `known`, and what becomes of it, `until` (Unix ms)."""
    yield stream_events.RETRY
    feed = first
    if feed is not None and feed.version != known:
        yield stream_events.feed(feed, Present(policy, now_ms()))
    clock = asyncio.get_running_loop().time
    expires = clock() + (until - now_ms()) / 1_000
    quiet = clock() + KEEP_ALIVE_S
    while feed is not None and clock() < expires:
        try:
            async with asyncio.timeout_at(min(quiet, expires)):
                newer = await watch.next()
        except TimeoutError:
            yield stream_events.HERE
            quiet = clock() + KEEP_ALIVE_S
            continue
        if newer is not None and newer.version != feed.version:
            yield stream_events.change(feed, newer, Present(policy, now_ms()))
            quiet = clock() + KEEP_ALIVE_S
        feed = newer
    yield stream_events.end("stopping" if feed is None else "expired")
