"""The definition and the comparison against worked cases, computed apart from any of our code."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.cases import assert_feeds, load_cases, view_of

if TYPE_CHECKING:
    from cases import Case

ORDERS = 20
CASES = [*load_cases("acts"), *load_cases("all")]


@pytest.mark.parametrize("case", CASES)
def test_the_definition_ends_every_case_as_written(case: Case) -> None:
    """Items, scores, order and proofs of every feed are the written ones, to the millisecond."""
    view = view_of(case.events)

    assert {user: view.feed(user) for user in case.feeds} == case.feeds


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_lines_carries_no_meaning(case: Case, seed: int) -> None:
    """Shuffled and partly repeated, a history ends in the same feeds."""
    chance = Random(seed)
    for _ in range(ORDERS):
        history = case.events + chance.choices(case.events, k=len(case.events) // 2)
        chance.shuffle(history)
        view = view_of(history)

        assert {user: view.feed(user) for user in case.feeds} == case.feeds


@pytest.mark.parametrize("case", CASES)
def test_the_written_feeds_pass_the_comparison(case: Case) -> None:
    """What a case asks for counts as equal, so a store that has just that passes."""
    written = {
        user: [(entry.item, entry.score) for entry in feed] for user, feed in case.feeds.items()
    }

    assert_feeds(written, case)
