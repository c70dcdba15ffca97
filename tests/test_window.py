"""What a page does not look at changes nothing on it, and is on a later one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from models.events import Post
from models.page_policy import PagePolicy
from models.paging import recalled, turn
from models.present import Present
from models.ranking import pages, tabulated
from streams.pages import draw
from tests.cases import accounts
from tests.feeder import feeding
from tests.hostile import NOON, history
from tests.test_laws import world_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from models.cursor import Cursor
    from models.paging import Turned
    from models.ranking import Ranked
    from streams.settings import Settings
    from tests.feeder import Feeder


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow(PagePolicy):
    """A page policy under which few of a feed are looked at, and most is in the feed alone."""

    @property
    def window(self) -> int:
        """Look at as many as are shown, and one more."""
        return self.page_size + 1

    @property
    def reach(self) -> dict[str, int]:
        """Look at few of what is on other lists."""
        return {"trending": 2, "topics": 1, "per_topic": 1, "fresh": 1}


def told(page: list[Ranked]) -> list[tuple[object, ...]]:
    """Give what a viewer may be told of a page, without rounding errors of sums."""
    return [(one.item, round(one.value, 9), one.reasons, one.places, one.account) for one in page]


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("number", range(12))
async def test_a_page_is_as_if_everything_had_been_looked_at(
    settings: Settings, seed: int, number: int
) -> None:
    """Whoever looks, whatever happened: first pages are equal, and all pages show all there is."""
    world, settings, chance = world_of(settings, 5_000 * seed + number)
    policy = Narrow(page_size=chance.choice([1, 2, 4]), friends_threshold=chance.choice([1, 2]))
    world = replace(world, users=12, items=200, length=400, whole=number % 4 == 0)
    posted = [
        Post(user=f"u{k % 12}", item=f"i{k}", at=NOON + k, topics=["t0"]) for k in range(0, 200, 3)
    ]
    async with feeding(settings, step=world.step) as feeder:
        await feeder.feed([*history(world, chance), *posted], chance)
        now = max(event.at for event in feeder.history)
        present = Present(settings.policy, now)
        for user in sorted(accounts(feeder.history)):
            whole = await draw(feeder.store, settings, user, page=policy, whole=True)
            table = tabulated(whole.candidates, whole.viewer, policy, present)
            everything = list(pages(table))
            turned = [one async for one in leafed(feeder, settings, user, policy, present)]

            assert told(turned[0].page) == told(everything[0] if everything else [])
            shown = [one.item for step in turned for one in step.page]
            assert sorted(shown) == sorted(one.item for page in everything for one in page)


async def leafed(
    feeder: Feeder, settings: Settings, user: str, policy: PagePolicy, present: Present
) -> AsyncIterator[Turned]:
    """Turn page after page of the live store, each from a narrow draw."""
    cursor: Cursor | None = None
    while True:
        also = list(cursor.waiting) if cursor else []
        drawn = await draw(feeder.store, settings, user, page=policy, also=also)
        found = [recalled(one, cursor) for one in drawn.candidates] if cursor else drawn.candidates
        step: Turned = turn(tabulated(found, drawn.viewer, policy, present), cursor, drawn.behind)
        yield step
        if (cursor := step.cursor) is None:
            return
