"""Whose acts reach whom, and how much they weigh: the circle of a user, as an algebra of edges.

    circle(u) = friends + follows - blocked by u - blocking u - muted by u - erased

An erased account has no circle, and is in none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from models.policy import Policy
    from models.registers import Registers


def circle(registers: Registers, erased: AbstractSet[str], user: str) -> set[str]:
    """Give the accounts whose acts reach `user`.

    >>> from models.events import Befriend, Follow, Mute
    >>> from models.registers import Registers
    >>> registers = Registers()
    >>> registers.write(Befriend(user="ann", friend="bob", at=1))
    >>> registers.write(Follow(user="ann", friend="cat", at=1))
    >>> registers.write(Mute(user="ann", other="bob", at=2))
    >>> circle(registers, set(), "ann"), circle(registers, set(), "bob")
    ({'cat'}, {'ann'})
    """
    if user in erased:
        return set()
    known = {*registers.on("friend", user), *registers.on("follow", user)}
    return known - erased - cut_off(registers, user)


def cut_off(registers: Registers, user: str) -> set[str]:
    """Give the accounts that `user` blocks or mutes, and those that block `user`."""
    blocking = [other for _, other in registers.owners(("block",), user)]
    return {
        *registers.on("block", user),
        *registers.on("mute", user),
        *(other for other in blocking if registers.is_on(user, "block", other)),
    }


def tie(registers: Registers, policy: Policy, user: str, actor: str) -> float:
    """Weigh what `actor` does for `user`: more where `user` favours them."""
    return policy.favor if registers.is_on(actor, "favor", user) else 1.0
