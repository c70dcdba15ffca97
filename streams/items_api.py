"""The doors of items: what trends, and what counts for one."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from streams import answers, items
from streams.clock import now_ms
from streams.doors import Configuration, Feeds, Reader
from streams.feed_api import ID, MOST_OF_PAGE, REFUSED, Item
from streams.problems import Kind, ProblemError, declared

router = APIRouter(prefix="/v1", tags=["items"])


@dataclass(frozen=True, slots=True)
class Trending:
    """What trends, the strongest first."""

    items: list[items.Trend]


@router.get("/trending", response_model=Trending, responses=REFUSED)
async def trending(
    reader: Reader,
    settings: Configuration,
    feeds: Feeds,
    *,
    topic: Annotated[str | None, Query(pattern=ID)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_OF_PAGE)] = 20,
) -> Response:
    """Give what everybody likes and shares at the moment, of all topics or of one."""
    seen = items.Items(feeds, settings, reader.user, now_ms())
    return answers.reply(Trending(await seen.trending(topic, limit)))


@router.get(
    "/items/{item}", response_model=items.Item, responses={**REFUSED, **declared(Kind.NOT_FOUND)}
)
async def known(item: Item, reader: Reader, settings: Configuration, feeds: Feeds) -> Response:
    """Give what is known of an item: whose it is, and what counts for it."""
    found = await items.Items(feeds, settings, reader.user, now_ms()).known(item)
    if found is None:
        raise ProblemError(Kind.NOT_FOUND, f"nothing is known of an item {item}")
    return answers.reply(found)
