"""What a check of a deployment found: how it stands, in words, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class State(StrEnum):
    """How something stands."""

    OK = "ok"
    WARN = "warn"  # works, and may not for long, or not as well as it could
    FAIL = "fail"  # feeds stand still or will be wrong, or a command refuses to start


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and what to do about it (nothing: `remedy` is empty)."""

    check: str
    state: State
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """Say that all is well."""
    return Finding(check, State.OK, found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """Say that something should be looked after."""
    return Finding(check, State.WARN, found, remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    """Say that something must be mended."""
    return Finding(check, State.FAIL, found, remedy)


def failed(check: str, message: str) -> Finding:
    """Take a message apart that says what is wrong, a colon, and what to do.

    >>> failed("broker", "no Kafka at kafka:9092: set LIKEWAVE_KAFKA").remedy
    'set LIKEWAVE_KAFKA'
    """
    found, _, remedy = message.rpartition(": ")
    if not found or found.endswith("answers"):  # what a server says is no advice
        return fail(check, message, "see what the server's log says")
    return fail(check, found, remedy)


def has_failed(findings: Iterable[Finding]) -> bool:
    """Tell whether anything must be mended."""
    return any(finding.state is State.FAIL for finding in findings)
