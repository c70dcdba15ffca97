"""Pages of a live store: nothing twice, nothing skipped, never empty without need, and counted."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from models.errors import CursorError
from models.events import Befriend, Block, Hide, Like, Post, Takedown, Unlike, View
from models.experiment import Variant
from models.policy import Policy
from streams import exposures
from streams.exposures import Exposed
from streams.page_policies import LivePolicies
from streams.pager import Page, Pager
from tests.feeder import feeding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.settings import Settings
    from tests.feeder import Feeder

NOON = 1_790_000_000_000
FRIENDS = [f"friend{k}" for k in range(8)]
CHANCE = random.Random(1)


@pytest.fixture
async def feeder(settings: Settings) -> AsyncIterator[Feeder]:
    """Give a store in which ann has eight friends."""
    async with feeding(settings) as feeds:
        await feeds.feed([Befriend(user="ann", friend=one, at=NOON) for one in FRIENDS], CHANCE)
        yield feeds


def pager_of(feeder: Feeder, settings: Settings | None = None) -> Pager:
    """Make pages from what was fed."""
    mine = settings or feeder.settings
    return Pager(feeder.store, mine, LivePolicies(mine))


def likes(items: range, at: int) -> list[Like]:
    """Let friends of ann like items, each friend the eighth part of them, one a millisecond."""
    return [Like(user=FRIENDS[k % 8], item=f"song{k}", at=at + k) for k in items]


def items(page: Page) -> list[str]:
    """Name the items of a page."""
    return [ranked.item for ranked in page.items]


@pytest.mark.parametrize("shards", [1, 3])
async def test_a_live_feed_is_paged_to_its_end_without_repeats_or_gaps(feeder: Feeder) -> None:
    """Friends go on acting between the pages, on old items and on new ones, which are counted."""
    await feeder.feed(likes(range(60), NOON), CHANCE)
    async with pager_of(feeder) as pager:
        shown = [await pager.page("ann", now=NOON + 100)]
        while shown[-1].cursor is not None:
            turn = len(shown)
            fresh = [Like(user=FRIENDS[0], item=f"new{turn}", at=NOON + 1_000 * turn)]
            again = likes(range(turn, 60, 7), NOON + 2_000 * turn)
            await feeder.feed([*fresh, *again], CHANCE)
            now = NOON + 10_000 * turn
            shown.append(await pager.page("ann", now=now, cursor=shown[-1].cursor, limit=9))

    paged = [item for page in shown for item in items(page)]
    assert sorted(paged) == sorted(f"song{k}" for k in range(60))
    assert [page.new_count for page in shown] == list(range(len(shown)))
    assert len(shown) > 4


async def test_whoever_has_seen_what_trends_is_shown_what_trends_next(feeder: Feeder) -> None:
    """However many of the best were seen, acted on or hidden."""
    hits = [f"hit{k:03}" for k in range(150)]
    crowd = [Like(user="eve", item=item, at=NOON + k) for k, item in enumerate(reversed(hits))]
    done = [View, Like, Hide]
    past = [done[k % 3](user="ann", item=item, at=NOON + 200) for k, item in enumerate(hits[:140])]
    await feeder.feed([*crowd, *past], CHANCE)
    async with pager_of(feeder) as pager:
        page = await pager.page("ann", now=NOON + 300)

    assert sorted(items(page)) == hits[140:]


@pytest.mark.parametrize("policy", [Policy(feed_size=10)])
async def test_nothing_waits_in_vain_where_a_full_feed_is_overrun(feeder: Feeder) -> None:
    """After the first page enough newer items come in to push all others out of every list."""
    await feeder.feed(likes(range(10), NOON), CHANCE)
    posts = [Post(user="eve", item=f"post{k:02}", topics=["art"], at=NOON) for k in range(20)]
    await feeder.feed(posts, CHANCE)
    async with pager_of(feeder) as pager:
        shown = [await pager.page("ann", now=NOON + 100, limit=4)]
        later = NOON + feeder.settings.policy.trending_half_life_ms
        flood = [Like(user=one, item=f"new{k}", at=later) for one in FRIENDS for k in range(60)]
        news = [Post(user="eve", item=f"news{k}", topics=["art"], at=later) for k in range(20)]
        await feeder.feed([*flood, *news], CHANCE)
        while shown[-1].cursor is not None:
            shown.append(await pager.page("ann", now=later, cursor=shown[-1].cursor))

    was_there = [f"song{k}" for k in range(10)] + [post.item for post in posts]
    assert sorted(item for page in shown for item in items(page)) == sorted(was_there)
    assert shown[-1].new_count == 50  # 30 trend, the ten of the feed among them, and 20 are fresh


async def test_what_is_taken_down_between_two_pages_is_on_neither(feeder: Feeder) -> None:
    """Nor is what was hidden since, or is by somebody who was blocked."""
    posts = [Post(user=one, item=f"by-{one}", at=NOON) for one in FRIENDS]
    await feeder.feed(posts, CHANCE)
    async with pager_of(feeder) as pager:
        first = await pager.page("ann", now=NOON + 100, limit=1)
        gone = [post.item for post in posts if post.item not in items(first)][:3]
        undone = [
            Takedown(item=gone[0], at=NOON + 200),
            Hide(user="ann", item=gone[1], at=NOON + 200),
            Block(user="ann", other=gone[2].removeprefix("by-"), at=NOON + 200),
        ]
        await feeder.feed(undone, CHANCE)
        second = await pager.page("ann", now=NOON + 300, cursor=first.cursor)

    assert len(items(second)) == 4
    assert not set(items(second)) & {*gone, *items(first)}
    assert second.cursor is None


async def test_what_was_taken_back_between_two_pages_is_on_neither(feeder: Feeder) -> None:
    """An item that two likes had made trend is on no list after both are taken back."""
    hit = [Like(user=one, item="hit", at=NOON) for one in FRIENDS]
    acts = [Like(user=one, item="song", at=NOON + k) for k, one in enumerate(FRIENDS[:2])]
    await feeder.feed([*hit, *acts], CHANCE)
    async with pager_of(feeder) as pager:
        first = await pager.page("eve", now=NOON + 100, limit=1)
        undone = [Unlike(user=act.user, item=act.item, at=NOON + 200) for act in acts]
        await feeder.feed(undone, CHANCE)
        second = await pager.page("eve", now=NOON + 300, cursor=first.cursor)

    assert (items(first), first.cursor is None) == (["hit"], False)
    assert (items(second), second.cursor) == ([], None)


async def test_an_item_that_was_seen_is_not_on_the_next_first_page(feeder: Feeder) -> None:
    """A view ends an item's time on first pages."""
    await feeder.feed(likes(range(3), NOON), CHANCE)
    await feeder.feed([View(user="ann", item="song1", at=NOON + 10)], CHANCE)
    async with pager_of(feeder) as pager:
        assert sorted(items(await pager.page("ann", now=NOON + 100))) == ["song0", "song2"]


