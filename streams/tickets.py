"""One-use tickets: for a stream, to which a browser's EventSource cannot send a token.

    likewave:ticket:<digest>   the caller, for TICKET_S seconds or until it is used

A ticket is 256 bits of chance, and the store has only its digest: whoever reads the store can use
none. Taking it out is one command, so of two who present it one comes in.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from models.errors import AccessError
from streams.access import Caller

if TYPE_CHECKING:
    from streams.store import Store

TICKET_S = 30


async def issue(store: Store, caller: Caller) -> str:
    """Make a ticket with which a stream of `caller` can be opened once, within TICKET_S."""
    ticket = secrets.token_urlsafe(32)
    await store.set(_key(ticket), msgspec.json.encode(caller), ex=TICKET_S)
    return ticket


async def redeem(store: Store, ticket: str, *, now: int) -> Caller:
    """Take a ticket, and say whose it is; raise AccessError where there is no such (any more).

    A caller whose token has expired by `now` (Unix ms) has no ticket any more.
    """
    found: Any = await store.getdel(_key(ticket))
    caller = None if found is None else msgspec.json.decode(found, type=Caller)
    if caller is None or caller.expires_at <= now:
        raise AccessError("the ticket was used, is too old, or was never one: ask for a new one")
    return caller


def _key(ticket: str) -> str:
    digest = hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
    return f"likewave:ticket:{digest}"
