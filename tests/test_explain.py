"""What is said of an item agrees with the page, and says nothing that a viewer may not know."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from models.events import (
    Befriend,
    Block,
    Favor,
    Hide,
    Like,
    Mute,
    Post,
    Share,
    Takedown,
    View,
)
from models.policy import Policy
from streams.page_policies import LivePolicies
from streams.pager import Pager
from tests.command import complaint, run, start
from tests.feeder import feeding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from models.events import Event
    from models.explanation import Explanation
    from streams.settings import Settings
    from tests.feeder import Feeder

NOON = 1_790_000_000_000
NOW = NOON + 60_000
CHANCE = random.Random(1)
FRIENDS = [f"friend{k}" for k in range(6)]
TOPICS = ["art", "cats", "war"]


def history() -> list[Event]:
    """Let friends and strangers post and act, and ann look, like and hide, always the same."""
    chance = random.Random(7)
    people = [*FRIENDS, *(f"stranger{k}" for k in range(6))]
    items = [f"item{k:02}" for k in range(40)]
    return [
        *(Befriend(user="ann", friend=one, at=NOON) for one in FRIENDS),
        Favor(user="ann", other=FRIENDS[0], at=NOON),
        *(
            Post(user=chance.choice(people), item=item, topics=[chance.choice(TOPICS)], at=NOON + k)
            for k, item in enumerate(items)
        ),
        *(
            chance.choice([Like, Share])(
                user=chance.choice(people), item=chance.choice(items), at=NOON + 100 + k
            )
            for k in range(200)
        ),
        Like(user="ann", item=items[3], at=NOON + 500),
        Hide(user="ann", item=items[4], at=NOON + 500),
        View(user="ann", item=items[5], at=NOON + 500),
        Post(user="ann", item="mine", at=NOON + 500),
    ]


@pytest.fixture
async def feeder(settings: Settings) -> AsyncIterator[Feeder]:
    """Give a store with that history."""
    async with feeding(settings) as feeds:
        await feeds.feed(history(), CHANCE)
        yield feeds


def pager_of(feeder: Feeder) -> Pager:
    """Make pages from what was fed."""
    return Pager(feeder.store, feeder.settings, LivePolicies(feeder.settings))


async def explained(feeder: Feeder, item: str, user: str = "ann") -> Explanation:
    """Ask why."""
    async with pager_of(feeder) as pager:
        return await pager.explain(user, item, now=NOW)


@pytest.mark.parametrize("shards", [1, 3])
async def test_every_item_of_a_page_is_explained_as_it_stands_there(feeder: Feeder) -> None:
    """Place, value, parts, places after every step and version are those of the page."""
    async with pager_of(feeder) as pager:
        page = await pager.page("ann", now=NOW)
        found = [await pager.explain("ann", one.item, now=NOW) for one in page.items]

    assert len(found) > 10
    for one, ranked in zip(found, page.items, strict=True):
        assert (one.page, one.value, one.parts) == (1, ranked.value, ranked.parts)
        assert (one.places, one.version) == (ranked.places, page.version)
        why = ", ".join(ranked.reasons)
        assert one.verdict == f"page 1, place {ranked.places['page']}: {why}"


async def test_what_the_acts_of_friends_are_worth_adds_up(feeder: Feeder) -> None:
    """All of them are named, a favoured friend's at twice the weight; nothing is left over."""
    at = NOON + 1_000
    acts = [Like(user=one, item="song", at=at) for one in FRIENDS]
    await feeder.feed([*acts, Share(user=FRIENDS[1], item="song", at=at)], CHANCE)
    evidence = (await explained(feeder, "song")).evidence

    assert evidence is not None
    weights = {(one.who, one.what): one.weight for one in evidence.contributions}
    assert weights == {
        **{(one, "like"): 1.0 for one in FRIENDS},
        (FRIENDS[0], "like"): 2.0,
        (FRIENDS[1], "share"): 2.0,
    }
    worth = 2 ** ((at - NOW) / feeder.settings.policy.half_life_ms)
    assert sum(one.strength for one in evidence.contributions) == pytest.approx(9 * worth, rel=1e-4)


