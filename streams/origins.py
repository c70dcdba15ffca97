"""Where every setting of this process comes from; passwords are masked."""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pydantic_settings import EnvSettingsSource

from models.experiment import PagePolicies
from streams.policy_file import read_policies
from streams.settings import PREFIX, Settings, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective value, fit to be shown, and where it was set."""

    name: str
    value: Any
    source: str


def masked(url: str) -> str:
    """Hide the password of a URL.

    >>> masked("redis://likewave:s3cret@store:6379/0")
    'redis://likewave:***@store:6379/0'
    >>> masked("redis://store:6379/0?password=s3cret&protocol=2")
    'redis://store:6379/0?password=***&protocol=2'
    """
    inside = re.sub(r"^(\w+://[^/@]*?:).*@", r"\1***@", url)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", inside)


def effective(settings: Settings) -> list[Setting]:
    """List the settings of a process, the numbers of feeds and pages one by one."""
    found = dict(_sources())
    shown = settings.model_dump(mode="json", exclude={"policy"})
    shown["redis"] = masked(settings.redis)
    listed = [Setting(name, value, found.get(name, DEFAULT)) for name, value in shown.items()]
    path = settings.policy_file
    told = read_policies(path) if path else None
    from_file = _in_policy_file(path) if path else {}
    for name, value in asdict(settings.policy).items():
        is_told = told is not None and getattr(told.feeds, name) == value  # not changed since
        source = from_file.get(name, DEFAULT) if is_told else found.get("policy", DEFAULT)
        listed.append(Setting(f"policy.{name}", value, source))
    for name, value in _of_pages(told.pages if told else PagePolicies()):
        listed.append(Setting(name, value, from_file.get(name, DEFAULT)))
    return listed


def _of_pages(pages: PagePolicies) -> Iterator[tuple[str, Any]]:
    """Give the numbers of pages, and of the experiment those that are other."""
    control = asdict(pages.control)
    yield from ((f"page.{name}", value) for name, value in control.items())
    if (tried := pages.experiment) is not None:
        yield from (("experiment.name", tried.name), ("experiment.share", tried.share))
        for name, value in asdict(tried.treatment).items():
            if value != control[name]:
                yield f"experiment.page.{name}", value


def _sources() -> Iterator[tuple[str, str]]:
    """Name the source of every field that has one; the last word on a field is the first to win."""
    for name in running_stack():
        yield name, "running stack"
    for name in EnvSettingsSource(Settings)():
        yield name, PREFIX + name.upper()


def _in_policy_file(path: Path) -> dict[str, str]:
    source = f"policy file ({path})"
    names = _named(tomllib.loads(path.read_text("utf-8")))
    return {field: source for name in names for field in (name, f"{name}_ms")}


def _named(table: dict[str, Any], within: str = "") -> Iterator[str]:
    """Give the dotted names of all values of a table."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _named(value, f"{within}{name}.")
        else:
            yield within + name
