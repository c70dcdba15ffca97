"""The page: what one viewer is shown, in which order, and why each item stands where it does.

    candidates -> feed -> blend -> filters -> circle -> author -> page

Of what only the circle brings, a page is chosen from the best that may be shown, as many as the
policy's window: the rest of a feed waits for further pages, and need not be known for this one.

Pure, and the same for the same arguments: at equal values the item of greater social score comes
first, then the one of greater id, as in a feed. A further page is made as the first one, of what
the pages before it have left.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from math import inf
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np

from models import taste
from models.blend import Blend, blend, discounted
from models.candidate import ALONE, REFUSALS
from models.composition import compose, exploration
from models.reasons import reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from models.candidate import Candidate, Viewer
    from models.composition import Placement
    from models.page_policy import PagePolicy
    from models.present import Present

    Places: TypeAlias = dict[str, int | None]


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a page.

    `parts` are the numbers that `value` is made of (models.blend). `places` says where the item
    stood after each step, counted from 1; None in `feed`, where the circle did not bring it.
    """

    candidate: Candidate
    value: float
    parts: dict[str, float]
    places: Places
    reasons: tuple[str, ...]
    account: str | None  # on whose account it is here
    reserved: bool  # it came forward to explore

    @property
    def item(self) -> str:
        """Name the item."""
        return self.candidate.item


@dataclass(frozen=True, slots=True)
class Table:
    """All candidates of a viewer, best social score first, and what speaks for each."""

    candidates: list[Candidate]
    viewer: Viewer
    policy: PagePolicy
    affinities: dict[str, float]
    blend: Blend

    def explores(self, candidate: Candidate) -> bool:
        """Tell whether a candidate has something new for the viewer."""
        return exploration(candidate, self.viewer, self.policy) is not None


@dataclass(frozen=True, slots=True)
class Standings:
    """The candidates left for a page: in order, and each with its place after each step."""

    best_first: list[int]
    author: list[float]  # the factor of author diversity
    value: list[float]  # after all steps
    steps: dict[str, dict[int, int]]  # places from 1 of the candidates that a step knows

    def places(self, index: int) -> Places:
        """Give the places of one candidate."""
        return {step: places.get(index) for step, places in self.steps.items()}


def rank(
    candidates: Iterable[Candidate], viewer: Viewer, policy: PagePolicy, present: Present
) -> list[Ranked]:
    """Make a page, best first, of at most one candidate for each item.

    It is empty only where no candidate passes the filters; it may be short, where the rest would
    be there on account of one and the same account.

    >>> from models.candidate import Candidate, Viewer
    >>> from models.page_policy import PagePolicy
    >>> from models.policy import HOUR, Policy
    >>> from models.present import Present
    >>> from models.view import Proof
    >>> now = 1_790_000_000_000
    >>> liked = (Proof("like", "bob", now),)
    >>> song = Candidate(item="song", social=now, proofs=liked)
    >>> film = Candidate(item="film", social=now - 6 * HOUR, proofs=liked, trending=now + 5 * HOUR)
    >>> page = rank([song, film], Viewer(user="ann"), PagePolicy(), Present(Policy(), now))
    >>> [(one.item, round(one.value, 3), one.reasons) for one in page]
    [('film', 4.233, ('liked by bob',)), ('song', 3.0, ('liked by bob',))]
    """
    return next(pages(tabulated(candidates, viewer, policy, present)), [])


def tabulated(
    candidates: Iterable[Candidate], viewer: Viewer, policy: PagePolicy, present: Present
) -> Table:
    """Find what speaks for each candidate; what is by a blocked author is none.

    Nothing tells it from an item that does not exist, so nobody learns that they are blocked.
    """
    known = [one for one in candidates if one.author not in viewer.blocked]
    ordered = sorted(known, key=lambda one: (one.social, one.item), reverse=True)
    half_life_ms = taste.half_life_ms(present.policy)
    affinities = viewer.taste.affinities(present.now, half_life_ms)
    parts = blend(ordered, viewer, policy, present, affinities)
    return Table(ordered, viewer, policy, affinities, parts)


def pages(table: Table, among: list[int] | None = None) -> Iterator[list[Ranked]]:
    """Make page after page, until all is shown that passes the filters; none is empty.

    With `among`, which must pass them, only these are shown.
    """
    left = welcome(table) if among is None else among
    while left:
        standings = stand(table, left)
        placements = compose(table.candidates, standings.best_first, table.explores, table.policy)
        yield _page(table, standings, placements)
        placed = {placement.which for placement in placements}
        left = [index for index in left if index not in placed]


def welcome(table: Table) -> list[int]:
    """Give the candidates that pass the filters."""
    candidates, viewer, policy = table.candidates, table.viewer, table.policy
    left = list(range(len(candidates)))
    for refuses in REFUSALS.values():
        left = [k for k in left if not refuses(candidates[k], viewer, policy)]
    return left


def stand(table: Table, left: Iterable[int]) -> Standings:
    """Order the candidates `left` that are in the window after each step."""
    shown, near_value = set(left), table.blend.value
    window = _window(table, shown)
    blended = _best_first(window, table.blend.total.tolist())
    after_circle = _best_first([k for k in window if k in shown], near_value.tolist())
    author = _author_factors(table, after_circle)
    value = discounted(near_value, np.array(author)).tolist()
    best_first = _best_first(sorted(after_circle), value)
    orders = {
        "feed": [k for k in window if table.candidates[k].social > -inf],
        "blend": blended,
        "filters": [k for k in blended if k in shown],
        "circle": after_circle,
        "author": best_first,
    }
    steps = {step: dict(zip(order, count(1), strict=False)) for step, order in orders.items()}
    return Standings(best_first, author, value, steps)


def _window(table: Table, shown: set[int]) -> list[int]:
    """Give the candidates up to the last of the feed that a page may show of those `shown`."""
    window, before, most = [], 0, table.policy.window
    for index, one in enumerate(table.candidates):
        is_alone = one.sources == ALONE
        if not is_alone or before < most:
            window.append(index)
        before += is_alone and index in shown
    return window


def _best_first(indexes: Iterable[int], value: Sequence[float]) -> list[int]:
    """Order candidates by value, at equal values as they are."""
    return sorted(indexes, key=value.__getitem__, reverse=True)


def _author_factors(table: Table, best_first: Iterable[int]) -> list[float]:
    """Discount each candidate by how many better ones its author has."""
    factors = [1.0] * len(table.candidates)
    before: defaultdict[str, int] = defaultdict(int)
    for index in best_first:
        author = table.candidates[index].author
        if author is not None:
            factors[index] = table.policy.author_factor(before[author])
            before[author] += 1
    return factors


def _page(table: Table, standings: Standings, placements: list[Placement]) -> list[Ranked]:
    """Say of each item that is placed why it is there."""
    parts = table.blend.parts([placement.which for placement in placements])
    return [
        Ranked(
            candidate=(candidate := table.candidates[index]),
            value=standings.value[index],
            parts={**known, "author": standings.author[index]},
            places={**standings.places(index), "page": place},
            reasons=reasons(candidate, table.viewer, table.policy, table.affinities),
            account=account,
            reserved=reserved,
        )
        for place, ((index, account, reserved), known) in enumerate(
            zip(placements, parts, strict=True), 1
        )
    ]
