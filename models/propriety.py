"""What no page may show, however it was made: the last word of an audit on pages.

Nothing that was taken down; nothing that the viewer hides, has seen, acted on or made; nothing by
an account that was erased, is blocked or blocks; and of what others did only what the circle did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.difference import Difference
from models.viewing import viewer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from models.candidate import Candidate, Viewer
    from models.ranking import Ranked
    from models.view import View


def improprieties(view: View, user: str, page: Iterable[Ranked]) -> list[Difference]:
    """Name what is on a page of `user` and may not be."""
    who = viewer(view, user)
    return [
        Difference(user, "page", one.item, f"nothing {reason}", "an entry")
        for one in page
        for reason in _objections(view, who, one.candidate)
    ]


def _objections(view: View, who: Viewer, one: Candidate) -> Iterator[str]:
    objections = {
        "taken down": view.is_down(one.item),
        "hidden": one.item in who.hidden,
        "seen": one.item in who.seen,
        "acted on": one.item in who.acted,
        "of their own": one.author == who.user,
        "of somebody cut off": one.author in who.blocked,
        "of an erased account": one.author in view.erased,
        "by people outside the circle": any(actor not in who.circle for actor in one.actors),
    }
    return (reason for reason, applies in objections.items() if applies)
