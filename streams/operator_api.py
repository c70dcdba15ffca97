"""The door of operators: how the stream does, as `likewave top` shows it."""

from fastapi import APIRouter
from starlette.responses import Response

from streams import answers
from streams.doors import Operator, Outlooking
from streams.outlook import Sight
from streams.problems import Kind, declared

router = APIRouter(prefix="/v1/operator", tags=["operator"])


@router.get(
    "/report",
    response_model=Sight,
    responses=declared(Kind.UNAUTHORIZED, Kind.FORBIDDEN, Kind.INVALID),
)
async def report(operator: Operator, outlook: Outlooking) -> Response:
    """Give the last report of a monitor, or where none runs one made here."""
    del operator
    return answers.secret(await outlook.sight())
