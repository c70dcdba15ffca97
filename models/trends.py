"""When what counts for items, and what is listed as trending or fresh, is right.

A list has the score that is held of each item, of every item with that topic, the greatest first;
whether that score is right is a matter of the item.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from models.difference import Difference
from models.engagement import agrees, engagement
from models.holding import ALL
from models.viewing import fresh

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from models.holding import Shelf, Tally
    from models.view import View

LISTED = 50  # items of each list that are compared
FRESH = 20
FRESH_KEPT = 500  # of which these are the newest (as in streams/functions)


def miscounted(
    view: View, shelf: Shelf, items: Collection[str], *, whole_log: bool
) -> list[Difference]:
    """Compare what counts for `items`, all at home in the shard."""
    return [
        Difference(item, "engagement", "counted", str(engagement(view, item)), str(held))
        for item in items
        if not agrees(view, item, held := shelf.items[item].engagement, whole_log=whole_log)
    ]


def mislisted(shelf: Shelf) -> list[Difference]:
    """Hold the lists of what trends to the scores of the items."""
    return [
        Difference(item, "trending", f"in {topic or 'all topics'}", _score(due), _score(listed))
        for topic, entries in shelf.trends.items()
        for item, due, listed in _misplaced(shelf, topic, entries)
    ]


def stale(view: View, shelf: Shelf, posted: Collection[str]) -> list[Difference]:
    """Hold the list of what is fresh to the posts of items, `posted` being all at home.

    A list that had more removed from it than it keeps in reserve may lack what it pushed out.
    """
    found = dict(shelf.fresh)
    differing = [
        Difference(
            item, "fresh", "posted", " or ".join(map(str, sorted(moments))) or "never", str(at)
        )
        for item, at in shelf.fresh
        if at not in (moments := {one.at for one in view.possible_origins(item) if one})
    ]
    moved = sum(view.is_down(item) or len(view.origins(item)) != 1 for item in posted)
    if moved > FRESH_KEPT - FRESH:
        return differing
    last = min(((at, item) for item, at in shelf.fresh), default=(0, ""))
    return differing + [
        Difference(item, "fresh", "posted", str(at), "nothing")
        for at, item in fresh(view, posted, FRESH)
        if item not in found
        and None not in view.possible_origins(item)
        and (len(found) < FRESH or (at, item) > last)
    ]


def _misplaced(
    shelf: Shelf, topic: str, entries: list[tuple[str, float]]
) -> Iterator[tuple[str, float, float]]:
    """Give item, score due and score listed of what is wrong in a list (-inf: nothing)."""
    listed = dict(entries)
    last = min(((score, item) for item, score in entries), default=(-math.inf, ""))
    for item, tally in shelf.items.items():
        due = _due(tally, topic)
        is_due = due > -math.inf and (len(entries) < LISTED or (due, item) > last)
        if listed.get(item, due if not is_due else -math.inf) != due:
            yield item, due, listed.get(item, -math.inf)


def _due(tally: Tally, topic: str) -> float:
    """Give the score that an item has in a list, -inf where it is none of it."""
    belongs = topic == ALL or topic in tally.topics
    return tally.engagement.score if belongs else -math.inf


def _score(score: float) -> str:
    return "nothing" if score == -math.inf else f"{score:.3f}"
