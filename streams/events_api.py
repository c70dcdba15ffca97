"""The door of events: one or a list, answered once Kafka has acknowledged them.

All of a list are checked before the first is sent, and where one breaks the contract none is. So an
answer is 200 where all are published, 422 where none is, and 503 where Kafka did not acknowledge:
then some may be published, and to send all of them again does no harm.
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from models import cloudevents
from models.errors import EventError
from models.events import Event
from models.submission import Submitter, elements, is_list, submitted
from streams import answers, api_metrics, submissions
from streams.clock import now_ms
from streams.doors import Counted, Publishing, Writer
from streams.feed_api import REFUSED
from streams.problems import MEDIA_TYPE, Kind, ProblemError, declared
from streams.producer import Record
from streams.quotas import EVENTS

router = APIRouter(prefix="/v1", tags=["events"])


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An event that is published."""

    status: Literal["acknowledged"] = "acknowledged"


@dataclass(frozen=True, slots=True)
class Published:
    """What became of each event, in their order."""

    results: list[Acknowledged]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that breaks the contract: which field, and why."""

    field: str
    reason: str
    status: Literal["rejected"] = "rejected"


@dataclass(frozen=True, slots=True)
class Valid:
    """An event that breaks nothing, and is not published because another of the list does."""

    status: Literal["valid"] = "valid"


@dataclass(frozen=True, slots=True)
class Handed:
    """A body, who sent it, and what its headers say of the event in it."""

    body: bytes
    who: Submitter
    said: dict[str, object]

    def elements(self) -> list[bytes | msgspec.Raw]:
        """Take a list apart; raise EventError where there cannot be one."""
        if not is_list(self.body):
            return [self.body]
        if self.said:
            raise EventError("a CloudEvent is one event: send others apart")
        return [*elements(self.body)]

    def event(self, element: bytes | msgspec.Raw) -> Event | EventError:
        """Read one event, or say what is wrong with it."""
        try:
            return submitted(element, self.who, self.said)
        except EventError as error:
            return error


async def handed(request: Request, writer: Writer) -> Handed:
    """Receive what is handed in; raise ProblemError or EventError where it cannot be read."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != submissions.JSON:
        raise ProblemError(Kind.MEDIA, f"send JSON, under `Content-Type: {submissions.JSON}`")
    said = cloudevents.said(request.headers)
    body = await request.body()
    who = Submitter(writer.user, writer.is_operator, now_ms(), writer.since)
    return Handed(body, who, said)


def _refused(found: list[Event | EventError], *, listed: bool) -> Response:
    """Answer with the problem of the first event that is wrong, and what is wrong with each."""
    results = [
        Rejected(_path(one, place if listed else None), str(one))
        if isinstance(one, EventError)
        else Valid()
        for place, one in enumerate(found)
    ]
    first = next(one for one in results if isinstance(one, Rejected))
    detail = f"{first.reason}; nothing is published"
    problem = ProblemError(Kind.INVALID, detail, field=first.field)
    return Response(
        msgspec.json.encode({**asdict(problem.document), "results": results}),
        status_code=problem.status_code,
        media_type=MEDIA_TYPE,
    )


def _path(error: EventError, place: int | None) -> str:
    """Name the field in the whole body, where the event may have a place in a list."""
    return error.path if place is None else error.path.replace("$", f"$[{place}]", 1)


@router.post(
    "/events",
    response_model=Published,
    responses={
        **REFUSED,
        **declared(Kind.FORBIDDEN, Kind.MEDIA, Kind.TOO_LARGE, Kind.BROKER),
        **submissions.REJECTED,
    },
    openapi_extra={"requestBody": submissions.BODY},
)
async def publish(
    given: Annotated[Handed, Depends(handed)], quotas: Counted, publisher: Publishing
) -> Response:
    """Publish an event, or a list of them; answer once Kafka has acknowledged all.

    Who acts is the caller, and may be left out; so may `at`, for now. `befriend` and `takedown`
    need the operator scope, and so does a `post` of the past; with it any user may be named. How
    old an account is (`since`) its token says. CloudEvents are read in binary
    mode: `ce-type` is `likewave.` and the kind, `ce-time` may be the moment.
    """
    parts = given.elements()
    if not given.who.is_operator:
        await quotas.use(EVENTS, given.who.user, count=len(parts))
    found = [given.event(part) for part in parts]
    events = [one for one in found if not isinstance(one, EventError)]
    if len(events) < len(found):
        return _refused(found, listed=is_list(given.body))
    await publisher.carry([Record.of(event) for event in events])
    api_metrics.published_events.inc(len(events))
    return answers.reply(Published([Acknowledged()] * len(events)))
