"""The doctor: every check of a deployment, and the safe ones among the remedies.

It mends what loses nothing: it creates topics, sets options of topics, forbids the store to drop
feeds, loads functions. Whatever is out of reach is one finding, and the other checks go on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.errors import LikewaveError
from models.finding import Finding, State, failed, ok, warn
from streams import broker_checks, host_checks, log_checks, store_checks, topics
from streams.settings import read, resolve, stranded, strangers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from streams.settings import Settings

    Mend = Callable[[Settings], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was done, and how everything stands after it."""

    done: list[str]
    findings: list[Finding]


async def diagnose(*, fix: bool = False) -> Diagnosis:
    """Check the deployment that the settings name; `fix` mends first what can be mended safely."""
    try:
        settings, can_mend = _settings()
    except LikewaveError as error:
        return Diagnosis([], [failed("settings", str(error))])
    findings = await examine(settings)
    mends = _mends(findings) if fix and can_mend else []
    done = [step for mend in mends for step in await _done(mend, settings)]
    return Diagnosis(done, await examine(settings) if done else findings)


def _names() -> list[Finding]:
    """Warn of variables that nobody reads."""
    strange = strangers().items()
    found = [warn("settings", f"{name} is no setting", remedy) for name, remedy in strange]
    return found or [ok("settings", "valid")]


def _settings() -> tuple[Settings, bool]:
    """Give the settings, and whether to mend by them: not where their policy file is bad."""
    given = read()
    try:
        return resolve(), True
    except LikewaveError:  # of which the policy file's own check tells
        return given, False


async def examine(settings: Settings, shift_ms: int = 0) -> list[Finding]:
    """Make every check, worst first; of equal ones as they are listed here.

    `shift_ms` is added to this host's clock: how a test makes it wrong.
    """
    found = _names()
    found += await asyncio.to_thread(lambda: list(host_checks.examine(settings)))
    found += await _servers(settings, shift_ms)
    return sorted(found, key=lambda one: ORDER.index(one.state))


async def _servers(settings: Settings, shift_ms: int) -> list[Finding]:
    if complaint := stranded(settings):
        return [failed("local stack", complaint)]
    parts = await asyncio.gather(
        broker_checks.examine(settings, shift_ms), store_checks.examine(settings, shift_ms)
    )
    found = [one for part in parts for one in part]
    if all(part[0].state is State.OK for part in parts):  # both are in reach
        found += await log_checks.examine(settings)
    return found


async def _done(mend: Mend, settings: Settings) -> list[str]:
    try:
        return await mend(settings)
    except LikewaveError as error:
        return [f"not mended: {error}"]


def _mends(findings: Sequence[Finding]) -> list[Mend]:
    wrong = {finding.check for finding in findings if finding.state is not State.OK}
    return [mend for check, mend in MENDS.items() if check in wrong]


ORDER = (State.FAIL, State.WARN, State.OK)
MENDS: dict[str, Mend] = {
    "topics": topics.mend,
    "maxmemory-policy": store_checks.mend_memory,
    "functions": store_checks.mend_functions,
}
