"""The closed loop: people read pages from a real store, and what they do comes back as pages."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from models import events
from models.candidate import Source
from models.diary import Diary
from models.network import make_network
from models.page_policy import PagePolicy
from models.people import Behaviour, People
from models.policy import HOUR
from models.spam import befriended, marketing
from models.traffic import founding
from models.viewers import Viewers
from streams import sandbox, store
from streams.audience import STEP_MS, Showing, live_through, simulate
from streams.settings import resolve
from streams.simulate import SimulateOptions
from tests.command import run
from tests.crew import crew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from models.viewers import Served
    from streams.settings import Settings

NOON = 1_790_000_000_000
USERS = 120
SHOP = "shop"
SOCIAL = frozenset({Source.SOCIAL})
ALONE = replace(PagePolicy(), trending_weight=0, taste_weight=0, exploration=0)


def everybody() -> People:
    """Give the same people, each time."""
    network = make_network(USERS, np.random.default_rng(1))
    return People(network, Behaviour(), np.random.default_rng(2))


async def lived(
    showing: Showing,
    others: Callable[[int, Sequence[events.Event]], Iterable[events.Event]] = lambda *_: (),
) -> list[Served]:
    """Let people live for half a day, where one in three is a friend of the shop."""
    people = everybody()
    viewers = Viewers(people, np.random.default_rng(3))
    async with sandbox.opened(resolve()) as box:
        await box.carry(founding(people.network, NOON))
        await box.carry(befriended(SHOP, map(str, range(0, USERS, 3)), NOON))
        visits = viewers.visits(NOON, NOON + 12 * HOUR)
        return await live_through(box, viewers, visits, showing, others)


def views(diary: list[Served]) -> list[events.View]:
    """Give what was looked at."""
    done = [event for served in diary for event in served.done]
    return [event for event in done if isinstance(event, events.View)]


async def test_the_same_people_live_the_same_life_twice() -> None:
    """A simulation can be repeated to the last look."""
    once, again = [await lived(Showing()) for _ in range(2)]

    assert once == again
    assert len(views(once)) > 1_000


async def test_nobody_is_shown_an_item_twice_or_their_own() -> None:
    """What somebody looked at is gone once the step is over in which they did."""
    diary = await lived(Showing())
    authors = Diary(diary, everybody()).posts
    steps: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for view in views(diary):
        steps[view.user, view.item].add(view.at // STEP_MS)

    assert all(len(some) == 1 for some in steps.values())
    assert all(authors[view.item].user != view.user for view in views(diary))


async def test_pages_of_the_circle_alone_reach_less_far() -> None:
    """With trending, taste and fresh items more posts are seen two hops away and farther."""
    people = everybody()
    whole, circle = [
        Diary(await lived(showing), people).spread()
        for showing in (Showing(), Showing(policy=ALONE, sources=SOCIAL))
    ]

    assert whole.pages == circle.pages
    assert whole.posts == circle.posts
    assert whole.reaching_two > circle.reaching_two
    assert whole.out_of_circle > circle.out_of_circle


async def test_a_shop_that_likes_and_shares_everything_keeps_to_its_part_of_a_page() -> None:
    """Its friends see some of it, and never more on a page than the policy allows one account."""

    def shop(at: int, happened: Sequence[events.Event]) -> Iterable[events.Event]:
        posted = [event.item for event in happened if isinstance(event, events.Post)]
        return marketing(SHOP, posted, at)

    charged = Diary(await lived(Showing(), shop), everybody()).charged(SHOP)

    assert max(charged) == PagePolicy().per_actor


async def test_people_of_a_running_system_see_what_others_did(
    settings: Settings, tmp_path: Path
) -> None:
    """What people post goes through Kafka and a worker, and others look at it and like it."""
    options = SimulateOptions(users=50, rate=200, seconds=4)
    async with store.opened(settings) as feeds:
        await store.prepare(feeds, settings)  # or the first page comes before the worker is up
    async with crew(settings, tmp_path, workers=1) as team:
        done = await simulate(settings, options, lambda _: None, asyncio.Event())
        await team.caught_up()
        await team.assert_equal()

    assert done.counts.published == done.counts.acknowledged
    assert done.counts.published - done.founding > 300


def test_viewers_and_noise_exclude_each_other(tmp_path: Path) -> None:
    """The command says so, and starts nothing."""
    done = run("simulate", "--viewers", "--poison", "0.1", folder=tmp_path)

    assert done.returncode == 2
    assert "--viewers goes without --poison" in done.stderr
