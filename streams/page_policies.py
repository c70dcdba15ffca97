"""The page policies of this moment: a change of the policy file is seen without a restart.

Whoever makes pages asks for them each time, and the file is looked at twice a second: nothing runs
beside that. A file that cannot be used changes nothing: the last good policies stay, and the log
says so once, and again when it is mended. The numbers of feeds are part of stored scores, so they
stay as they were at the start: to change them is a rebuild.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import structlog

from models.errors import PolicyError
from models.experiment import PagePolicies
from streams.policy_file import read_policies
from streams.stamp import stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.policy import Policy
    from streams.policy_file import Policies
    from streams.settings import Settings

LOOK_EVERY_S = 0.5

log = structlog.get_logger()


class LivePolicies:
    """Gives the page policies that the policy file of `settings` has at the moment."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file; raise PolicyError where it cannot be used."""
        self._path = settings.policy_file
        self._feeds = settings.policy
        self._clock = clock
        self._looked = clock()
        self._stamp = self._path and stamp_of(self._path)
        self._policies = read_policies(self._path).pages if self._path else PagePolicies()
        self._complaint = ""

    def current(self) -> PagePolicies:
        """Give the policies that a page of this moment is made with."""
        now = self._clock()
        if self._path is not None and now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            self._look(self._path)
        return self._policies

    def _look(self, path: Path) -> None:
        stamp = stamp_of(path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            found = _read_changed(path)
        except PolicyError as error:
            self._say("policy file not taken over", str(error))
        else:
            self._policies = found.pages
            rebuild = _rebuild(path, self._feeds, found.feeds)
            self._say("policy file: numbers of pages taken over, of feeds not", rebuild)

    def _say(self, what: str, complaint: str) -> None:
        """Tell a complaint once, and that there is none any more."""
        if not complaint:
            well = "policy file mended" if self._complaint else "policy file taken over"
            log.info(well, page_policy=self._policies.control.version)
        elif complaint != self._complaint:
            log.warning(what, reason=complaint)
        self._complaint = complaint


def _read_changed(path: Path) -> Policies:
    found, stamp = read_policies(path), stamp_of(path)
    if stamp is not None and stamp.size == 0:
        raise PolicyError(
            f"{path}: it is empty, as a file is while it is written; for the defaults, write [page]"
        )
    return found


def _rebuild(path: Path, old: Policy, new: Policy) -> str:
    """Say which numbers of feeds need a rebuild; nothing where none changed."""
    before, after = asdict(old), asdict(new)
    differing = [name for name in before if before[name] != after[name]]
    if not differing:
        return ""
    changed = ", ".join(f"{name} {before[name]} -> {after[name]}" for name in differing)
    return (
        f"{path}: {changed}: part of stored scores, so the old numbers stay; to change them is a "
        "rebuild: run `likewave rebuild`, then start workers and readers with the new file"
    )
