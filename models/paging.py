"""One page after another over a live feed: what is shown now, what waits, what has come since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.cursor import Cursor
from models.ranking import pages, welcome

if TYPE_CHECKING:
    from models.ranking import Ranked, Table


@dataclass(frozen=True, slots=True)
class Turned:
    """A page, the cursor of the next one (None at the end), and how many items are new since."""

    page: list[Ranked]
    cursor: Cursor | None
    new_count: int


def turn(table: Table, cursor: Cursor | None, at: int) -> Turned:
    """Make the page after `cursor`, or the first one, of what the shard holds `at` (Unix ms).

    A further page is made of what could be shown at the first one and still can; it is empty only
    where nothing is left of that.

    >>> from models.candidate import Candidate, Viewer
    >>> from models.page_policy import PagePolicy
    >>> from models.policy import Policy
    >>> from models.present import Present
    >>> from models.ranking import tabulated
    >>> from models.view import Proof
    >>> def found(*items):
    ...     liked = (Proof("like", "bob", 1),)
    ...     some = [Candidate(item=item, social=at, proofs=liked) for at, item in enumerate(items)]
    ...     policy = PagePolicy(page_size=2)
    ...     return tabulated(some, Viewer(user="ann"), policy, Present(Policy(), now=9))
    >>> first = turn(found("a", "b", "c"), None, at=9)
    >>> second = turn(found("a", "b", "c", "d"), first.cursor, at=10)
    >>> [[one.item for one in turned.page] for turned in (first, second)]
    [['c', 'b'], ['a']]
    >>> second.cursor, second.new_count
    (None, 1)
    """
    able = welcome(table)
    items = [table.candidates[index].item for index in able.tolist()]
    begun = Cursor.begin(items, at) if cursor is None else cursor
    waiting = set(begun.waiting_of(items))
    left = able[np.array([item in waiting for item in items], dtype=bool)]
    page = next(pages(table, left), [])
    following = begun.turned(ranked.item for ranked in page)
    return Turned(page, following if len(page) < left.size else None, begun.count_new(items))
