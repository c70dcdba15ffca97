"""The numbers of a page are checked, named, and tried on a share of users."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given

from models.errors import PolicyError
from models.experiment import Experiment, PagePolicies, Variant, variant
from models.page_policy import PagePolicy
from tests.candidates import policies

USERS = [f"user{k}" for k in range(10_000)]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"per_actor": 0}, "per_actor is 0: give a whole number from 1 to 100"),
        ({"page_size": 20.0}, "page_size is 20.0: give a whole number from 1 to 100"),
        ({"page_size": True}, "page_size is True: give a whole number from 1 to 100"),
        ({"exploration": 1.5}, "exploration is 1.5: give a number from 0 to 1"),
        ({"taste_weight": "much"}, "taste_weight is 'much': give a number from 0 to 1000"),
        ({"social_weight": float("nan")}, "social_weight is nan: give a number from 0 to 1000"),
        ({"author_floor": 0.0}, "author_floor is 0.0: give a number from 0.01 to 1"),
    ],
)
def test_a_number_that_makes_no_page_is_refused(table: dict[str, object], message: str) -> None:
    """The message names the number, what it is, and what it may be."""
    with pytest.raises(PolicyError) as refusal:
        PagePolicy.from_table(table)
    assert str(refusal.value) == message


def test_a_name_that_is_none_is_refused_with_those_that_are() -> None:
    """A typing error does not pass for a default."""
    with pytest.raises(PolicyError, match="per_actors is no number of a page: one of page_size"):
        PagePolicy.from_table({"per_actors": 2})


@given(policies, policies)
def test_versions_are_equal_where_the_numbers_are(one: PagePolicy, other: PagePolicy) -> None:
    """So an explanation tells which numbers made it, on whichever server."""
    assert (one.version == other.version) == (one == other)


def test_a_version_does_not_tell_one_from_one_point_nought() -> None:
    """Written with a point or without, a number is the same."""
    assert PagePolicy(exploration=1).version == PagePolicy(exploration=1.0).version


def test_the_first_item_of_an_author_keeps_all_and_every_item_the_floor() -> None:
    """Decay and floor are those of X: 1, 5/8, 7/16 … and never less than a quarter."""
    factors = [PagePolicy().author_factor(before) for before in range(60)]

    assert factors[:3] == [1.0, 0.625, 0.4375]
    assert factors[-1] == pytest.approx(0.25)
    assert PagePolicy(author_decay=0).author_factor(0) == 1.0


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1])
def test_an_experiment_has_its_share_of_users(share: float) -> None:
    """Of ten thousand users the share is treated, to a few in a hundred of all."""
    experiment = Experiment("taste", share, PagePolicy(taste_weight=1.0))
    treated = [user for user in USERS if variant(user, experiment) is Variant.TREATMENT]

    assert len(treated) / len(USERS) == pytest.approx(share, abs=0.02 if 0 < share < 1 else 0)


def test_a_user_stays_in_their_group_when_the_share_grows() -> None:
    """Whoever was treated is treated still."""
    small, large = (Experiment("taste", share, PagePolicy()) for share in (0.1, 0.3))
    treated = [user for user in USERS if variant(user, small) is Variant.TREATMENT]

    assert {variant(user, large) for user in treated} == {Variant.TREATMENT}


def test_experiments_are_independent() -> None:
    """Of the users treated in one, half are treated in another, with a name of the same length."""
    one, other = (Experiment(name, 0.5, PagePolicy()) for name in ("test-1", "test-2"))
    treated = [user for user in USERS if variant(user, one) is Variant.TREATMENT]
    both = [user for user in treated if variant(user, other) is Variant.TREATMENT]

    assert len(both) / len(treated) == pytest.approx(0.5, abs=0.03)


def test_each_group_has_its_policy() -> None:
    """Control is what it is without an experiment; the treatment differs where its table says."""
    control = PagePolicy(per_actor=2)
    table = {"name": "taste", "share": 0.5, "page": {"taste_weight": 2.0}}
    tried = PagePolicies(control, Experiment.from_table(table, control))
    used = {(tried.variant(user), tried.policy_for(user)) for user in USERS[:50]}

    assert used == {
        (Variant.CONTROL, control),
        (Variant.TREATMENT, replace(control, taste_weight=2.0)),
    }


def test_without_an_experiment_there_are_no_groups() -> None:
    """Everybody is shown pages under the one policy there is."""
    alone = PagePolicies(PagePolicy(per_actor=2))

    assert alone.variant("ann") is None
    assert alone.policy_for("ann") == PagePolicy(per_actor=2)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"name": "a", "share": 0.5},
            "[experiment] an experiment has a name, a share, and a table named page",
        ),
        (
            {"name": "a b", "share": 0.5, "page": {}},
            "[experiment] experiment name is 'a b': give 1 to 64 of",
        ),
        ({"name": 7, "share": 0.5, "page": {}}, "experiment name is 7: give 1 to 64 of"),
        (
            {"name": "a", "share": "half", "page": {}},
            "experiment a: share is 'half': give a number",
        ),
        (
            {"name": "a", "share": 0.5, "page": {"per_actor": 0}},
            "[experiment.page] per_actor is 0: give a whole number from 1 to 100",
        ),
    ],
)
def test_an_experiment_that_cannot_be_is_refused(table: dict[str, object], message: str) -> None:
    """The message says what is missing or wrong, and in which table of a policy file."""
    with pytest.raises(PolicyError, match=re.escape(message)):
        Experiment.from_table(table, PagePolicy())
