"""What went wrong with a request, as a problem document (RFC 9457), the same for every error.

    {"type": "urn:likewave:bad-cursor", "title": "…", "status": 400, "detail": "…", "field": "…"}

What an endpoint declares in the contract and what it answers come from the same table.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec
import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from redis.exceptions import ResponseError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from models.errors import BrokerError, CursorError, EventError
from models.events import AN_ID
from streams.store import has_other_numbers

MEDIA_TYPE = "application/problem+json"
URN = "urn:likewave:"
READING = frozenset({"GET", "HEAD"})
METHODS = ("GET", "HEAD", "POST", "DELETE")
OVERTAKEN = (
    "this process knows them by the numbers of before, and ends: try again, another takes over"
)
NOT_COUNTED = "the store, which counts requests, is away: nothing is published, try again"
AGAIN_S = 1  # after which a server that was away is worth another request

Declared: TypeAlias = dict[int | str, dict[str, Any]]  # answers of an endpoint, as FastAPI has them

log = structlog.get_logger()


class Kind(StrEnum):
    """What can be wrong, as the end of a problem's type."""

    MALFORMED = "malformed"
    BAD_CURSOR = "bad-cursor"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    METHOD = "method-not-allowed"
    TOO_LARGE = "too-large"
    MEDIA = "media-type"
    INVALID = "invalid"
    TOO_MANY = "too-many-requests"
    BUG = "internal"
    BUSY = "busy"
    CATCHING_UP = "catching-up"
    REBUILT = "rebuilt"
    STORE = "store-away"
    BROKER = "broker-away"


TITLES: dict[Kind, tuple[int, str]] = {
    Kind.MALFORMED: (400, "The request cannot be read"),
    Kind.BAD_CURSOR: (400, "The cursor is none of this viewer's"),
    Kind.UNAUTHORIZED: (401, "A valid token is needed"),
    Kind.FORBIDDEN: (403, "The token does not allow this"),
    Kind.NOT_FOUND: (404, "There is nothing here"),
    Kind.METHOD: (405, "This cannot be done here"),
    Kind.TOO_LARGE: (413, "The request is too large"),
    Kind.MEDIA: (415, "The body is of a type that is not read"),
    Kind.INVALID: (422, "A value is not as it must be"),
    Kind.TOO_MANY: (429, "Too many requests"),
    Kind.BUG: (500, "Likewave made a mistake"),
    Kind.BUSY: (503, "This process has all the work it can do"),
    Kind.CATCHING_UP: (503, "The feeds are catching up with the log"),
    Kind.REBUILT: (503, "The feeds were made anew under other numbers"),
    Kind.STORE: (503, "The store of the feeds is away"),
    Kind.BROKER: (503, "Kafka is away"),
}
BY_STATUS = {status: kind for kind, (status, _) in reversed(TITLES.items())}


# What pydantic complains of, by its name for it, in words as elsewhere.
INVALID = {
    "int_parsing": "give a whole number",
    "greater_than_equal": "give {ge} or more",
    "less_than_equal": "give {le} or less",
    "string_pattern_mismatch": AN_ID,
    "string_type": AN_ID,
    "missing": "it is missing",
    "literal_error": "give {expected}",
    "json_invalid": "the body is no JSON",
    "model_attributes_type": "give a JSON object",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem document; `field` is the path of a value that is not as it must be."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


class ProblemError(HTTPException):
    """Raised where a request cannot be done; `detail` says what is wrong and what to do."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        status, title = TITLES[kind]
        super().__init__(status, detail, dict(headers or {}))
        self.document = Problem(
            type=URN + kind, title=title, status=status, detail=detail, field=field
        )


def store_away(detail: str = "the feeds cannot be read at the moment: try again") -> ProblemError:
    """Make the problem of a store that does not answer."""
    return ProblemError(Kind.STORE, detail, headers={"Retry-After": str(AGAIN_S)})


def too_many(detail: str, *, wait_s: float) -> ProblemError:
    """Make the problem of somebody who asks too often; they may again in `wait_s`."""
    headers = {"Retry-After": str(max(1, math.ceil(wait_s)))}
    return ProblemError(Kind.TOO_MANY, detail, headers=headers)


def declared(*kinds: Kind) -> Declared:
    """Declare in the contract that an endpoint may answer with problems of `kinds`."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": title, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, title in (TITLES[kind] for kind in kinds)
    }


def schema() -> dict[str, Any]:
    """Describe a problem document, for the contract."""
    return TypeAdapter(Problem).json_schema()


def response(problem: ProblemError) -> Response:
    """Answer with a problem."""
    document = msgspec.to_builtins(problem.document)
    present = {name: value for name, value in document.items() if value is not None}
    return Response(
        msgspec.json.encode(present),
        status_code=problem.status_code,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )


def of(error: Exception, request: Request) -> ProblemError:
    """Find the problem that `error` is to whoever sent `request`."""
    match error:
        case ProblemError():
            return error
        case HTTPException():
            return _unrouted(error, request)
        case RequestValidationError():
            return _invalid(error)
        case CursorError():
            return ProblemError(Kind.BAD_CURSOR, str(error), field="query.cursor")
        case EventError():
            return ProblemError(Kind.INVALID, str(error), field=error.path)
        case _:
            return _away(error, request)


def _unrouted(error: HTTPException, request: Request) -> ProblemError:
    """Say what the router says: that there is nothing at an address, or not for this method."""
    kind = BY_STATUS.get(error.status_code, Kind.MALFORMED)
    path = request.url.path
    if kind == Kind.NOT_FOUND:
        return ProblemError(kind, f"there is no {path:.80}: /docs lists what there is")
    if kind == Kind.METHOD:
        allowed = ", ".join(_methods(request))
        detail = f"{path:.80} has no {request.method:.80}: it has {allowed}"
        return ProblemError(kind, detail, headers={"Allow": allowed})
    return ProblemError(kind, error.detail, headers=error.headers)


def _methods(request: Request) -> list[str]:
    """List the methods of an address, over all routes: the router knows those of one."""
    routes = request.app.router.routes
    return [
        method
        for method in METHODS
        if any(one.matches({**request.scope, "method": method})[0] is Match.FULL for one in routes)
    ]


def _away(error: Exception, request: Request) -> ProblemError:
    """Say which server is away; what it said is for the log alone."""
    if isinstance(error, ResponseError) and has_other_numbers(error):
        return ProblemError(Kind.REBUILT, OVERTAKEN, headers={"Retry-After": str(AGAIN_S)})
    log.warning("server away", error=str(error))
    if isinstance(error, BrokerError):
        detail = "Kafka does not acknowledge: try again (a repeated event does no harm)"
        return ProblemError(Kind.BROKER, detail, headers={"Retry-After": str(AGAIN_S)})
    return store_away() if request.method in READING else store_away(NOT_COUNTED)


def _invalid(error: RequestValidationError) -> ProblemError:
    first = error.errors()[0]
    ours = INVALID.get(first["type"])
    detail = ours.format(**first.get("ctx", {})) if ours else str(first["msg"])
    if first["type"] == "json_invalid":
        return ProblemError(Kind.MALFORMED, detail, field="body")
    return ProblemError(Kind.INVALID, detail, field=".".join(map(str, first["loc"])))


async def answer(request: Request, error: Exception) -> Response:
    """Answer a request with the problem that `error` is."""
    return response(of(error, request))