@pytest.mark.parametrize(
    ("item", "verdict"),
    [
        ("item03", "not shown: ann liked or shared it already"),
        ("item04", "not shown: ann hid it"),
        ("item05", "not shown: ann saw it already"),
        ("mine", "not shown: ann made it"),
        ("nothing", "not shown: nothing brings it to ann"),
    ],
)
async def test_what_is_not_shown_is_explained_by_what_keeps_it_away(
    feeder: Feeder, item: str, verdict: str
) -> None:
    """What the viewer did with an item is said; of what does not exist there is nothing to say."""
    assert (await explained(feeder, item)).verdict == verdict


async def test_a_threshold_of_friends_is_told(feeder: Feeder, tmp_path: Path) -> None:
    """An item that only friends bring, and too few of them."""
    file = tmp_path / "policy.toml"
    file.write_text("[page]\nfriends_threshold = 2\n")
    mine = feeder.settings.model_copy(update={"policy_file": file})
    await feeder.feed([Share(user=FRIENDS[1], item="song", to=["ann"], at=NOW)], CHANCE)
    async with Pager(feeder.store, mine, LivePolicies(mine)) as pager:
        found = await pager.explain("ann", "song", now=NOW)

    assert found.verdict == "not shown: ann has too few friends who acted on it"


@pytest.mark.parametrize("policy", [Policy(feed_size=3)])
async def test_what_was_pushed_out_of_a_full_feed_is_told(feeder: Feeder) -> None:
    """It has its friends' acts, and stronger items fill the feed."""
    names = [f"song{k}" for k in range(60)]
    await feeder.feed(
        [Share(user=FRIENDS[1], item=item, to=["ann"], at=NOW + k) for k, item in enumerate(names)],
        CHANCE,
    )
    found = await explained(feeder, "song0")

    assert found.verdict == "not shown: ann has a feed of stronger items"
    assert found.page is None
    assert found.evidence is not None
    assert [one.who for one in found.evidence.contributions] == [FRIENDS[1]]


@pytest.mark.parametrize(
    "cut",
    [
        Block(user="eve", other="ann", at=NOW),
        Block(user="ann", other="eve", at=NOW),
        Mute(user="ann", other="eve", at=NOW),
    ],
)
async def test_an_item_of_somebody_cut_off_is_explained_as_one_that_does_not_exist(
    feeder: Feeder, cut: Event
) -> None:
    """Whoever blocked whom: all that is said is what would be said of any unknown name."""
    acts = [Like(user=one, item="secret", at=NOON + 700) for one in FRIENDS]
    seen = View(user="ann", item="secret", at=NOON + 800)
    await feeder.feed([Post(user="eve", item="secret", at=NOON + 600), *acts], CHANCE)
    assert (await explained(feeder, "secret")).page == 1

    await feeder.feed([seen, cut], CHANCE)
    nothing = await explained(feeder, "nothing")
    assert await explained(feeder, "secret") == replace(nothing, item="secret")


async def test_an_item_that_was_taken_down_is_explained_as_one_that_does_not_exist(
    feeder: Feeder,
) -> None:
    """However many friends liked it."""
    acts = [Like(user=one, item="song", at=NOON + 700) for one in FRIENDS]
    await feeder.feed([*acts, Takedown(item="song", at=NOW)], CHANCE)
    nothing = await explained(feeder, "nothing")

    assert await explained(feeder, "song") == replace(nothing, item="song")


async def test_a_proof_of_somebody_cut_off_is_told_nowhere(feeder: Feeder) -> None:
    """A blocked friend's act on a shown item is in no contribution and no reason."""
    acts = [Like(user=one, item="song", at=NOON + 700) for one in FRIENDS]
    await feeder.feed([*acts, Block(user=FRIENDS[2], other="ann", at=NOW)], CHANCE)
    found = await explained(feeder, "song")

    assert found.page == 1
    assert FRIENDS[2] not in repr(found)


async def carry(settings: Settings) -> None:
    """Fill a store for the commands."""
    async with feeding(settings) as feeds:
        await feeds.feed(history(), CHANCE)


