"""Whom the store knows: an id that nothing named is a mistake, or was erased, and no empty feed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from models.errors import SettingsError
from models.routing import shard_of

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.store import Store

TRACES = (
    *("feed:{}:", "circle:{}:", "edges:{}:friend:", "edges:{}:follow:"),
    *("acts:{}:like:", "acts:{}:share:", "acts:{}:post:", "seen:{}:"),
)


async def check_possible(store: Store, settings: Settings, user: str) -> None:
    """Raise SettingsError where there can be no `user` any more: who that was is erased."""
    digest = hashlib.sha1(user.encode(), usedforsecurity=False).hexdigest()
    if await store.sismember(f"erased:{{{shard_of(user, settings.shards)}}}", digest):
        raise SettingsError(
            f"user {user} was erased: nothing of that account is left, and its id cannot be used "
            "again"
        )


async def check_known(store: Store, settings: Settings, user: str) -> None:
    """Raise SettingsError where nothing in the store names `user`, or who that was is erased."""
    await check_possible(store, settings, user)
    tag = f"{{{shard_of(user, settings.shards)}}}"
    if not await store.exists(*(key.format(tag) + user for key in TRACES)):
        raise SettingsError(
            f"user {user} is unknown: no act, view, friendship or follow of that id is in the "
            "store; mend the id, or see with `likewave lag` whether events wait"
        )
