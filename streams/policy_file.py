"""The policy file: the numbers of feeds, of pages, and of what is tried on a share of the users.

TOML. The numbers of feeds stand first; they are part of stored scores. Those of pages stand in the
table [page], an experiment in [experiment] and [experiment.page]: a running process takes a change
of these over (page_policies).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from models.errors import PolicyError
from models.experiment import PagePolicies
from models.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path

TABLES = ("page", "experiment")
OF_FEEDS = {field.name.removesuffix("_ms") for field in fields(Policy)}


@dataclass(frozen=True, slots=True)
class Policies:
    """What a policy file says; what it leaves out is as by default."""

    feeds: Policy
    pages: PagePolicies


def read_policies(path: Path) -> Policies:
    """Read a policy file; raise PolicyError naming file, table and field."""
    try:
        return parse(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}; LIKEWAVE_POLICY_FILE names it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, PolicyError) as error:
        raise PolicyError(f"{path}: {error}") from error


def parse(document: dict[str, Any]) -> Policies:
    """Take a policy file apart; raise PolicyError naming table and field.

    >>> parse({"half_life": "3h", "page": {"per_actor": 2}}).pages.control.per_actor
    2
    >>> parse({"page": {"half_life": "3h"}})
    Traceback (most recent call last):
    ...
    models.errors.PolicyError: [page] half_life is a number of feeds: write it above all tables
    """
    for name, value in document.items():
        _check_place(name, value)
    rest = {name: value for name, value in document.items() if name not in TABLES}
    pages = PagePolicies.from_tables(document.get("page", {}), document.get("experiment"))
    return Policies(Policy.from_table(rest), pages)


def _check_place(name: str, value: Any) -> None:
    """Complain of what TOML understands otherwise than it was meant."""
    if name in TABLES and not isinstance(value, dict):
        raise PolicyError(f"{name} is {value!r}: give one table [{name}]")
    if name not in TABLES and isinstance(value, dict):
        raise PolicyError(f"[{name}] is no table of a policy: [{'], ['.join(TABLES)}]")
    if isinstance(value, dict) and (misplaced := sorted(OF_FEEDS & value.keys())):
        raise PolicyError(
            f"[{name}] {misplaced[0]} is a number of feeds: write it above all tables"
        )
