"""All that is held of a user, or of items and lists, against the definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.agreement import disagreements
from models.comparison import differences
from models.page_policy import PagePolicy
from models.present import Present
from models.propriety import improprieties
from models.ranking import rank
from models.trends import miscounted, mislisted, stale

if TYPE_CHECKING:
    from collections.abc import Collection

    from models.difference import Difference
    from models.holding import Holding, Shelf
    from models.view import View


def examine_user(
    view: View, user: str, held: Holding, *, whole_log: bool = True
) -> list[Difference]:
    """Compare what is held of `user`, and a page made of it, with the definition."""
    present = Present(view.policy, view.stream_time)
    page = rank(held.candidates, held.viewer, PagePolicy(), present)
    pairs = view.pairs(user)
    feed = differences(
        view, user, dict(held.feed), pairs=pairs, floor=held.floor, whole_log=whole_log
    )
    return [*feed, *disagreements(view, user, held, pairs), *improprieties(view, user, page)]


def examine_shelf(
    view: View,
    shelf: Shelf,
    items: Collection[str],
    posted: Collection[str],
    *,
    whole_log: bool = True,
) -> list[Difference]:
    """Compare lists, and what counts for `items`; `posted` are all items posted.

    Both are at home in the shard.
    """
    counted = miscounted(view, shelf, items, whole_log=whole_log)
    return [*counted, *mislisted(shelf), *stale(view, shelf, posted)]
