"""The doors of the feed: pages, the live feed, and why an item is where it is."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from models.events import LONGEST_ID
from models.present import Present, strength
from models.ranking import Ranked
from streams import answers, documents, doors, live_feeds
from streams.clock import now_ms
from streams.cursors import Seal
from streams.doors import Configuration, Feeds, Pages, Reader, Viewer
from streams.live_feeds import LiveFeeds
from streams.pager import Page
from streams.problems import Declared, Kind, declared

ID = rf"^[A-Za-z0-9_-]{{1,{LONGEST_ID}}}$"
MOST_OF_PAGE = 100
MOST_LIVE = 120
REFUSED = declared(Kind.UNAUTHORIZED, Kind.INVALID, Kind.TOO_MANY, Kind.STORE)
UNCHANGED: Declared = {
    304: {"description": "Nothing has changed since the answer of If-None-Match"}
}

Item = Annotated[str, Path(pattern=ID)]

router = APIRouter(prefix="/v1/feed", tags=["feed"])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page of the feed is asked for, by whom, and what seals its cursors."""

    user: str
    seal: Seal
    limit: int | None
    cursor: str | None


async def wanted(
    request: Request,
    viewer: Viewer,
    *,
    limit: Annotated[int | None, Query(ge=1, le=MOST_OF_PAGE)] = None,
    cursor: Annotated[str | None, Query(description="Of the page before")] = None,
) -> Wanted:
    """Read which page is asked for; raise CursorError."""
    seal = doors.seal(request)
    bare = None if cursor is None else seal.opened(cursor, viewer.user)
    return Wanted(viewer.user, seal, limit, bare)


@router.get(
    "",
    response_model=answers.FeedPage,
    responses={**REFUSED, **UNCHANGED, **declared(Kind.BAD_CURSOR)},
)
async def feed(
    request: Request, asked: Annotated[Wanted, Depends(wanted)], pages: Pages
) -> Response:
    """Give a ranked page of the caller's, best first, and why each item is there."""
    user, now = asked.user, now_ms()
    page = await pages.look(user, now=now, cursor=asked.cursor, limit=asked.limit)
    tag = answers.tag_of((user, _told(page)))
    if answers.is_known(request, tag):
        return answers.not_modified(tag)
    if request.method == "GET":  # HEAD shows it to nobody
        pages.expose(user, page)
    return answers.reply(_document(page, asked, pages.present(now)), tag)


def _document(page: Page, asked: Wanted, present: Present) -> dict[str, object]:
    """Write a page down, with a sealed cursor, and with what its items are worth now."""
    written = documents.page(asked.user, page)
    items = cast("list[dict[str, object]]", written["items"])
    worth = [_worth(ranked, present) for ranked in page.items]
    return {
        **written,
        "cursor": page.cursor and asked.seal.seal(page.cursor, asked.user),
        "items": [{**item, **more} for item, more in zip(items, worth, strict=True)],
    }


def _told(page: Page) -> object:
    """Give what a viewer is told, without what moves with the clock."""
    items = [
        (
            *(one.item, one.reasons, one.account, one.reserved, one.candidate.author),
            *(one.candidate.topics, one.candidate.proofs, one.candidate.actors_total),
        )
        for one in page.items
    ]
    return items, page.new_count, page.version, page.experiment, page.variant, page.cursor


def _worth(ranked: Ranked, present: Present) -> dict[str, object]:
    """Say when an item is as fresh as a single like, and what it is worth now, in the circle."""
    social = ranked.candidate.social
    return {
        "effective_time": round(social) if ranked.candidate.proofs else None,
        "strength": strength(social, present.now, present.policy.half_life_ms),
    }


@router.get("/live", response_model=answers.LiveFeed, responses={**REFUSED, **UNCHANGED})
async def live(
    request: Request,
    viewer: Viewer,
    settings: Configuration,
    feeds: Feeds,
    *,
    limit: Annotated[int, Query(ge=1, le=MOST_LIVE)] = 20,
) -> Response:
    """Give the top of the caller's live feed: what the circle acts on, as it is stored."""
    found = (await LiveFeeds(feeds, settings.shards).read({viewer.user: limit}))[viewer.user]
    tag = f'"{found.version}"'
    if answers.is_known(request, tag):
        return answers.not_modified(tag)
    present = Present(settings.policy, now_ms())
    items = [live_feeds.document(entry, present) for entry in found.entries]
    return answers.reply({"version": found.version, "items": items}, tag)


@router.get("/explain/{item}", response_model=answers.ItemExplained, responses=REFUSED)
async def explain(item: Item, reader: Reader, pages: Pages) -> Response:
    """Say why an item is where it is on the caller's pages, or why it is on none."""
    explained = await pages.explain(reader.user, item, now=now_ms())
    return answers.reply(documents.explanation(reader.user, explained))
