"""A feed in words: where an item stands, why it is there, and how strongly it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.policy import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from streams.reader import Entry

PROOFS = 100  # to read of an item: enough to count all accounts in nearly every feed
SPANS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))
PROOF = {
    "like": "liked by {}",
    "share": "shared by {}",
    "post": "posted by {}",
    "direct": "{} shared it with you",
}


def ago(at: int, now: int) -> str:
    """Say how long before `now` a moment was (both Unix ms).

    >>> ago(1_000_000, 1_012_400), ago(1_000_000, 8_300_000), ago(9, 8)
    ('12 s ago', '2 h ago', '0 s ago')
    """
    passed = max(0, now - at)
    span, unit = next((one for one in SPANS if passed >= one[0]), SPANS[-1])
    return f"{passed // span} {unit} ago"


def effective_time(entry: Entry, now: int, half_life_ms: int) -> str:
    """Say when the newest act on an item was, and by how much all the others hold it up.

    >>> from streams.reader import Entry, Proof
    >>> entry = Entry("song", 36_760_000, [Proof("like", "ann", 2_200_000)], 3)
    >>> effective_time(entry, 2_212_000, half_life_ms=21_600_000)
    '12 s ago + 1.6 half-lives'
    """
    newest = entry.proofs[0].at
    more = round((entry.score - newest) / half_life_ms, 1)
    if not more:
        return ago(newest, now)
    return f"{ago(newest, now)} {'+' if more > 0 else '-'} {abs(more)} half-lives"


def proof(entry: Entry) -> str:
    """Say whose acts put an item into the feed, the newest by name.

    >>> from streams.reader import Entry, Proof
    >>> proof(Entry("song", 9, [Proof("like", "17", 9), Proof("share", "4", 8)], 3))
    'liked by 17 and 2 more'
    >>> proof(Entry("song", 9, [Proof("direct", "ann", 9), Proof("like", "ann", 8)], 2))
    'ann shared it with you'
    """
    newest = entry.proofs[0]
    others = {one.who for one in entry.proofs} - {newest.who}
    more = len(others) + entry.proofs_total - len(entry.proofs)
    return PROOF[newest.kind].format(newest.who) + (f" and {more} more" if more else "")
