"""What spam looks like: one account that acts on everything, a crowd of accounts made for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def befriended(account: str, users: Iterable[str], at: int) -> Iterator[events.Event]:
    """Let everybody in `users` be a friend of one account `at` (Unix ms)."""
    return (events.Befriend(at=at, user=account, friend=user) for user in users)


def marketing(account: str, items: Iterable[str], at: int) -> Iterator[events.Event]:
    """Let one account like and share whatever there is.

    >>> [event.kind for event in marketing("shop", ["song"], 1_000)]
    ['like', 'share']
    """
    for item in items:
        yield events.Like(at=at, user=account, item=item)
        yield events.Share(at=at, user=account, item=item)


def burst(account: str, likes: int, *, at: int, within_ms: int) -> Iterator[events.Like]:
    """Let one account like so many items, `0` the first, at an even rate from `at` on (Unix ms)."""
    for number in range(likes):
        yield events.Like(at=at + number * within_ms // likes, user=account, item=str(number))


def ring(
    accounts: Sequence[str], items: Sequence[str], *, at: int, since: int | None = None
) -> Iterator[events.Event]:
    """Let accounts, made `since` (Unix ms), post items in turn, and all like each of them.

    >>> done = list(ring(["a", "b"], ["song"], at=1_000))
    >>> [(event.user, event.kind) for event in done]
    [('a', 'post'), ('a', 'like'), ('b', 'like')]
    """
    for number, item in enumerate(items):
        author = accounts[number % len(accounts)]
        yield events.Post(at=at, user=author, item=item, since=since)
        for account in accounts:
            yield events.Like(at=at, user=account, item=item, since=since)
