"""What spam brings about among simulated people, under the default page policy.

the shop      likes 100,000 items in 10 s, then likes and shares whatever is posted; every third
              person is its friend
the crowd     1,000 accounts made an hour ago like each other's posts; each hour a new crowd
the hundred   established accounts do the same, so that each post has a hundred likes
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from benchmarks.lives import BEGIN, lived
from benchmarks.report import Finding, Report, at_most
from models import spam
from models.events import Post
from models.page_policy import PagePolicy
from models.policy import HOUR, SECOND
from models.present import strength
from streams import reader, sandbox
from streams.audience import Showing
from streams.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.lab import Lab
    from models.diary import Diary
    from models.events import Event
    from streams.sandbox import Sandbox

HEADING = "Spam among simulated people"
SHOP, LIKES = "shop", 100_000
CROWD, HUNDRED = 1_000, 101  # nobody's like of their own post counts
POSTS = 10  # of either, an hour


async def run(lab: Lab) -> Report:
    """Let people live among spam."""
    async with sandbox.opened(resolve()) as box:
        await box.carry(spam.burst(SHOP, LIKES, at=BEGIN, within_ms=10 * SECOND))
        kept = await box.store.zcard(f"acts:{{0}}:like:{SHOP}")
        await box.carry(_rings(BEGIN))
        crowd, hundred = await _strength(box, "crowd"), await _strength(box, "hundred")
        friends = map(str, range(0, lab.sizes.people, 3))
        await box.carry(spam.befriended(SHOP, friends, BEGIN))
        diary = await lived(box, lab.sizes, Showing(), _upon)
    most = max(diary.charged(SHOP))
    return Report(
        findings=_findings(diary, lab.sizes.hours),
        figures=[
            at_most(
                "acts in effect, of 100,000 likes in 10 s", kept, resolve().policy.acts_kept, ""
            ),
            at_most("items of a page on the shop's account", most, PagePolicy().per_actor, ""),
            at_most("young crowd in trending, of the hundred", crowd / hundred, 1, "x"),
        ],
    )


def _upon(at: int, happened: Sequence[Event]) -> Iterable[Event]:
    """Give what spammers do `at` a moment (Unix ms), upon what people did."""
    posted = [event.item for event in happened if isinstance(event, Post)]
    return chain(spam.marketing(SHOP, posted, at), () if at % HOUR else _rings(at))


def _rings(at: int) -> Iterable[Event]:
    crowd = [f"young-{at}-{number}" for number in range(CROWD)]
    hundred = [f"old-{number}" for number in range(HUNDRED)]
    return chain(
        spam.ring(crowd, _items("crowd", at), at=at, since=at - HOUR),
        spam.ring(hundred, _items("hundred", at), at=at),
    )


def _items(of: str, at: int) -> list[str]:
    return [f"{of}-{at}-{number}" for number in range(POSTS)]


async def _strength(box: Sandbox, of: str) -> float:
    """Give what the first posts of a ring count in trending, in likes."""
    half_life_ms = box.settings.policy.trending_half_life_ms
    found = [
        await reader.engagement(box.store, box.settings.shards, item) for item in _items(of, BEGIN)
    ]
    return sum(strength(one.score, BEGIN, half_life_ms) for one in found)


def _findings(diary: Diary, hours: int) -> list[Finding]:
    moments = range(BEGIN // HOUR * HOUR + HOUR, BEGIN + (hours + 1) * HOUR, HOUR)
    looks = {
        of: diary.attention({item for at in (BEGIN, *moments) for item in _items(of, at)})
        for of in ("crowd", "hundred")
    }
    return [
        Finding(HEADING, "part of what is shown, on its account", "the shop", diary.part_of(SHOP)),
        *(
            Finding(HEADING, "part of all looks, at its posts", f"the {of}", looks[of])
            for of in looks
        ),
    ]