async def test_somebody_without_friends_has_a_page(feeder: Feeder) -> None:
    """Of what trends and of what was just posted; the pages after it end, and are not empty."""
    posted = [Post(user="eve", item=f"post{k}", topics=["art"], at=NOON + k) for k in range(5)]
    await feeder.feed([*likes(range(5), NOON), *posted], CHANCE)
    async with pager_of(feeder) as pager:
        shown = [await pager.page("nobody", now=NOON + 100, limit=3)]
        while shown[-1].cursor is not None:
            shown.append(
                await pager.page("nobody", now=NOON + 100, cursor=shown[-1].cursor, limit=3)
            )

    found = sorted(item for page in shown for item in items(page))
    assert found == sorted([f"post{k}" for k in range(5)] + [f"song{k}" for k in range(5)])
    assert all(page.items for page in shown)


async def test_whoever_reads_has_a_feed_that_is_kept(feeder: Feeder) -> None:
    """A page makes the feed of somebody who was away, and the stream keeps it from then on."""
    feed = "feed:{0}:ann"
    await feeder.store.delete(feed, "warm:{0}", "awake:{0}")
    await feeder.feed(likes(range(3), NOON), CHANCE)
    assert not await feeder.store.exists(feed)
    async with pager_of(feeder) as pager:
        page = await pager.page("ann", now=NOON + 100)
        await feeder.feed(likes(range(3, 5), NOON), CHANCE)

    assert sorted(items(page)) == ["song0", "song1", "song2"]
    assert await feeder.store.zcard(feed) == 5


