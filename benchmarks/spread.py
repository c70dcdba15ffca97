"""How far, evenly and broadly things spread: simulated people, the same under every policy.

default             the default page policy
friends only        what the circle did, and nothing else
popularity only     what trends first, then the rest of the feed
popularity, newest  what trends first, then what was posted last, by anybody
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from benchmarks.lives import lived
from benchmarks.report import Finding, Report, at_least
from models.candidate import Source
from models.page_policy import PagePolicy
from streams import sandbox
from streams.audience import Showing
from streams.settings import resolve

if TYPE_CHECKING:
    from benchmarks.lab import Lab
    from benchmarks.report import Figure
    from models.diary import Spread

HEADING = "Spread among simulated people"
DEFAULT, FRIENDS, POPULAR, NEWEST = (
    "default",
    "friends only",
    "popularity only",
    "popularity, newest",
)
ALONE = replace(PagePolicy(), trending_weight=0, taste_weight=0, exploration=0)
CROWD = replace(
    PagePolicy(),
    social_weight=0,
    recent_weight=0,
    taste_weight=0,
    exploration=0,
    out_of_circle=1,
    author_decay=1,
)
SHOWINGS = {
    DEFAULT: Showing(),
    FRIENDS: Showing(policy=ALONE, sources=frozenset({Source.SOCIAL})),
    POPULAR: Showing(policy=CROWD, sources=frozenset({Source.TRENDING, Source.SOCIAL})),
    NEWEST: Showing(policy=CROWD, sources=frozenset({Source.TRENDING, Source.FRESH})),
}


async def run(lab: Lab) -> Report:
    """Let the same people live with each."""
    spreads: dict[str, Spread] = {}
    for name, showing in SHOWINGS.items():
        async with sandbox.opened(resolve()) as box:
            spreads[name] = (await lived(box, lab.sizes, showing)).spread()
    return Report(
        findings=[
            Finding(HEADING, measure.replace("_", " "), name, measured)
            for name, spread in spreads.items()
            for measure, measured in asdict(spread).items()
        ],
        figures=[
            _times("posts seen three hops away", "reaching_three", spreads, FRIENDS),
            _times("newcomers with a good start", "newcomers_started", spreads, POPULAR),
            _times("likes a view", "likes_a_view", spreads, POPULAR),
            _times("likes a view", "likes_a_view", spreads, NEWEST),
        ],
    )


def _times(what: str, measure: str, spreads: dict[str, Spread], other: str) -> Figure:
    """Hold the default policy against another, of which it is to be no worse."""
    ours, theirs = (getattr(spreads[name], measure) for name in (DEFAULT, other))
    return at_least(f"{what}, of {other}", ours / theirs, 1, "x")
