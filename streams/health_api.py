"""Whether the API lives, and whether it can do its work."""

from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter
from redis.exceptions import ResponseError

from models.counting import counted
from streams import reader
from streams.doors import Configuration, Feeds, Progressing
from streams.problems import AGAIN_S, Kind, ProblemError, declared, store_away
from streams.store import check_policy, explain

router = APIRouter(tags=["health"])


@dataclass(frozen=True, slots=True)
class Health:
    """All is well."""

    status: Literal["ok"] = "ok"


@router.get("/health")
async def health() -> Health:
    """Tell that this process lives: where it does not answer, start it again."""
    return Health()


@router.get("/ready", responses=declared(Kind.CATCHING_UP))
async def ready(settings: Configuration, feeds: Feeds, readiness: Progressing) -> Health:
    """Tell that feeds can be read, and are not far behind: else send requests elsewhere."""
    await check_policy(feeds, settings)
    try:
        await reader.page(feeds, settings.shards, "ready", limit=1)
    except ResponseError as error:
        raise store_away(explain(error)) from error
    if behind := await readiness.behind():
        headers = {"Retry-After": str(AGAIN_S)}
        still = counted(behind, "event is", "events are")
        detail = f"{still} still to come: `likewave lag` says how fast"
        raise ProblemError(Kind.CATCHING_UP, detail, headers=headers)
    return Health()
