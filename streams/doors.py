"""What an endpoint asks for: who calls, and what it reads from.

    async def feed(reader: Reader, pages: Pages) -> Response: ...

`Reader`, `Writer` and `Watcher` are callers whose token (or ticket) is valid and who do not ask too
often, `Viewer` a reader whose page does not wait for the count, `Operator` one whose token says so.
The store is given once it is known to hold feeds of this policy; until then the answer is 503, as
it is whenever the store is away. All of this is async because FastAPI runs whatever is not in a
thread. What a page needs is asked for in few steps: each costs FastAPI more than what is done in
it.
"""

from typing import Annotated, cast

from fastapi import Depends, Query, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from models.errors import AccessError
from streams import tickets
from streams.access import Access, Caller
from streams.clock import now_ms
from streams.cursors import Seal
from streams.outlook import Outlook
from streams.pager import Pager
from streams.problems import READING, Kind, ProblemError
from streams.publisher import Publisher
from streams.quotas import READS, WRITES, Quotas
from streams.readiness import Readiness
from streams.settings import Settings
from streams.store import Store, check_policy

COOKIE = "likewave"
CHANGING = "X-Likewave"  # a header that a page of another origin cannot send

bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="A token of the caller")
cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The same, of `POST /v1/session`")

Token = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
Session = Annotated[str | None, Depends(cookie)]
Ticket = Annotated[str | None, Query(description="Of `POST /v1/feed/stream/ticket`, used once")]


async def settings(request: Request) -> Settings:
    """Give the settings of the application."""
    return cast("Settings", request.app.state.settings)


def seal(request: Request) -> Seal:
    """Give what seals cursors."""
    return cast("Seal", request.app.state.seal)


async def store(request: Request) -> Store:
    """Give the store, once its feeds are known to be made under the policy of the settings."""
    state = request.app.state
    if not state.is_policy_checked:
        await check_policy(state.store, state.settings)
        state.is_policy_checked = True
    return cast("Store", state.store)


async def readiness(request: Request) -> Readiness:
    """Give what knows whether the feeds have caught up."""
    return cast("Readiness", request.app.state.readiness)


async def outlook(request: Request) -> Outlook:
    """Give what knows how the stream does."""
    return cast("Outlook", request.app.state.outlook)


async def publisher(request: Request) -> Publisher:
    """Give what publishes; Kafka may be away."""
    return cast("Publisher", request.app.state.publisher)


async def quotas(request: Request) -> Quotas:
    """Give what counts how often users ask."""
    return cast("Quotas", request.app.state.quotas)


async def pager(request: Request) -> Pager:
    """Give what makes pages, under the same condition."""
    await store(request)
    return cast("Pager", request.app.state.pager)


async def caller(request: Request, token: Token, session: Session) -> Caller:
    """Say who calls; raise ProblemError where nobody does, or a page of another origin might."""
    access: Access = request.app.state.access
    given = token.credentials if token else session
    if given is None:
        raise unauthorized("send a token: `Authorization: Bearer …`", scheme="Bearer")
    try:
        known = access.caller(given)
    except AccessError as error:
        raise unauthorized(str(error)) from error
    if token is None:
        check_origin(request)
    return known


def check_origin(request: Request) -> None:
    """Raise ProblemError where a request changes something, and might be of another origin."""
    if request.method not in READING and CHANGING not in request.headers:
        raise ProblemError(Kind.FORBIDDEN, f"with a cookie, send the header `{CHANGING}: 1` too")


def unauthorized(detail: str, *, scheme: str = 'Bearer error="invalid_token"') -> ProblemError:
    """Make the problem of a caller who is not known."""
    return ProblemError(Kind.UNAUTHORIZED, detail, headers={"WWW-Authenticate": scheme})


Known = Annotated[Caller, Depends(caller)]


async def reader(request: Request, token: Token, session: Session) -> Caller:
    """Give a caller who reads."""
    return await _counted(request, await caller(request, token, session))


async def viewer(request: Request, token: Token, session: Session) -> Caller:
    """Give a caller who looks at their feed, and is counted meanwhile."""
    known = await caller(request, token, session)
    await (await quotas(request)).look(known.user)
    return known


async def operator(known: Known) -> Caller:
    """Give a caller who operates; nothing is counted, so that it needs no store."""
    if not known.is_operator:
        raise ProblemError(Kind.FORBIDDEN, "use a token with the scope `operator`")
    return known


async def writer(request: Request, known: Known) -> Caller:
    """Give a caller who changes something."""
    await (await quotas(request)).use(WRITES, known.user)
    return known


async def watcher(
    request: Request, token: Token, session: Session, ticket: Ticket = None
) -> Caller:
    """Give a caller who opens a stream, by a ticket or as a reader; both must be of one user."""
    if ticket is None:
        return await _counted(request, await caller(request, token, session))
    try:
        invited = await tickets.redeem(request.app.state.store, ticket, now=now_ms())
    except AccessError as error:
        raise unauthorized(str(error)) from error
    if (token or session) and (await caller(request, token, session)).user != invited.user:
        raise unauthorized("the ticket is another user's: ask for one with this token")
    return await _counted(request, invited)


async def _counted(request: Request, known: Caller) -> Caller:
    await (await quotas(request)).use(READS, known.user)
    return known


Configuration = Annotated[Settings, Depends(settings)]
Feeds = Annotated[Store, Depends(store)]
Progressing = Annotated[Readiness, Depends(readiness)]
Counted = Annotated[Quotas, Depends(quotas)]
Publishing = Annotated[Publisher, Depends(publisher)]
Pages = Annotated[Pager, Depends(pager)]
Reader = Annotated[Caller, Depends(reader)]
Viewer = Annotated[Caller, Depends(viewer)]
Outlooking = Annotated[Outlook, Depends(outlook)]
Operator = Annotated[Caller, Depends(operator)]
Writer = Annotated[Caller, Depends(writer)]
Watcher = Annotated[Caller, Depends(watcher)]
