"""Where the store names accounts: in which keys, and where in them.

Written from the list of keys in the head of `streams/functions/calls.lua`, and apart from the
functions there: an erasure is judged by it. `{}` stands for an id.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ANY = r"[^|]*"
PAIR = rf"{{}}\|{ANY}|{ANY}\|{{}}"


class Naming(NamedTuple):
    """What a key tells of accounts, and where: behind its tag, in its entries, or in both."""

    what: str
    behind: str | None = None
    entry: str | None = None


NAMINGS = {
    "feed": Naming("entries of the feed", "{}"),
    "floor": Naming("a feed that was full", entry="{}"),
    "warm": Naming("a feed that is kept", entry="{}"),
    "awake": Naming("a feed that is kept", entry="{}"),
    "circle": Naming("who is in whose circle", "{}", "{}"),
    "fans": Naming("who is whose fan", "{}", "{}"),
    "strangers": Naming("who has an edge without being a fan", "{}", "{}"),
    "edges": Naming("friendships, follows, blocks, mutes, favours", r"\w+:{}", "{}"),
    "favoured": Naming("who favours whom", "{}", "{}"),
    "favourites": Naming("whom somebody favours", entry="{}"),
    "acts": Naming("likes, shares, posts, by actor", rf"\w+:(?:{{}}|{PAIR})"),
    "sent": Naming("recipients of shares by name", "{}", "{}"),
    "senders": Naming("senders of shares by name", "{}", "{}"),
    "actors": Naming("likes, shares, posts, by item", entry="{}"),
    "pulled": Naming("acts that are merged at reading", r"\w+:{}", "{}"),
    "direct": Naming("shares by name, by item", entry=PAIR),
    "seen": Naming("items seen", "{}"),
    "hidden": Naming("items hidden", "{}"),
    "hiders": Naming("who hides an item", entry="{}"),
    "item": Naming("whose an item is", entry=r"by:{}|author={}"),
    "views": Naming("views", entry=rf"{ANY}\|{{}}"),
    "young": Naming("acts of a young account", entry=rf"{ANY}\|{{}}\|{ANY}"),
    "due": Naming("what the sweep looks at", entry=rf"\w+:(?:{{}}|{PAIR})"),
    "connected": Naming("an open stream", entry="{}"),
}
NAMELESS = {
    *("trending", "fresh", "down", "erased", "job", "fence", "policy", "exposures", "breaker"),
    *("notices", "shed", "likewave"),
}


class Traces:
    """Finds one account in the store.

    >>> ann = Traces("ann")
    >>> ann.owns("acts:{0}:like:ann"), ann.owns("actors:{0}:like:ann")
    (True, False)
    >>> ann.is_in("direct:{0}:song", "bob|ann"), ann.is_in("feed:{0}:bob", "ann")
    (True, False)
    """

    def __init__(self, user: str) -> None:
        self.user = user
        self._behind, self._entry = (
            {name: re.compile(pattern.replace("{}", re.escape(user))) for name, pattern in patterns}
            for patterns in (
                [(name, one.behind) for name, one in NAMINGS.items() if one.behind],
                [(name, one.entry) for name, one in NAMINGS.items() if one.entry],
            )
        )
        self._token = re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(user)}(?![A-Za-z0-9_-])")

    def owns(self, key: str) -> bool:
        """Tell whether `key` is about the account, with all that is in it."""
        name, behind = _parts(key)
        if name in NAMINGS or name in NAMELESS:
            pattern = self._behind.get(name)
            return bool(pattern and pattern.fullmatch(behind))
        return bool(self._token.search(key))  # whatever else somebody keeps there

    def is_in(self, key: str, entry: str) -> bool:
        """Tell whether `entry` of `key` names the account."""
        name, _ = _parts(key)
        if name in NAMINGS or name in NAMELESS:
            pattern = self._entry.get(name)
            return bool(pattern and pattern.fullmatch(entry))
        return bool(self._token.search(entry))


def may_name(key: str) -> bool:
    """Tell whether entries of `key` can name accounts at all."""
    name, _ = _parts(key)
    return name not in NAMELESS and (name not in NAMINGS or NAMINGS[name].entry is not None)


def group(key: str) -> str:
    """Give the name under which what is found in `key` is counted."""
    return _parts(key)[0]


def _parts(key: str) -> tuple[str, str]:
    name, _, rest = key.partition(":")
    return name, rest.partition("}:")[2]
