"""Why an item stands where it does on a viewer's pages, or is on none: every number.

The strengths of the contributions add up to that of the item; the parts make its value, and values
the order. Of what a viewer may not know nothing is told: an item whose author is cut off from them
is explained as one that does not exist, and so is whatever nothing brings to them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from models.candidate import REFUSALS
from models.decay import effective_time
from models.present import strength
from models.ranking import pages, stand, tabulated, welcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from models.candidate import Candidate, Counters, Viewer
    from models.page_policy import PagePolicy
    from models.present import Present
    from models.ranking import Places, Table

OTHERS = "others"  # whose acts are not listed among the proofs
WORDS = {
    "hidden": "hid it",
    "own": "made it",
    "acted": "liked or shared it already",
    "seen": "saw it already",
    "threshold": "has too few friends who acted on it",
    "brought": "has a feed of stronger items",
}


class Contribution(NamedTuple):
    """One act behind an item: who did what, when (Unix ms), its weight, what is left of it now."""

    who: str
    what: str
    at: int | None
    weight: float | None
    strength: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is about an item: strengths in likes of this moment, affinities from -1 to 1."""

    contributions: tuple[Contribution, ...]
    trending: float  # strength
    counters: Counters | None
    affinities: dict[str, float]  # of the viewer to the item's topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was found about one item for one viewer, under one version of the page policy.

    `filters` says which ones it passed; `parts`, `value` and `places` are those of Ranked; `page`
    counts from 1, and is None where the item is on no page. Of what nothing brings there is only
    the verdict.
    """

    item: str
    version: str
    verdict: str
    evidence: Evidence | None = None
    filters: dict[str, bool] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    places: Places = field(default_factory=dict)
    page: int | None = None


def explain(  # noqa: PLR0913 - what a page is made of, and the item
    item: str,
    candidates: Iterable[Candidate],
    viewer: Viewer,
    policy: PagePolicy,
    present: Present,
    *,
    listed: int | None = None,
) -> Explanation:
    """Say why `item` is where it is on the pages that `candidates` make, or why it is on none.

    The candidates may have more proofs than those of a page: it was made with the newest `listed`.

    >>> from models.candidate import Candidate, Viewer
    >>> from models.page_policy import PagePolicy
    >>> from models.policy import HOUR, Policy
    >>> from models.present import Present
    >>> from models.view import Proof
    >>> present = Present(Policy(), now=1_790_000_000_000)
    >>> shared = (Proof("share", "bob", present.now - 12 * HOUR),)
    >>> song = Candidate(item="song", social=present.now - 6 * HOUR, proofs=shared)
    >>> found = explain("song", [song], Viewer(user="ann"), PagePolicy(), present)
    >>> found.verdict
    'page 1, place 1: shared by bob'
    >>> found.evidence.contributions
    (Contribution(who='bob', what='share', at=1789956800000, weight=2.0, strength=0.5),)
    >>> explain("song", [song], Viewer(user="ann", seen={"song"}), PagePolicy(), present).verdict
    'not shown: ann saw it already'
    """
    whole = {candidate.item: candidate for candidate in candidates}
    paged = [structs.replace(one, proofs=one.proofs[:listed]) for one in whole.values()]
    table = tabulated(paged, viewer, policy, present)
    index = next((k for k, one in enumerate(table.candidates) if one.item == item), None)
    if index is None or _is_nobodys(table.candidates[index], table):
        verdict = f"not shown: nothing brings it to {viewer.user}"
        return Explanation(item=item, version=policy.version, verdict=verdict)
    failed = _failed(table.candidates[index], table)
    explained = _refused(table, index, failed) if failed else _shown(table, item)
    return replace(explained, evidence=evidence(whole[item], table, present))


def evidence(candidate: Candidate, table: Table, present: Present) -> Evidence:
    """Take what there is about a candidate apart."""
    return Evidence(
        contributions=tuple(_contributions(candidate, table.viewer, present)),
        trending=strength(candidate.trending, present.now, present.policy.trending_half_life_ms),
        counters=candidate.counters,
        affinities={topic: table.affinities.get(topic, 0.0) for topic in candidate.topics},
    )


def _contributions(
    candidate: Candidate, viewer: Viewer, present: Present
) -> Iterator[Contribution]:
    """Give the listed acts one by one, and what the others add where they do."""
    policy, now = present.policy, present.now
    listed = []
    for kind, actor, at in candidate.proofs:
        weight = policy.weights[kind] * (policy.favor if actor in viewer.favoured else 1.0)
        listed.append(at + policy.half_life_ms * math.log2(weight))
        yield Contribution(actor, kind, at, weight, strength(listed[-1], now, policy.half_life_ms))
    known = effective_time(listed, policy.half_life_ms) if listed else -math.inf
    if candidate.social > known + len(listed) + 1:  # stored scores are rounded at every act
        total = strength(candidate.social, now, policy.half_life_ms)
        rest = total - strength(known, now, policy.half_life_ms)
        yield Contribution(OTHERS, "acts", None, None, rest)


def _shown(table: Table, item: str) -> Explanation:
    """Find the page that shows `item`."""
    number, ranked = next(
        (number, ranked)
        for number, page in enumerate(pages(table), 1)
        for ranked in page
        if ranked.item == item
    )
    return Explanation(
        item=item,
        version=table.policy.version,
        verdict=f"page {number}, place {ranked.places['page']}: {', '.join(ranked.reasons)}",
        filters=dict.fromkeys(REFUSALS, True),
        parts=ranked.parts,
        value=ranked.value,
        places=ranked.places,
        page=number,
    )


def _is_nobodys(candidate: Candidate, table: Table) -> bool:
    """Tell whether neither the circle nor the viewer has anything to do with a candidate."""
    return not candidate.proofs and _failed(candidate, table) == ["brought"]


def _failed(candidate: Candidate, table: Table) -> list[str]:
    """Name the filters that keep a candidate from being shown."""
    return [
        name for name, refuses in REFUSALS.items() if refuses(candidate, table.viewer, table.policy)
    ]


def _refused(table: Table, index: int, failed: list[str]) -> Explanation:
    """Say what keeps a candidate from being shown: in words the first filter it failed."""
    return Explanation(
        item=table.candidates[index].item,
        version=table.policy.version,
        verdict=f"not shown: {table.viewer.user} {WORDS[failed[0]]}",
        filters={name: name not in failed for name in REFUSALS},
        parts=table.blend.parts([index])[0],
        value=float(table.blend.value[index]),
        places={**stand(table, welcome(table)).places(index), "page": None},
    )
