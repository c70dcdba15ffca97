"""Events as front-ends hand them in: whose they are, and what need not be said.

A caller acts for themselves and now, unless the event says otherwise; it may say another moment,
and for operators another user. An item is whoever's posted it first, so nobody but an operator
posts in the past. How old an account is its token says, not the event: a young one counts less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from models.decoding import UNREADABLE, admit_new
from models.errors import EventError
from models.events import Befriend, Post, Takedown, refusal
from models.policy import MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.events import Event

MOST = 1_000  # events handed in at once
LATE_MS = 5 * MINUTE  # that a post may be on its way

# A friendship takes two, of whom one calls; a takedown concerns everybody.
OPERATORS_ONLY = (Befriend, Takedown)

_json = msgspec.json.Encoder()
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who hands events in, and when (Unix ms)."""

    user: str
    is_operator: bool
    now: int
    since: int | None = None  # when the account was made (Unix ms); None: long ago


def is_list(body: bytes) -> bool:
    """Tell whether a body begins as a list does.

    >>> is_list(b' [{}]'), is_list(b'{}')
    (True, False)
    """
    return body.lstrip()[:1] == b"["


def elements(body: bytes) -> list[msgspec.Raw]:
    """Take a list apart; raise EventError where it is no JSON, empty, or too long."""
    try:
        found = _list.decode(body)
    except UNREADABLE as error:
        raise refusal(error) from error
    if not 0 < len(found) <= MOST:
        raise EventError(f"a list has 1 to {MOST:,} events, got {len(found):,}")
    return found


def submitted(
    body: bytes | msgspec.Raw, who: Submitter, said: Mapping[str, object] | None = None
) -> Event:
    """Read an event handed in by `who`, with the fields that were `said` apart from it.

    Raises EventError where it breaks the contract, or where they may not say so.

    >>> submitted(b'{"kind":"like","item":"song"}', Submitter("ann", False, 1_795_500_060_000))
    Like(at=1795500060000, user='ann', item='song', since=None)
    """
    try:
        given = _fields.decode(body)
    except UNREADABLE as error:
        raise refusal(error) from error
    known = {"at": who.now, "user": who.user, **(said or {})}
    if said and "kind" in given and bytes(given["kind"]) != _json.encode(said["kind"]):
        raise EventError(f"the headers say that this is a {said['kind']}", path="$.kind")
    if not who.is_operator:
        given.pop("since", None)
        known |= {} if who.since is None else {"since": who.since}
    event = admit_new(_json.encode(known | given), now=who.now)
    _check_rights(event, who)
    return event


def _check_rights(event: Event, who: Submitter) -> None:
    if who.is_operator:
        return
    if isinstance(event, OPERATORS_ONLY):
        raise EventError(f"only an operator may publish a {event.kind}", path="$.kind")
    if event.accounts[0] != who.user:
        raise EventError(f"leave it out, or give {who.user}, who calls", path="$.user")
    if isinstance(event, Post) and event.at < who.now - LATE_MS:
        raise EventError("leave it out: only an operator may post in the past", path="$.at")
