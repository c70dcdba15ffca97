"""The worked cases of `../shared/cases`: histories with the feeds they must end in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from models import events
from models.comparison import differences
from models.policy import Policy
from models.view import Entry, Proof, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FOLDER = Path(__file__).parents[2] / "shared" / "cases"


@dataclass(frozen=True)
class Case:
    """One history and the feeds it ends in, whatever the order of its events."""

    folder: Path

    def __str__(self) -> str:
        return self.folder.name

    @cached_property
    def events(self) -> list[events.Event]:
        """The history, one event a line."""
        lines = (self.folder / "events.jsonl").read_bytes().splitlines()
        return [events.decode(line) for line in lines]

    @cached_property
    def feeds(self) -> dict[str, list[Entry]]:
        """The feeds as written, empty for whoever is not named."""
        written = json.loads((self.folder / "feeds.json").read_bytes())
        return {user: [] for user in accounts(self.events)} | {
            user: [
                Entry(item, score, [Proof(*one) for one in proofs]) for item, score, proofs in feed
            ]
            for user, feed in written.items()
        }


def load_cases(kinds: str = "acts") -> list[Any]:
    """Give the cases as parameters of a test, which is skipped where there are none."""
    folders = sorted((FOLDER / kinds).glob("*/"))
    if not folders:
        absent = pytest.mark.skip(reason=f"{FOLDER / kinds} is absent")
        return [pytest.param(None, marks=absent, id="absent")]
    return [pytest.param(Case(folder), id=folder.name) for folder in folders]


def view_of(
    history: Iterable[events.Event],
    policy: Policy | None = None,
    fan_out_limit: int | None = None,
) -> View:
    """Apply a history to a view."""
    view = View(policy or Policy(), fan_out_limit)
    for event in history:
        view.apply(event)
    return view


def accounts(history: Iterable[events.Event]) -> set[str]:
    """Name everyone who acts or is acted on in a history."""
    return {account for event in history for account in event.accounts}


def assert_feeds(
    actual: Mapping[str, Sequence[tuple[str, int]]],
    case: Case,
    floors: Mapping[str, int] | None = None,
) -> None:
    """Compare feeds, (item, score) best first, with a case as its README says.

    What may linger beyond the horizon is known from a view, which `test_cases` holds to the case.
    """
    view = view_of(case.events)
    for user in case.feeds:
        found = actual.get(user, ())
        floor = (floors or {}).get(user)
        assert differences(view, user, dict(found), floor=floor) == [], f"{case}, {user}"
        assert list(found) == sorted(found, key=lambda entry: (entry[1], entry[0]), reverse=True)
