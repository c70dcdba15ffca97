"""When the proofs that readers see are the newest of those that there are.

Where many in a wide circle did the same with an item, a store counts acts instead of naming them:
then some may count that left the horizon, an account that did more than one thing may count more
than once, and of no kind more than COUNTED count.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from models.difference import Difference, listed
from models.holding import PROOFS, SHOWN, SHOWN_PROOFS
from models.view import Pair

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.candidate import Candidate, Viewer
    from models.holding import Holding
    from models.view import Proof

WIDE = 64  # accounts: in a circle of more, acts may be counted (as in functions/, like the next)
NAMED, COUNTED = 16, 1_000  # acts of one kind: all are named; counted at most


def about_shown(expected: Viewer, held: Holding, pairs: Mapping[str, Pair]) -> list[Difference]:
    """Compare the top of the feed as readers see it.

    What has no live proof is left out, and what is by somebody whom the viewer cut off.
    """
    user, authors = expected.user, {one.item: one.author for one in held.candidates}
    proven = [item for item, _ in held.feed if item in pairs and pairs[item].proofs]
    right = [item for item in proven if authors.get(item) not in expected.blocked][:SHOWN]
    shown = [one.item for one in held.shown]
    differing = []
    if shown != right:
        differing.append(Difference(user, "proof", "entries", _line(right), _line(shown)))
    for item, proofs, total in held.shown:
        pair = pairs.get(item, Pair())
        counts = _counts(pair, held) or range(len(pair.proofs), len(pair.proofs) + 1)
        if not _are_newest(proofs, pair.proofs, SHOWN_PROOFS) or total not in counts:
            differing.append(_difference(user, item, pair, proofs, total))
    return differing


def about_candidate(
    user: str, one: Candidate, held: Holding, pairs: Mapping[str, Pair]
) -> list[Difference]:
    """Compare the proofs of a candidate that the viewer does not hide, and count the actors."""
    pair = pairs.get(one.item, Pair())
    actors = len({proof.actor for proof in pair.proofs})
    counts = _counts(pair, held) or range(actors, actors + 1)
    if _are_newest(one.proofs, pair.proofs, PROOFS) and one.actors_total in counts:
        return []
    return [_difference(user, one.item, pair, one.proofs, one.actors_total)]


def _are_newest(found: Sequence[Proof], live: Sequence[Proof], most: int) -> bool:
    """Tell whether `found` are the newest of `live`, any of those made at the same moment."""
    newest = sorted((one.at for one in live), reverse=True)[:most]
    return [one.at for one in found] == newest and len({*found} & {*live}) == len(newest)


def _counts(pair: Pair, held: Holding) -> range | None:
    """Give how many acts, or actors, may be counted; None where all are named."""
    if len(held.circle) <= WIDE:
        return None
    live = Counter(proof.kind for proof in pair.proofs)
    ever = live + Counter(proof.kind for proof in pair.expired)
    if max(ever.values(), default=0) <= NAMED:
        return None
    return range(min(COUNTED, max(live.values(), default=0)), ever.total() + 1)


def _line(items: Sequence[str]) -> str:
    return " ".join(items) or "nothing"


def _difference(user: str, item: str, pair: Pair, found: Sequence[Proof], total: int) -> Difference:
    newest = sorted(pair.proofs, key=lambda one: one.at, reverse=True)[:SHOWN_PROOFS]
    actors = len({proof.actor for proof in pair.proofs})
    expected = f"{listed(newest)} ({len(pair.proofs)} acts of {actors})"
    return Difference(user, "proof", item, expected, f"{listed(found)} ({total})")
