"""The commands that show pages: page, explain, exposures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, TypeAlias

import msgspec
import typer

from streams import clock, display, documents, logs, page_tables, store
from streams import exposures as counts
from streams.known import check_known, check_possible
from streams.page_policies import LivePolicies
from streams.pager import Page, Pager
from streams.settings import Settings, load
from streams.terminal import Json, an_id, write_json, write_table

WATCHED_EVERY_S = 0.5  # so a changed policy file is seen within a second

Check: TypeAlias = Callable[[store.Store, Settings, str], Awaitable[None]]

Watch = Annotated[
    bool, typer.Option("--watch", help="Go on until Ctrl-C, wherever something changes.")
]
User = Annotated[str, typer.Argument(metavar="USER", parser=an_id, help="Whose page.")]

app = typer.Typer()


@app.command(epilog="Example: likewave page ann --watch")
def page(
    user: User,
    *,
    limit: Annotated[
        int | None, typer.Option(min=1, max=100, help="Items of the page; as the policy says.")
    ] = None,
    cursor: Annotated[
        str | None, typer.Option(help="The page that follows, as the one before it names it.")
    ] = None,
    watch: Watch = False,
    json: Json = False,
) -> None:
    """Show a page of a user as a front-end would, best first, and why each item is there.

    It counts as a page where an experiment runs. With --watch a changed
    policy file is seen, too, and it waits for who is unknown so far.
    """
    (logs.configure if watch else logs.mute)()
    asyncio.run(_page(user, limit, cursor, watch=watch, json=json))


async def _page(
    user: str, limit: int | None, cursor: str | None, *, watch: bool, json: bool
) -> None:
    async with _paging(user, check_possible if watch else check_known) as pager:
        seen = Steady(
            lambda: pager.look(user, now=clock.now_ms(), cursor=cursor, limit=limit),
            shown=partial(pager.expose, user),
        )
        document = partial(documents.page, user) if json else None
        await display.show(
            seen.read, page_tables.page, document, watch=watch, every_s=WATCHED_EVERY_S
        )
    if not json and seen.page is not None and seen.page.cursor:
        typer.echo(f"next page: likewave page {user} --cursor {seen.page.cursor}")


@asynccontextmanager
async def _paging(user: str, check: Check) -> AsyncIterator[Pager]:
    """Open a pager for the settings of this process, and check that `user` is one to page for."""
    settings = load()
    policies = LivePolicies(settings)
    async with store.reading(settings) as feeds:
        await check(feeds, settings, user)
        async with Pager(feeds, settings, policies) as pager:
            yield pager


class Steady:
    """Reads pages, and gives the one read before where the new one has only aged.

    Values fall from one millisecond to the next; what a person looks for are items and reasons.
    """

    def __init__(self, read: Callable[[], Awaitable[Page]], shown: Callable[[Page], None]) -> None:
        self._read = read
        self._shown = shown  # told of every new one
        self.page: Page | None = None

    async def read(self) -> Page:
        """Read a page."""
        found = await self._read()
        if self.page is None or _told(found) != _told(self.page):
            self.page = found
            self._shown(found)
        return self.page


def _told(page: Page) -> object:
    items = [(ranked.item, ranked.reasons) for ranked in page.items]
    return items, page.new_count, page.version, page.variant


@app.command(epilog="Example: likewave explain ann song")
def explain(
    user: User,
    item: Annotated[
        str,
        typer.Argument(metavar="ITEM", parser=an_id, help="What to explain, shown or not."),
    ],
    *,
    json: Json = False,
) -> None:
    """Say why an item is where it is on a user's pages, or why it is on none: every number."""
    asyncio.run(_explain(user, item, json=json))


async def _explain(user: str, item: str, *, json: bool) -> None:
    async with _paging(user, check_known) as pager:
        now = clock.now_ms()
        explained = await pager.explain(user, item, now=now)
    if json:
        write_json(documents.explanation(user, explained))
    else:
        write_table(page_tables.explanation(explained, now=now))


@app.command(epilog="Example: likewave exposures --json")
def exposures(*, json: Json = False) -> None:
    """Show how many pages each group of each experiment was shown, under which numbers."""
    counted = asyncio.run(_exposures())
    if json:
        write_json(msgspec.to_builtins(counted))
    else:
        write_table(page_tables.exposures(counted))


async def _exposures() -> list[counts.Exposed]:
    settings = load()
    async with store.reading(settings) as feeds:
        return await counts.totals(feeds, settings.shards)