class TestCommands:
    """What a person and a script read."""

    @pytest.fixture(autouse=True)
    def _filled(self, settings: Settings) -> None:
        asyncio.run(carry(settings))

    def test_a_page_and_its_explanations_as_json(self, tmp_path: Path, settings: Settings) -> None:
        """Of the second page too: the cursor of the first one leads there."""
        first = json.loads(
            run("page", "ann", "--limit", "4", "--json", folder=tmp_path, settings=settings).stdout
        )
        turned = run(
            *("page", "ann", "--cursor", first["cursor"], "--json"),
            folder=tmp_path,
            settings=settings,
        )
        second, shown = json.loads(turned.stdout), first["items"][0]
        told = json.loads(
            run(
                "explain", "ann", shown["item"], "--json", folder=tmp_path, settings=settings
            ).stdout
        )

        assert turned.stderr == ""
        assert [one["place"] for one in first["items"]] == [1, 2, 3, 4]
        assert not {one["item"] for one in first["items"]} & {
            one["item"] for one in second["items"]
        }
        assert (first["variant"], first["new_count"]) == (None, 0)
        assert (told["page"], told["places"], told["version"]) == (
            1,
            shown["places"],
            first["version"],
        )
        assert told["evidence"]["contributions"][0].keys() == {
            *("who", "what", "at", "weight", "strength"),
        }

    def test_a_page_and_an_explanation_as_tables(self, tmp_path: Path, settings: Settings) -> None:
        """A line an item; where there is more, how to see it; every number of one."""
        shown = run("page", "ann", "--limit", "2", folder=tmp_path, settings=settings).stdout
        head, first, *_, version, following = shown.splitlines()
        told = run("explain", "ann", first.split()[1], folder=tmp_path, settings=settings).stdout

        assert head.split() == ["place", "item", "value", "why"]
        assert version.startswith("page policy ")
        assert following.startswith("next page: likewave page ann --cursor ")
        assert told.startswith("page 1, place 1: ")
        assert version in told.splitlines()

    def test_an_experiment_names_group_and_pages(self, tmp_path: Path, settings: Settings) -> None:
        """The page says in which group its user is, and it is counted."""
        file = tmp_path / "policy.toml"
        file.write_text('[experiment]\nname = "all"\nshare = 1\n[experiment.page]\nper_actor = 1\n')
        tried = settings.model_copy(update={"policy_file": file})
        page = json.loads(run("page", "ann", "--json", folder=tmp_path, settings=tried).stdout)
        counted = json.loads(run("exposures", "--json", folder=tmp_path, settings=tried).stdout)
        table = run("exposures", folder=tmp_path, settings=tried).stdout

        assert (page["experiment"], page["variant"]) == ("all", "treatment")
        assert counted == [
            {"experiment": "all", "variant": "treatment", "version": page["version"], "pages": 1}
        ]
        assert table.splitlines()[1].split() == ["all", "treatment", page["version"], "1"]

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["page", "zoe"], "user zoe is unknown: "),
            (["explain", "zoe", "item01"], "user zoe is unknown: "),
            (
                ["page", "ann", "--cursor", "AQAA"],
                "this cursor was changed, cut, or another's",
            ),
        ],
    )
    def test_a_mistake_is_one_line(
        self, arguments: list[str], reason: str, tmp_path: Path, settings: Settings
    ) -> None:
        """It says what is wrong."""
        assert complaint(run(*arguments, folder=tmp_path, settings=settings)).startswith(reason)

    def test_a_watched_page_follows_the_policy_file(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """Its next line is made with the new numbers; a broken file is told and changes nothing."""
        file = tmp_path / "policy.toml"
        file.write_text("[page]\npage_size = 3\n")
        mine = settings.model_copy(update={"policy_file": file})
        with start("page", "ann", "--watch", "--json", folder=tmp_path, settings=mine) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert len(json.loads(process.stdout.readline())["items"]) == 3
            file.write_text("[page]\npage_size = 0\n")
            assert "page_size is 0: give a whole number" in process.stderr.readline()
            file.write_text("[page]\npage_size = 5\n")
            assert len(json.loads(process.stdout.readline())["items"]) == 5
            process.send_signal(signal.SIGINT)
            process.communicate()

        assert process.returncode == 130