async def test_an_empty_store_has_an_empty_page(feeder: Feeder) -> None:
    """Where there is nothing, there is one page, and none after it."""
    async with pager_of(feeder) as pager:
        page = await pager.page("ann", now=NOON)

    assert (page.items, page.cursor, page.new_count) == ([], None, 0)


async def test_the_program_of_the_docs_shows_everything(feeder: Feeder) -> None:
    """Run as it stands, it gives page after page."""
    text = (Path(__file__).parents[1] / "docs" / "pages.md").read_text()
    (program,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    await feeder.feed(likes(range(30), NOON), CHANCE)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102  our own page
    shown = [page async for page in names["everything"](feeder.settings, "ann")]

    assert sorted(item for page in shown for item in items(page)) == sorted(
        f"song{k}" for k in range(30)
    )


async def test_what_is_no_cursor_is_refused(feeder: Feeder) -> None:
    """Before anything is read."""
    async with pager_of(feeder) as pager:
        with pytest.raises(CursorError, match="start at the first page"):
            await pager.page("ann", now=NOON, cursor="AQAA")


class TestExperiment:
    """Two page policies side by side."""

    TRIED = '[experiment]\nname = "few"\nshare = 0.5\n[experiment.page]\npage_size = 2\n'

    @pytest.fixture
    def tried(self, feeder: Feeder, tmp_path: Path) -> Settings:
        """Give settings under which half of the users have pages of two."""
        file = tmp_path / "policy.toml"
        file.write_text(self.TRIED)
        return feeder.settings.model_copy(update={"policy_file": file})

    @pytest.mark.parametrize("shards", [1, 3])
    async def test_each_group_has_its_pages_and_they_are_counted(
        self, feeder: Feeder, tried: Settings
    ) -> None:
        """The group of a user is the same every time; the counts of all shards add up."""
        await feeder.feed(likes(range(48), NOON), CHANCE)
        users = [f"user{k}" for k in range(20)]
        shown = {}
        for _ in range(2):  # two processes, one after the other
            async with pager_of(feeder, tried) as pager:
                for user in users:
                    page = await pager.page(user, now=NOON + 100)
                    assert shown.setdefault(user, page.variant) == page.variant
                    assert (len(page.items) == 2) == (page.variant is Variant.TREATMENT)

        policies = LivePolicies(tried).current()
        treated = sum(group is Variant.TREATMENT for group in shown.values())
        assert policies.experiment is not None
        assert 0 < treated < 20
        assert await exposures.totals(feeder.store, feeder.settings.shards) == [
            Exposed("few", "control", policies.control.version, 2 * (20 - treated)),
            Exposed("few", "treatment", policies.experiment.treatment.version, 2 * treated),
        ]

    async def test_without_an_experiment_nothing_is_counted(self, feeder: Feeder) -> None:
        """A page is a page, of no group."""
        async with pager_of(feeder) as pager:
            page = await pager.page("ann", now=NOON)

        assert (page.experiment, page.variant) == (None, None)
        assert await exposures.totals(feeder.store, 1) == []

    async def test_counts_are_written_while_pages_are_made(
        self, feeder: Feeder, tried: Settings
    ) -> None:
        """Every second or so, not only at the end."""
        async with pager_of(feeder, tried) as pager:
            await pager.page("ann", now=NOON)
            while not (counted := await exposures.totals(feeder.store, 1)):
                await asyncio.sleep(0.05)

        assert [one.pages for one in counted] == [1]

    async def test_a_store_that_takes_no_writes_still_has_pages(
        self, feeder: Feeder, tried: Settings
    ) -> None:
        """What cannot be counted is told, and keeps nobody from a page."""
        await feeder.feed(likes(range(1), NOON), CHANCE)
        await feeder.store.config_set("min-replicas-to-write", 1)
        with capture_logs() as said:
            async with pager_of(feeder, tried) as pager:
                assert items(await pager.page("ann", now=NOON + 9)) == ["song0"]

        assert [one["event"] for one in said] == ["reader not woken", "exposures lost"]
