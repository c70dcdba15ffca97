"""Whose an item is, and what it is about: the earliest post of it says so.

A post is a register of author and item, of which the topic keeps the last word. Of all posts of an
item by accounts that are not erased, the one of the smallest (at, author) counts. A store may
forget posts that have left the horizon, and may then take the author of the next one for it; one
that comes later than the horizon is not taken, so that one before it, by its author, may stay.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from models.events import Post


class Origin(NamedTuple):
    """When an item was posted (Unix ms), by whom, and what it is about."""

    at: int
    author: str
    topics: tuple[str, ...]


class Authorship:
    """The origins of all items.

    >>> from models.events import Post
    >>> authorship = Authorship()
    >>> authorship.write(Post(user="bob", item="song", topics=["noise"], at=2))
    >>> authorship.write(Post(user="ann", item="song", topics=["music"], at=1))
    >>> authorship.origins("song", erased=set())[0]
    Origin(at=1, author='ann', topics=('music',))
    """

    def __init__(self) -> None:
        self._posts: defaultdict[str, dict[str, Origin]] = defaultdict(dict)  # by item and author
        self._earlier: defaultdict[str, set[Origin]] = defaultdict(set)  # by item

    def write(self, post: Post) -> None:
        """Take in a post, early or late, once or many times."""
        origin = Origin(post.at, post.user, tuple(post.topics or ()))
        posts = self._posts[post.item]
        earlier, posts[post.user] = sorted((origin, posts.get(post.user, origin)))
        if earlier != posts[post.user]:
            self._earlier[post.item].add(earlier)

    def items(self) -> Iterable[str]:
        """Name the items that were ever posted."""
        return self._posts

    def origins(self, item: str, erased: AbstractSet[str]) -> list[Origin]:
        """Give the posts of `item` by accounts not erased, the one that counts first."""
        posts = self._posts.get(item, {})
        return sorted(post for author, post in posts.items() if author not in erased)

    def earlier(self, item: str) -> Iterable[Origin]:
        """Give the posts of `item` of which each was followed by another of the same author."""
        return self._earlier.get(item, ())
