"""Two page policies side by side: which of them a user is shown.

A user's group depends on the names of user and experiment alone, so it is the same on every server
and at every visit, and groups of different experiments are independent. (A cyclic check sum would
not do: with names of one length it ties the groups of any two experiments to each other.)
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from models.errors import PolicyError
from models.events import ID_PATTERN
from models.page_policy import PagePolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUCKETS = 2**64


class Variant(StrEnum):
    """The groups of an experiment."""

    CONTROL = "control"
    TREATMENT = "treatment"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A share of users, from 0 to 1, is shown pages made under another policy.

    >>> Experiment("taste", 50, PagePolicy())
    Traceback (most recent call last):
    ...
    models.errors.PolicyError: experiment taste: share is 50: give a number from 0 to 1
    """

    name: str
    share: float
    treatment: PagePolicy

    def __post_init__(self) -> None:
        """Refuse what names no experiment, or no share of users."""
        if not (isinstance(self.name, str) and re.match(ID_PATTERN, self.name)):
            raise PolicyError(f"experiment name is {self.name!r}: give 1 to 64 of A-Z a-z 0-9 _ -")
        if type(self.share) not in (int, float) or not 0 <= self.share <= 1:
            raise PolicyError(
                f"experiment {self.name}: share is {self.share!r}: give a number from 0 to 1"
            )

    @classmethod
    def from_table(cls, table: Mapping[str, object], control: PagePolicy) -> Experiment:
        """Build an experiment from its name, its share, and what its `page` has other than control.

        >>> table = {"name": "taste", "share": 0.1, "page": {"taste_weight": 1.0}}
        >>> Experiment.from_table(table, PagePolicy(per_actor=2)).treatment.per_actor
        2
        """
        page = table.get("page", {})
        with _complaining("[experiment]"):
            if table.keys() != {"name", "share", "page"} or not isinstance(page, dict):
                raise PolicyError("an experiment has a name, a share, and a table named page")
            alike = cls(table["name"], table["share"], control)  # type: ignore[arg-type]  # checked there
        with _complaining("[experiment.page]"):
            return replace(alike, treatment=PagePolicy.from_table(page, control))


def variant(user: str, experiment: Experiment) -> Variant:
    """Give the group of a user.

    >>> everyone = Experiment("taste", 1.0, PagePolicy())
    >>> variant("ann", everyone)
    <Variant.TREATMENT: 'treatment'>
    """
    named = f"{experiment.name}:{user}".encode()
    bucket = int.from_bytes(hashlib.blake2b(named, digest_size=8).digest())
    return Variant.TREATMENT if bucket < experiment.share * BUCKETS else Variant.CONTROL


@dataclass(frozen=True, slots=True)
class PagePolicies:
    """The page policies in use: that of most users, and what is tried on a share of them."""

    control: PagePolicy = field(default_factory=PagePolicy)
    experiment: Experiment | None = None

    @classmethod
    def from_tables(
        cls, page: Mapping[str, object], experiment: Mapping[str, object] | None
    ) -> PagePolicies:
        """Build them from the tables of a policy file; a complaint names table and field.

        >>> PagePolicies.from_tables({"per_actor": 0}, None)
        Traceback (most recent call last):
        ...
        models.errors.PolicyError: [page] per_actor is 0: give a whole number from 1 to 100
        """
        with _complaining("[page]"):
            control = PagePolicy.from_table(page)
        tried = None if experiment is None else Experiment.from_table(experiment, control)
        return cls(control, tried)

    def variant(self, user: str) -> Variant | None:
        """Give the group of a user; None where nothing is tried."""
        return None if self.experiment is None else variant(user, self.experiment)

    def policy_for(self, user: str) -> PagePolicy:
        """Give the page policy of a user: that of the control group, where nothing is tried."""
        if self.experiment is None or self.variant(user) is Variant.CONTROL:
            return self.control
        return self.experiment.treatment


@contextmanager
def _complaining(table: str) -> Iterator[None]:
    """Say of which table a complaint is."""
    try:
        yield
    except PolicyError as error:
        raise PolicyError(f"{table} {error}") from error
