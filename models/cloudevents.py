"""CloudEvents 1.0 over HTTP, binary mode: what the headers say of the event in the body.

    ce-specversion: 1.0        ce-type: likewave.like        ce-time: 2026-11-24T06:01:00Z
    ce-id, ce-source: any, since a repeated event does no harm

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote

from models.errors import EventError
from models.events import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = "ce-"
VERSION = "1.0"
TYPE = "likewave."  # and the kind
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REQUIRED = ("specversion", "id", "source", "type")


def said(headers: Mapping[str, str]) -> dict[str, object]:
    """Read the fields of an event that the headers name; none where this is no CloudEvent.

    Raises EventError naming the header.

    >>> said({"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/app",
    ...       "ce-type": "likewave.like", "ce-time": "1970-01-01T01:00:00.5+01:00"})
    {'kind': 'like', 'at': 500}
    >>> said({"content-type": "application/json"})
    {}
    """
    given = {
        name.removeprefix(HEADER): unquote(value)
        for name, value in headers.items()
        if name.startswith(HEADER)
    }
    if not given:
        return {}
    for name in REQUIRED:
        if not given.get(name):
            raise _bad(name, "a CloudEvent has this header")
    if given["specversion"] != VERSION:
        raise _bad("specversion", f"only {VERSION} is read")
    fields: dict[str, object] = {"kind": _kind(given["type"])}
    return fields | {"at": _moment(given["time"])} if "time" in given else fields


def _kind(name: str) -> str:
    kind = name.removeprefix(TYPE)
    if kind == name or kind not in KINDS:
        raise _bad("type", f"give {TYPE} and a kind of event, such as {TYPE}like")
    return kind


def _moment(text: str) -> int:
    """Read an RFC 3339 time as Unix ms."""
    try:
        moment: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _bad("time", "give a time with its zone, such as 2026-11-24T06:01:00Z")
    return (moment - EPOCH) // timedelta(milliseconds=1)


def _bad(name: str, why: str) -> EventError:
    return EventError(why, path=f"header.{HEADER}{name}")
