"""One page after another over a live feed: what is shown now, what waits, what has come since."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from models.candidate import Source
from models.cursor import Cursor
from models.ranking import pages, welcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from models.candidate import Candidate
    from models.ranking import Ranked, Table

# Whether there still is what brought a candidate, in a list or not.
LASTS: dict[Source, Callable[[Candidate], bool]] = {
    Source.SOCIAL: lambda candidate: bool(candidate.proofs),
    Source.TRENDING: lambda candidate: candidate.trending > -math.inf,
    Source.TASTE: lambda candidate: candidate.trending > -math.inf,
    Source.FRESH: lambda candidate: candidate.posted_at is not None,
}


@dataclass(frozen=True, slots=True)
class Turned:
    """A page, the cursor of the next one (None at the end), and how many items are new since."""

    page: list[Ranked]
    cursor: Cursor | None
    new_count: int


def turn(table: Table, cursor: Cursor | None, behind: Iterable[str] = ()) -> Turned:
    """Make the page after `cursor`, or the first one.

    `behind` names the items of the feed that are beyond the window of the page, and not in the
    table: they wait. A further page is made of what could be shown at the first one and still can;
    it is empty only where nothing is left of that.

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
    >>> first = turn(found("a", "b", "c"), None)
    >>> second = turn(found("a", "b", "c", "d"), first.cursor)
    >>> [[one.item for one in turned.page] for turned in (first, second)]
    [['c', 'b'], ['a']]
    >>> second.cursor, second.new_count
    (None, 1)
    """
    able = welcome(table)
    found = [table.candidates[index] for index in able]
    begun = Cursor.begin(found, behind) if cursor is None else cursor
    left = [index for index in able if table.candidates[index].item in begun.waiting]
    page = next(pages(table, left), [])
    following = begun.turned(ranked.item for ranked in page)
    new_count = begun.count_new(one.item for one in found)
    return Turned(page, following if len(page) < len(left) else None, new_count)


def recalled(candidate: Candidate, cursor: Cursor) -> Candidate:
    """Give a candidate that waits what brought it to the first page, where that still holds.

    It may be on no list any more because others have come before it; what was taken back stays so.

    >>> from models.candidate import Candidate, Source
    >>> cursor = Cursor.begin([Candidate(item="song", sources=frozenset(Source))])
    >>> unlisted = Candidate(item="song", sources=frozenset(), posted_at=9)
    >>> recalled(unlisted, cursor).sources
    frozenset({<Source.FRESH: 'fresh'>})
    """
    before = cursor.waiting.get(candidate.item, frozenset())
    lasting = {source for source in before if LASTS[source](candidate)}
    return replace(candidate, sources=candidate.sources | lasting) if lasting else candidate
