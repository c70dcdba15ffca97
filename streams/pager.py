"""Pages for users: the draw of a moment, ranked under the policy of the user's group, and turned.

draw (one call of the store) ──> ranking ──> page, cursor, "n new"
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self

import structlog
from msgspec import structs
from redis.exceptions import ResponseError

from models import cursor as cursors
from models.explanation import explain
from models.paging import recalled, turn
from models.policy import HOUR
from models.present import Present
from models.ranking import tabulated
from streams import reader
from streams.exposures import Exposures
from streams.pages import PROOFS, draw

if TYPE_CHECKING:
    from models.cursor import Cursor
    from models.experiment import Variant
    from models.explanation import Explanation
    from models.page_policy import PagePolicy
    from models.ranking import Ranked
    from streams.page_policies import LivePolicies
    from streams.pages import Draw
    from streams.settings import Settings
    from streams.store import Store

AWAKE_MS = HOUR  # for which nobody need be woken again
MOST_READERS = 100_000  # remembered: some 10 MB
ALL_PROOFS = 100_000  # more than a circle of 5,000 can have on one item


log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Page:
    """What one user is shown, and under which numbers."""

    items: list[Ranked]
    cursor: str | None  # of the next page; None at the end
    new_count: int  # items that came since the first page, and will be on a new first one
    version: str  # of the page policy
    experiment: str | None  # the one that runs
    variant: Variant | None  # the user's group in it


class Pager:
    """A context that makes pages from `store`, and counts those shown in an experiment."""

    def __init__(self, store: Store, settings: Settings, policies: LivePolicies) -> None:
        self._store = store
        self._settings = settings
        self._policies = policies
        self._woken: dict[str, int] = {}  # user -> moment, Unix ms
        self._exposures = Exposures(store, settings.shards)

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write the counts that are left."""
        await self._exposures.close()

    def present(self, now: int) -> Present:
        """Give the moment at which a page is made at `now` (Unix ms)."""
        return Present(self._settings.policy, now)

    async def page(
        self, user: str, *, now: int, cursor: str | None = None, limit: int | None = None
    ) -> Page:
        """Make a page as `look` does, and count it as one that was shown."""
        page = await self.look(user, now=now, cursor=cursor, limit=limit)
        self.expose(user, page)
        return page

    def expose(self, user: str, page: Page) -> None:
        """Count a page that `user` was shown, where it was made in an experiment."""
        if page.experiment is not None and page.variant is not None:
            self._exposures.count(user, page.experiment, page.variant, page.version)

    async def look(
        self, user: str, *, now: int, cursor: str | None = None, limit: int | None = None
    ) -> Page:
        """Make the first page of `user` at `now` (Unix ms), or the one that `cursor` names.

        It has at most `limit` items, or as many as the policy says. It is empty only where nothing
        may be shown, or nothing is left of what was there at the first page. Raises CursorError.
        """
        begun = None if cursor is None else cursors.decode(cursor, user)
        policies = self._policies.current()
        policy = policies.policy_for(user)
        sized = policy if limit is None else replace(policy, page_size=limit)
        await self._wake(user, now)
        drawn = await self._draw(user, sized, begun)
        table = tabulated(drawn.candidates, drawn.viewer, sized, self.present(now))
        turned = turn(table, begun, drawn.behind)
        return Page(
            items=turned.page,
            cursor=None if turned.cursor is None else cursors.encode(turned.cursor, user),
            new_count=turned.new_count,
            version=policy.version,
            experiment=None if policies.experiment is None else policies.experiment.name,
            variant=policies.variant(user),
        )

    async def _wake(self, user: str, now: int) -> None:
        """Have the feed of whoever reads kept up to date: their pages are read faster then."""
        if now - self._woken.get(user, -AWAKE_MS) < AWAKE_MS:
            return
        if len(self._woken) >= MOST_READERS:
            self._woken.clear()
        self._woken[user] = now
        try:
            await reader.wake(self._store, self._settings.shards, user)
        except ResponseError as error:
            log.warning("reader not woken", error=str(error))

    async def _draw(self, user: str, page: PagePolicy, begun: Cursor | None) -> Draw:
        """Draw, with what waits since the first page even where nothing brings it any more."""
        also = [] if begun is None else list(begun.waiting)
        drawn = await draw(self._store, self._settings, user, page=page, also=also)
        if begun is None:
            return drawn
        return replace(drawn, candidates=[recalled(one, begun) for one in drawn.candidates])

    async def explain(self, user: str, item: str, *, now: int) -> Explanation:
        """Say why `item` is where it is on the pages of `user` at `now` (Unix ms), or on none."""
        policy = self._policies.current().policy_for(user)
        drawn = await self._draw_all(user, policy, item)
        present = self.present(now)
        return explain(item, drawn.candidates, drawn.viewer, policy, present, listed=PROOFS)

    async def _draw_all(self, user: str, page: PagePolicy, item: str) -> Draw:
        """Draw with all proofs, and with `item`: without sources, where nothing brings it."""
        all_of = partial(
            draw, self._store, self._settings, user, page=page, whole=True, proofs=ALL_PROOFS
        )
        drawn = await all_of()
        if any(one.item == item for one in drawn.candidates):
            return drawn
        wider = await all_of(also=[item])
        found = [
            structs.replace(one, sources=frozenset()) if one.item == item else one
            for one in wider.candidates
        ]
        return replace(wider, candidates=found)
